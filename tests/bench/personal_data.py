"""Texts with personal data whose places are known, and texts that only look as if they had some; both by a seed.

Values are made with other code than that which finds them: check digits by python-stdnum, telephone numbers from
every country's example number. Each stands in a sentence, a table, JSON, or XML.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from stdnum import luhn, verhoeff
from stdnum.br import cpf
from stdnum.cn import ric
from stdnum.de import idnr
from stdnum.es import dni
from stdnum.fr import nir
from stdnum.it import codicefiscale
from stdnum.nl import bsn
from stdnum.pl import pesel

Make = Callable[[random.Random], str]


class Text(NamedTuple):
    """A text and what stands in it: ``(start, end, kind)``, and the form it was made in."""

    text: str
    spans: list[tuple[int, int, str]]
    form: str


DIGITS, LOWER, UPPER = string.digits, string.ascii_lowercase, string.ascii_uppercase
WORD = string.ascii_letters + DIGITS
BASE64 = WORD + "+/"
URLSAFE = WORD + "-_"
HEX = DIGITS + "abcdef"
FIRST = (
    *("anna", "jürgen", "marie-claire", "o'neill", "li", "juan.carlos", "x.y", "kofi", "sigrún", "d_martin"),
    *("info+news", "j.r.r.tolkien", "张伟"),
)
HOSTS = (
    *("gmail.com", "web.de", "mail.example-shop.co.uk", "uni-münchen.de", "laposte.net", "lists.kernel.org"),
    *("company.io", "a.bc.museum", "sub.domain.gov.br", "163.com", "startup.dev", "xn--bcher-kva.ch", "my.photography"),
)


def drawn(r: random.Random, alphabet: str, length: int) -> str:
    return "".join(r.choice(alphabet) for _ in range(length))


def grouped(number: str, *sizes: int, gap: str = " ") -> str:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(number[at : at + size])
        at += size
    return gap.join(pieces)


def until(make: Callable[[], str], good: Callable[[str], bool]) -> str:
    while not good(value := make()):
        pass
    return value


# What is to be found


def email(r: random.Random) -> str:
    name = r.choice(FIRST) + r.choice(["", str(r.randrange(100)), "." + drawn(r, LOWER, 6), "-" + drawn(r, LOWER, 3)])
    return f"{name}@{r.choice(HOSTS)}"


def _card(r: random.Random, beginnings: Sequence[str], size: int) -> str:
    body = r.choice(beginnings)
    body += drawn(r, DIGITS, size - 1 - len(body))
    return body + luhn.calc_check_digit(body)


def card(r: random.Random) -> str:
    if r.random() < 0.2:
        number = _card(r, ("34", "37"), 15)
        return r.choice([number, grouped(number, 4, 6, 5), grouped(number, 4, 6, 5, gap="-")])
    if r.random() < 0.1:
        number = _card(r, ("300", "305", "36", "38"), 14)
        return r.choice([number, grouped(number, 4, 6, 4)])
    number = _card(r, ("4", "51", "55", "2221", "2720", "6011", "65", "3528", "3589", "62"), 16)
    return r.choice([number, grouped(number, 4, 4, 4, 4), grouped(number, 4, 4, 4, 4, gap="-")])


# Structures of the accounts of 24 countries: letters A, digits 0.
ACCOUNTS = {
    "DE": "0" * 18,
    "FR": "0" * 10 + "A" * 11 + "00",
    "GB": "AAAA" + "0" * 14,
    "ES": "0" * 20,
    "NL": "AAAA" + "0" * 10,
    "IT": "A" + "0" * 10 + "A" * 12,
    "PL": "0" * 24,
    "PT": "0" * 21,
    "BE": "0" * 12,
    "AT": "0" * 16,
    "CH": "0" * 5 + "A" * 12,
    "SE": "0" * 20,
    "NO": "0" * 11,
    "DK": "0" * 14,
    "FI": "0" * 14,
    "IE": "AAAA" + "0" * 14,
    "CZ": "0" * 20,
    "GR": "0" * 7 + "A" * 16,
    "TR": "0" * 22,
    "RO": "AAAA" + "A" * 16,
    "HU": "0" * 24,
    "BR": "0" * 23 + "AA",
    "SA": "00" + "A" * 18,
    "MT": "AAAA" + "0" * 5 + "A" * 18,
}


def iban(r: random.Random) -> str:
    country = r.choice(sorted(ACCOUNTS))
    body = "".join(r.choice(DIGITS if one == "0" else UPPER + DIGITS) for one in ACCOUNTS[country])
    number = int("".join(str(int(one, 36)) for one in f"{body}{country}00"))
    account = f"{country}{98 - number % 97:02d}{body}"
    return r.choice([account, " ".join(account[at : at + 4] for at in range(0, len(account), 4))])


def ip(r: random.Random) -> str:
    if r.random() < 0.25:
        groups = [f"{r.choice((0x2001, 0x2003, 0x2600, 0x2A00, 0x2A02)):x}", f"{r.randrange(0x0E00, 0xFFFF):x}"]
        groups += [f"{r.randrange(0xFFFF):x}" for _ in range(6)]
        at = r.randrange(3, 6)
        return r.choice([":".join(groups), ":".join(groups[:at]) + "::" + groups[7], ":".join(groups).upper()])
    first = r.choice([n for n in range(1, 224) if n not in (10, 100, 127, 169, 172, 192, 198, 203)])
    return f"{first}.{r.randrange(256)}.{r.randrange(256)}.{r.randrange(1, 255)}"


def key(r: random.Random) -> str:
    return r.choice(KEYS)(r)


def _jwt(r: random.Random) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    body = {"sub": drawn(r, DIGITS, 10), "name": r.choice(FIRST), "iat": r.randrange(10**9, 2 * 10**9)}
    return f"{part({'alg': r.choice(['HS256', 'RS256']), 'typ': 'JWT'})}.{part(body)}.{drawn(r, URLSAFE, 43)}"


def _pem(r: random.Random) -> str:
    what = r.choice(["RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY"])
    lines = "\n".join(drawn(r, BASE64, 64) for _ in range(r.randrange(3, 26)))
    return f"-----BEGIN {what}-----\n{lines}\n{drawn(r, BASE64, 30)}==\n-----END {what}-----"


KEYS: list[Make] = [
    lambda r: r.choice(["AKIA", "ASIA"]) + drawn(r, UPPER + "234567", 16),
    lambda r: r.choice(["ghp_", "gho_", "ghs_"]) + drawn(r, WORD, 36),
    lambda r: f"github_pat_{drawn(r, WORD, 22)}_{drawn(r, WORD, 59)}",
    lambda r: "glpat-" + drawn(r, URLSAFE, 19) + drawn(r, WORD, 1),
    lambda r: f"xoxb-{drawn(r, DIGITS, 12)}-{drawn(r, DIGITS, 12)}-{drawn(r, WORD, 24)}",
    lambda r: r.choice(["sk_live_", "rk_live_"]) + drawn(r, WORD, 24),
    lambda r: "AIza" + drawn(r, URLSAFE, 34) + drawn(r, WORD, 1),
    lambda r: f"sk-{drawn(r, WORD, 20)}T3BlbkFJ{drawn(r, WORD, 20)}",
    lambda r: "sk-ant-api03-" + drawn(r, URLSAFE, 92) + drawn(r, WORD, 1),
    lambda r: "hf_" + drawn(r, string.ascii_letters, 34),
    lambda r: "npm_" + drawn(r, WORD, 36),
    lambda r: "pypi-AgEIcHlwaS5vcmc" + drawn(r, URLSAFE, 120) + drawn(r, WORD, 1),
    lambda r: f"SG.{drawn(r, URLSAFE, 22)}.{drawn(r, URLSAFE, 42)}{drawn(r, WORD, 1)}",
    lambda r: f"{drawn(r, '123456789', 1)}{drawn(r, DIGITS, 9)}:AA{drawn(r, URLSAFE, 32)}{drawn(r, WORD, 1)}",
    lambda r: "dop_v1_" + drawn(r, HEX, 64),
    lambda r: "shpat_" + drawn(r, HEX, 32),
    _jwt,
    _pem,
]


def _us(r: random.Random) -> str:
    area = until(lambda: drawn(r, DIGITS, 3), lambda one: one not in ("000", "666") and one[0] != "9")
    return f"{area}-{r.randrange(1, 100):02d}-{r.randrange(1, 10000):04d}"


def _nino(r: random.Random) -> str:
    letters = until(
        lambda: drawn(r, "ABCEGHJKLMNPRSTWXYZ", 2),
        lambda two: two[1] != "O" and two not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ"),
    )
    return f"{letters} {drawn(r, DIGITS, 2)} {drawn(r, DIGITS, 2)} {drawn(r, DIGITS, 2)} {r.choice('ABCD')}"


def _idnr(r: random.Random) -> str:
    def make() -> str:
        digits = r.sample(DIGITS, 9)
        digits.insert(r.randrange(10), r.choice(digits))
        return "".join(digits) + drawn(r, DIGITS, 1)

    number = until(make, idnr.is_valid)
    return r.choice([number, grouped(number, 2, 3, 3, 3)])


def _nir(r: random.Random) -> str:
    place = r.choice([f"{r.randrange(1, 96):02d}", "2A", "2B"]) if r.random() < 0.3 else f"{r.randrange(21, 96):02d}"
    birth = f"{r.choice('12')}{r.randrange(100):02d}{r.randrange(1, 13):02d}"
    number = f"{birth}{place}{r.randrange(1, 900):03d}{r.randrange(1, 1000):03d}"
    number += nir.calc_check_digits(number)
    return r.choice([number, grouped(number, 1, 2, 2, 2, 3, 3, 2)])


def _spanish(r: random.Random) -> str:
    if r.random() < 0.5:
        digits = drawn(r, DIGITS, 8)
        return f"{digits}-{dni.calc_check_digit(digits)}"
    first, digits = r.choice("XYZ"), drawn(r, DIGITS, 7)
    letter = dni.calc_check_digit(str("XYZ".index(first)) + digits)
    return r.choice([f"{first}{digits}{letter}", f"{first}-{digits}-{letter}"])


def _fiscal(r: random.Random) -> str:
    day = r.randrange(1, 29) + r.choice([0, 40])
    born = f"{drawn(r, DIGITS, 2)}{r.choice('ABCDEHLMPRST')}{day:02d}"
    body = f"{drawn(r, 'BCDFGLMNPRSTVZ', 6)}{born}{r.choice('ABCDEFGHILMZ')}{drawn(r, DIGITS, 3)}"
    return body + codicefiscale.calc_check_digit(body)


def _pesel(r: random.Random) -> str:
    body = f"{drawn(r, DIGITS, 2)}{r.randrange(1, 13):02d}{r.randrange(1, 29):02d}{drawn(r, DIGITS, 4)}"
    return body + pesel.calc_check_digit(body)


def _cpf(r: random.Random) -> str:
    number = until(lambda: drawn(r, DIGITS, 11), cpf.is_valid)
    return r.choice([number, f"{number[:3]}.{number[3:6]}.{number[6:9]}-{number[9:]}"])


def _ric(r: random.Random) -> str:
    place = r.choice(["110101", "310104", "440305", "510107", "330106", "420111"])
    body = f"{place}{r.randrange(1930, 2020)}{r.randrange(1, 13):02d}{r.randrange(1, 29):02d}{drawn(r, DIGITS, 3)}"
    return body + ric.calc_check_digit(body + "0")


NATIONAL: list[Make] = [_us, _nino, _idnr, _nir, _spanish, _fiscal, _pesel, _cpf, _ric]


def _aadhaar(r: random.Random) -> str:
    body = r.choice("23456789") + drawn(r, DIGITS, 10)
    number = body + verhoeff.calc_check_digit(body)
    return r.choice([number, grouped(number, 4, 4, 4)])


def _bsn(r: random.Random) -> str:
    return until(lambda: drawn(r, DIGITS, 9), lambda one: bsn.is_valid(one) and one[:2] != "00")


def _dni_bare(r: random.Random) -> str:
    digits = drawn(r, DIGITS, 8)
    return digits + dni.calc_check_digit(digits)


# Numbers that only a word makes what they are.
ANNOUNCED: list[tuple[str, Sequence[str], Make]] = [
    ("national_id", ("SSN: ", "Social Security number ", "SSN "), lambda r: _us(r).replace("-", r.choice(["", " "]))),
    ("national_id", ("NINO: ", "National Insurance number: "), lambda r: _nino(r).replace(" ", "")),
    ("national_id", ("DNI ", "NIF: ", "con DNI núm. "), _dni_bare),
    ("national_id", ("BSN: ", "burgerservicenummer "), _bsn),
    ("national_id", ("Aadhaar: ", "Aadhaar No. ", "आधार "), _aadhaar),
]

_TYPES = (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE)
OURS = ("US", "GB", "DE", "FR", "IT", "ES", "NL", "PL", "BR", "IN", "CN", "JP", "AU")


def _phone(r: random.Random, regions: Sequence[str]) -> phonenumbers.PhoneNumber:
    """A number that its country may have given out: an example with its last four digits drawn anew."""
    while True:
        example = phonenumbers.example_number_for_type(r.choice(regions), r.choice(_TYPES))
        if example is None:
            continue
        other = phonenumbers.PhoneNumber()
        other.merge_from(example)
        other.national_number = example.national_number // 10000 * 10000 + r.randrange(10000)
        if phonenumbers.is_valid_number(other):
            return other


def phone_abroad(r: random.Random) -> str:
    number = _phone(r, sorted(phonenumbers.SUPPORTED_REGIONS))
    written = phonenumbers.format_number(
        number, r.choice([PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.INTERNATIONAL])
    )
    return r.choice([written, written.replace(" ", "-"), written.replace("-", " ")])


def phone_at_home(r: random.Random) -> str:
    """As it is written in its own country, where that form is telling: brackets, hyphens, or groups behind a 0."""

    def telling(one: str) -> bool:
        if one[0] == "(" or one.count("-") == 2:
            return True
        return one[0] == "0" and (" " in one or "-" in one) and len(one.replace(" ", "").replace("-", "")) >= 9

    return until(
        lambda: phonenumbers.format_number(
            _phone(r, ("US", "US", "GB", "DE", "FR", "IT", "NL", "BR", "JP", "AU")), PhoneNumberFormat.NATIONAL
        ),
        telling,
    )


def phone_announced(r: random.Random) -> str:
    number = _phone(r, OURS)
    written = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    return r.choice([written, "".join(filter(str.isdigit, written))])


PHONE_WORDS = (
    "Tel.: ",
    "Phone: ",
    "phone ",
    "mobile: ",
    "Fax ",
    "Telefon ",
    "téléphone : ",
    "Handy: ",
    "móvil ",
    "celular: ",
    "手机：",
    "電話 ",
)

# What is not to be found


def _isbn(r: random.Random) -> str:
    body = "978" + drawn(r, DIGITS, 9)
    check = str(-sum(int(one) * (1, 3)[at % 2] for at, one in enumerate(body)) % 10)
    long = body + check
    return r.choice(
        [
            long,
            grouped(long, 3, 1, 3, 5, 1, gap="-"),
            grouped(long, 3, 1, 5, 3, 1, gap="-"),
            f"0-{long[4:7]}-{long[7:12]}-{r.choice('0123456789X')}",
        ]
    )


def _imei(r: random.Random) -> str:
    body = r.choice(["35", "86", "01"]) + drawn(r, DIGITS, 12)
    return body + luhn.calc_check_digit(body)


def _time(r: random.Random) -> str:
    date = f"{r.randrange(1970, 2030)}-{r.randrange(1, 13):02d}-{r.randrange(1, 29):02d}"
    clock = f"{r.randrange(24):02d}:{r.randrange(60):02d}:{r.randrange(60):02d}"
    seconds = r.randrange(10**9, 2 * 10**9)
    return r.choice(
        [
            f"{date} {clock}",
            f"{date}T{clock}.{drawn(r, DIGITS, 6)}+0{r.randrange(10)}:00",
            date.replace("-", ""),
            date.replace("-", "") + clock.replace(":", ""),
            str(seconds),
            f"{seconds}.{drawn(r, DIGITS, 6)}",
            str(seconds * 1000 + r.randrange(1000)),
            str(seconds * 10**6),
            f"{date[8:]}.{date[5:7]}.{date[:4]} {clock}",
            f"{date[5:7]}/{date[8:]}/{date[:4]} {clock}",
            f"{date[8:]}-{date[5:7]}-{date[:4]}",
        ]
    )


def _version(r: random.Random) -> str:
    numbers = [str(r.randrange(30)) for _ in range(4)]
    dotted = ".".join(numbers)
    return r.choice(
        [
            f"version {dotted}",
            f"v{dotted}",
            f"Chrome/{numbers[0]}.0.{r.randrange(1000, 9999)}.{r.randrange(200)}",
            f"libfoo_{dotted}-{numbers[0]}_amd64.deb",
            f"(>= {dotted})",
            f"foo-{dotted}.tar.gz",
            f"section {dotted}",
            ".".join(numbers[:3]),
            f"{dotted}.{numbers[0]}.{numbers[1]}",
            f"{dotted}-beta.{numbers[1]}",
            f"=={dotted}",
            f"Oracle {numbers[0]}.{numbers[1]}.0.{numbers[2]}",
            f"OID 1.3.6.1.4.1.{r.randrange(9999)}.{dotted}",
            f"driver {r.randrange(300, 600)}.{r.randrange(200)}.{r.randrange(10):02d}",
        ]
    )


def _hash(r: random.Random) -> str:
    data = r.randbytes(16)
    whole = r.choice([hashlib.md5, hashlib.sha1, hashlib.sha256])(data).hexdigest()
    return r.choice(
        [
            whole,
            whole[:7],
            whole[:12],
            f"sha256:{hashlib.sha256(data).hexdigest()}",
            str(uuid.UUID(bytes=data)),
            whole.upper(),
            ":".join(whole[at : at + 2] for at in range(0, 32, 2)),
            ":".join(whole[at : at + 2] for at in range(0, 12, 2)),
            " ".join(whole[at : at + 2] for at in range(0, 32, 2)),
            base64.b64encode(data * 2).decode(),
            "integrity=sha512-" + base64.b64encode(data * 4).decode(),
            "0x" + whole[:16],
            " ".join(whole[at : at + 4] for at in range(0, 32, 4)),
        ]
    )


def _place(r: random.Random) -> str:
    lat, lon = r.uniform(-90, 90), r.uniform(-180, 180)
    return r.choice(
        [
            f"{lat:.6f}, {lon:.6f}",
            f"{lat:.8f},{lon:.8f}",
            f"{abs(lat):.4f}° N, {abs(lon):.4f}° E",
            f"POINT({lon:.5f} {lat:.5f})",
            f"geo:{lat:.4f},{lon:.4f}",
        ]
    )


def _code(r: random.Random) -> str:
    return r.choice(
        [
            f"{drawn(r, UPPER, 2)}-{drawn(r, DIGITS, 4)}-{drawn(r, DIGITS, 2)}",
            f"{drawn(r, UPPER, 3)}{drawn(r, DIGITS, 8)}",
            f"{drawn(r, DIGITS, 5)}-{drawn(r, UPPER, 3)}",
            f"P/N {drawn(r, DIGITS, 3)}-{drawn(r, DIGITS, 5)}-{drawn(r, DIGITS, 2)}",
            f"1Z{drawn(r, UPPER + DIGITS, 16)}",
            f"{drawn(r, UPPER, 2)}{drawn(r, DIGITS, 9)}{drawn(r, UPPER, 2)}",
            f"B0{drawn(r, UPPER + DIGITS, 8)}",
            f"doi:10.{drawn(r, DIGITS, 4)}/{drawn(r, LOWER, 4)}.{drawn(r, DIGITS, 7)}",
            f"arXiv:{drawn(r, DIGITS, 4)}.{drawn(r, DIGITS, 5)}",
            f"CVE-20{drawn(r, DIGITS, 2)}-{drawn(r, DIGITS, 5)}",
            f"Closes: #{drawn(r, DIGITS, 6)}",
            f"ISSN {drawn(r, DIGITS, 4)}-{drawn(r, DIGITS, 4)}",
            f"Boston, MA 0{drawn(r, DIGITS, 4)}-{drawn(r, DIGITS, 4)}",
            f"{drawn(r, DIGITS, 8)}{r.choice(UPPER)}",
            f"{drawn(r, UPPER, 2)}{drawn(r, DIGITS, 6)}{r.choice(UPPER)}",
            f"lot {drawn(r, DIGITS, 2)}-{drawn(r, DIGITS, 2)}-{drawn(r, DIGITS, 4)}",
            "".join(drawn(r, UPPER if one == "A" else DIGITS, 1) for one in "AAAAAA00A00A0000"),
        ]
    )


def _price(r: random.Random) -> str:
    whole = r.randrange(1000, 10**7)
    return r.choice(
        [
            f"${whole:,}.{r.randrange(100):02d}",
            f"{whole:,}".replace(",", " ") + f",{r.randrange(100):02d} €",
            f"€ {whole:,}".replace(",", "."),
            f"USD {whole}.{r.randrange(100):02d}",
            f"£{r.randrange(100, 999)}-{r.randrange(100, 999)}",
            f"{r.randrange(100, 999)} 000 000 zł",
            f"¥{whole:,}",
            f"{r.randrange(100, 999)}.{r.randrange(100, 999)}.{r.randrange(100, 999)},00",
            f"${r.randrange(200, 999)}-{r.randrange(200, 999)}K",
        ]
    )


def _formula(r: random.Random) -> str:
    a, b, c = (r.randrange(1, 10 ** r.randrange(2, 8)) for _ in range(3))
    return r.choice(
        [
            f"{a} + {b} = {a + b}",
            f"{a}-{b}*{c}",
            f"({a}-{b})/{c}",
            f"x = {a / b:.15f}",
            f"{a / b:.12e}",
            f"{a}/{b}/{c}",
            f"[{a}, {b}, {c}]",
            f"{a} {b} {c}",
            "3.14159265358979323846",
            f"1e{r.randrange(10, 300)}",
            f"{a}..{b}",
            f"x[{a % 10}::{b % 10}]",
            f"10^{r.randrange(20)}",
            f"0.{drawn(r, DIGITS, 16)}",
            f"+{a}.{r.randrange(10)}",
            f"0x{drawn(r, HEX, 8)}",
            "  ".join(drawn(r, DIGITS, r.randrange(2, 5)) for _ in range(8)),
            f"{a}:{b}",
        ]
    )


def _sign(r: random.Random) -> str:
    return r.choice(
        [
            "@property\ndef x(self): return self.w @ self.v",
            "icon@2x.png",
            "getty@tty1.service",
            "git@github.com:user/project.git",
            "npm i @babel/core@7.1.0",
            "std::vector<int>::iterator",
            "a::b",
            "user@localhost",
            "@mention thanks",
            "x@y",
            "package@1.2.3",
            "A @ B.T",
            "https://example.org/@someone/1234567890123",
            "std::face::add",
            "f00::bar",
            "12:30:45",
            "a.b@c",
            "array[::2]",
            "AT&T 100-200",
            "https://example.org/item/4111222233334444",
            "p. 123-456, 789-1011",
            "foo@bar.baz.weights",
            "postgres://user:password@host/db",
            "Vol. 18 (2001) 116-140",
            "10.1016/0012-365X(80)90037-0",
            "-----BEGIN CERTIFICATE-----",
            "api_key = os.environ['API_KEY']",
            "token = tokenizer.next_token_after(position)",
            "password: str = field(default='')",
            "secret_name=my-secret-name-in-kubernetes",
            "sk-learn",
            "AKIA is a prefix",
            "eyJ is how JSON begins",
            "token: 0123456789abcdef is hexadecimal"[:20],
            "the phone rang 1000 times",
            "tel 5",
            "XXX-XX-XXXX",
            "000-00-0000",
            "666-12-3456",
            "4111 1111 1111 1112",
            "DE00 0000 0000 0000 0000 00",
            "+1 000 000 0000",
            "(123) 456-7890",
            "127.0.0.1",
            f"192.168.{r.randrange(256)}.{r.randrange(256)}",
            f"10.{r.randrange(256)}.{r.randrange(256)}.1",
            f"172.16.{r.randrange(256)}.9",
            "192.0.2.17",
            "198.51.100.3",
            "203.0.113.99",
            "255.255.255.0",
            "0.0.0.0",
            "fe80::1",
            "2001:db8::8a2e:370:7334",
            "::1",
            "999.999.999.999",
            "1.2.3",
            "fd00::1234",
            "224.0.0.251",
        ]
    )


NEGATIVES: dict[str, Make] = {
    "order number": lambda r: (
        r.choice(["order ", "invoice ", "ref. ", "#", "ID "]) + drawn(r, DIGITS, r.randrange(5, 17))
    ),
    "ISBN": _isbn,
    "IMEI": lambda r: "IMEI " + _imei(r),
    "time": _time,
    "version": _version,
    "hash": _hash,
    "coordinates": _place,
    "product code": _code,
    "price": _price,
    "formula": _formula,
    "sign or address of nobody": _sign,
}

FRAMES = (
    "{}",
    "The value is {}.",
    "Write to {} or come by.",
    "({})",
    "see {}, please",
    "- {}\n- next",
    '{{"value": "{}", "n": 1}}',
    "<td>{}</td>",
    "name,{},2",
    "x\t{}\ty",
    "Bitte {} verwenden!",
    "contactez {} dès que possible",
    "`{}`",
    "一二三 {} 四五六",
    "**{}**",
    "value={};",
    "a: {}\nb: none",
    "'{}'",
    "> {}",
)
MAKERS: dict[str, list[tuple[str, Make]]] = {
    "email": [("e-mail", email)],
    "card": [("card", card)],
    "iban": [("IBAN", iban)],
    "ip": [("IP", ip)],
    "key": [(f"key {number}", make) for number, make in enumerate(KEYS)],
    "national_id": [(make.__name__.strip("_"), make) for make in NATIONAL],
    "phone": [("phone abroad", phone_abroad), ("phone at home", phone_at_home)],
}


def positives(count: int, seed: int) -> Iterator[Text]:
    """``count`` texts of each kind with one value each."""
    r = random.Random(seed)
    for kind, makers in MAKERS.items():
        for number in range(count):
            form, make = makers[number % len(makers)]
            yield _framed(r, kind, form, "", make(r))
    for number in range(count):
        kind, words, make = ANNOUNCED[number % len(ANNOUNCED)]
        yield _framed(r, kind, "announced " + words[0], r.choice(words), make(r))
        yield _framed(r, "phone", "phone announced", r.choice(PHONE_WORDS), phone_announced(r))


def negatives(count: int, seed: int) -> Iterator[Text]:
    """``count`` texts of each kind of thing that is no personal data."""
    r = random.Random(seed)
    for form, make in NEGATIVES.items():
        for _ in range(count):
            yield _framed(r, "", form, "", make(r))


def _framed(r: random.Random, kind: str, form: str, before: str, value: str) -> Text:
    frame = r.choice(FRAMES)
    text = frame.format(before + value)
    start = frame.format("\0").index("\0") + len(before)
    return Text(text, [(start, start + len(value), kind)] if kind else [], form)


class Score(NamedTuple):
    """How much of what is there was found, and how much of what was found is there."""

    there: int
    found_of_them: int
    found: int

    @property
    def recall(self) -> float:
        return self.found_of_them / self.there if self.there else 1.0

    @property
    def precision(self) -> float:
        return self.found_of_them / self.found if self.found else 1.0


Find = Callable[[str], Sequence[tuple[int, int, str]]]  # a text → (start, end, kind)


def score(find: Find, texts: Iterable[Text], kinds: Sequence[str] = tuple(MAKERS)) -> dict[str, Score]:
    """Of each kind, and of ``all``. Found is what lies whole under a span of its kind; a span that touches nothing of
    its kind is a false one."""
    there, good, wrong = Counter[str](), Counter[str](), Counter[str]()
    for text in texts:
        spans = [span for span in find(text.text) if span[2] in kinds]
        for start, end, kind in text.spans:
            if kind in kinds:
                there[kind] += 1
                good[kind] += any(one[2] == kind and one[0] <= start and end <= one[1] for one in spans)
        for start, end, kind in spans:
            wrong[kind] += not any(one[2] == kind and one[0] < end and start < one[1] for one in text.spans)
    scores = {kind: Score(there[kind], good[kind], good[kind] + wrong[kind]) for kind in kinds}
    scores["all"] = Score(there.total(), good.total(), good.total() + wrong.total())
    return scores

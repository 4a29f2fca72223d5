"""Numbers of accounts and of people, found by their shape and held to their check digits.

Shapes are looked for in the image of a text (:func:`image`). One whose check passes more than about one random number
in a hundred (a bare Dutch BSN: one in eleven) is taken only where a word before it says what it is: see ``_WORDS``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from aictl.data.steps.pii import national
from aictl.data.steps.pii.checks import luhn, mod_97

Place = tuple[int, int]
Look = Callable[[str, int, int], Place | None]  # text, start and end of a word → where the number behind it is

_CLASSES = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", b"A" * 26 + b"a" * 26 + b"0" * 10
)
_TYPESET = [*((one, " ") for one in "\xa0\u2007\u2009\u202f"), *((one, "-") for one in "\u2010\u2011\u2012\u2013")]


def plain(text: str) -> bytes:
    """A text in ASCII, a byte a character, ``?`` for what is beyond it; typeset spaces and hyphens as plain ones."""
    if not text.isascii():
        for one, plain in _TYPESET:
            if one in text:
                text = text.replace(one, plain)
    return text.encode("ascii", "replace")


def image(plain: bytes) -> bytes:
    """The shape of a text: ``0`` for a digit, ``A`` and ``a`` for letters, everything else as it is.

    Shapes stand literally in it, which makes them several times as fast to find as classes of characters in the text.
    """
    return plain.translate(_CLASSES)


# All that begins with a digit, in one pass. A number is no part of a longer one, of a word, a path, a price or a
# fraction. The first line turns nearly everything else away at its first characters.
_DIGITS = re.compile(
    rb"""0(?=[0\ ()./-]{8}|0{5}A0{8})(?<![0Aa_.\-/+$@#&\\^]0)(?:
      (?P<fours>     (?<!0[\ \n-]0) 000(?P<gap>[\ -])0000(?P=gap)0000(?P=gap)0000(?:(?P=gap)0{1,3})?
                     (?![\ \n-]A{0,3}0[0A]{0,4}(?![0Aa/])) )    # not in a table of hexadecimal numbers
    | (?P<card>      000[\ -]0{6}[\ -]0{4,5} )                  # American Express, Diners Club
    | (?P<identity>  0\ 000\ 000\ 000                           # Steuer-ID
                   | 00\.000\.000-00                            # CPF
                   | 00-00-0000                                 # SSN
                   | \ 00\ 00\ 0[0A]\ 000\ 000\ 00              # NIR
                   | 0{5}A0{8}                                  # NIR of Corsica
                   | 0{7}-A                                     # DNI
                   | 0{16}A )                                   # resident identity number
    | (?P<bare>      0{10,18} )
    | (?P<north>     (?<!0[\ ,:-]0) (?:[\ .-]000|00)(?P<dash>[.-])000(?P=dash)0000 (?![\ -]0{4,}-) )
    | (?P<pairs>     (?<!0[,:]0)(?<!0[\ \n]0) 0(?P<dot>[\ .-])00(?:(?P=dot)00){3} (?![\ \n][0Aa]{2}(?![0Aa])) )
    )(?![0Aa_%@]|[./\-][0Aa])""",
    re.VERBOSE,
)
_LETTERS = re.compile(
    rb"""A(?=[A0\ -]{8})(?<![0Aa_]A)(?:
      (?P<iban>  A00(?:\ ?[A0]{4}){2,7}(?:\ ?[A0]{1,4})? )
    | (?: (?P<nie>   -?0000000-?A )
        | (?P<nino>  A\ 00\ 00\ 00\ A )
        | (?P<code>  A{5}[A0]{2}A[A0]{2}A[A0]{3}A ) )(?![0Aa_%@]|[./\-][0Aa])
    )""",
    re.VERBOSE,
)


class Shape(NamedTuple):
    """A number that looks like one of a kind: where it stands, its shape's name, and it without separators."""

    start: int
    end: int
    name: str
    number: str


_GAPS = re.compile(r"[^0-9A-Za-z]+")


def shapes(text: str, image: bytes) -> Iterator[Shape]:
    """All numbers of a text that look like one that is meant here."""
    for pattern in (_DIGITS, _LETTERS):
        for match in pattern.finditer(image):
            start, end = match.span()
            assert match.lastgroup
            yield Shape(start, end, match.lastgroup, _GAPS.sub("", text[start:end]))


# Lengths by country: SWIFT, IBAN Registry, release 99.
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}


def is_card(digits: str) -> bool:
    """Whether an issuer gives out cards of this beginning and length, and Luhn's sum agrees.

    Ranges: ISO/IEC 7812 as the networks publish them (Visa 4; Mastercard 51 to 55, 2221 to 2720; American Express 34,
    37; Diners Club 300 to 305, 3095, 36, 38, 39; Discover 6011, 644 to 649, 65; JCB 3528 to 3589; UnionPay 62, 81;
    Mir 2200 to 2204; RuPay 60, 82, 508; Maestro 50, 56 to 58, 63, 67, 69).
    """
    size, two, three, four = len(digits), int(digits[:2]), int(digits[:3]), int(digits[:4])
    if digits[0] == "4":
        fits = size in (16, 19)
    elif 51 <= two <= 55 or 2221 <= four <= 2720:
        fits = size == 16
    elif two in (34, 37):
        fits = size == 15
    elif two in (36, 38, 39) or 300 <= three <= 305 or four == 3095:
        fits = size in (14, 16)
    elif 3528 <= four <= 3589:
        fits = size in (16, 19)
    else:
        known = two in (50, 56, 57, 58, 60, 62, 63, 65, 67, 69, 81, 82) or 644 <= three <= 649 or 2200 <= four <= 2204
        fits = known and size in (16, 19)
    return fits and luhn(digits)


def is_iban(account: str) -> bool:
    """Whether the country's accounts have this length and the remainder of 97 is right."""
    return _IBAN_LENGTHS.get(account[:2]) == len(account) and mod_97(account)


def iban(text: str, shape: Shape) -> Place | None:
    """The account that a shape begins with: what follows in capitals may belong to the sentence."""
    wanted = _IBAN_LENGTHS.get(shape.number[:2])
    if wanted is None or not is_iban(shape.number[:wanted]):
        return None
    end = shape.start + wanted
    while (more := wanted - len(text[shape.start : end].replace(" ", ""))) > 0:
        end += more
    return None if text[end : end + 1].isalnum() else (shape.start, end)


def is_identity(number: str) -> bool:
    """Whether it is a national number that its shape and check digits are enough to tell."""
    if len(number) == 9 and number[-1].isalpha():
        if number[0].isalpha() and number[1].isalpha():
            return national.uk_nino(number)
        return number[0] in "0123456789XYZ" and national.spanish_dni(number)
    return any(check(number) for check in _CHECKS.get(len(number), ()))


_CHECKS: dict[int, tuple[Callable[[str], bool], ...]] = {
    9: (national.us_ssn,),
    11: (national.german_tax_id, national.polish_pesel, national.brazilian_cpf),
    15: (national.french_nir,),
    16: (national.italian_fiscal_code,),
    18: (national.chinese_resident_id,),
}
# What a word announces: the shapes that the number behind it may have, and its check.
_ANNOUNCED: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("SSN,ssn,Social Security,social security,SOCIAL SECURITY", r"\d{3}[ -]?\d{2}[ -]?\d{4}", national.us_ssn),
    (
        "NINO,National Insurance,national insurance,NATIONAL INSURANCE,NI number,NI No",
        r"[A-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]",
        national.uk_nino,
    ),
    (
        "DNI,NIF,NIE,D.N.I.,N.I.F.",
        r"[XYZ]-?\d{7}[ -]?[A-Z]|\d{8}[ -]?[A-Z]|\d\d\.\d{3}\.\d{3}-?[A-Z]",
        national.spanish_dni,
    ),
    (
        "BSN,Burgerservicenummer,burgerservicenummer,Sofinummer,sofinummer",
        r"\d{9}|\d{4}[ .]\d{2}[ .]\d{3}|\d{3}[ .]\d{3}[ .]\d{3}",
        national.dutch_bsn,
    ),
    ("Aadhaar,aadhaar,AADHAAR,Aadhar,aadhar,UIDAI,आधार", r"\d{4}[ -]?\d{4}[ -]?\d{4}", national.indian_aadhaar),
)


def words() -> dict[str, Look]:
    """Words to look for in a text, and for each who looks for the number behind it."""
    return {word: _behind(shape, check) for names, shape, check in _ANNOUNCED for word in names.split(",")}


def _behind(shape: str, check: Callable[[str], bool]) -> Look:
    pattern = re.compile(rf"[^\d\n]{{0,24}}?(?<![\w.-])({shape})(?![\w%]|[./-]\d)", re.ASCII)

    def look(text: str, start: int, end: int) -> Place | None:
        found = pattern.match(text, end)
        return found.span(1) if found and check(_GAPS.sub("", found[1])) else None

    return look

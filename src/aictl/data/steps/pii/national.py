"""Personal numbers that states give out, each known by its structure and its check digits.

Every function takes a number without separators, in capital letters, of the right length and alphabet, and
says whether it can have been given out.
"""

from __future__ import annotations

import re
from datetime import date

from aictl.data.steps.pii.checks import mod_11_2, mod_11_10, verhoeff, weighted

LATEST_BIRTH = 2030  # a fixed year: what is found must not depend on the day on which it is looked for
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_NINO = re.compile(r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][0-9]{6}[A-D]")
# ISO 3166-2:CN, the first two digits of the administrative division codes of GB/T 2260.
_PROVINCES = frozenset(
    [*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66), 71, 81, 82]
)
_CF_MONTHS = "ABCDEHLMPRST"
_CF_DIGITS = str.maketrans("LMNPQRSTUV", "0123456789")
_CF = re.compile(r"[A-Z]{6}[0-9L-NP-V]{2}[A-EHLMPR-T][0-9L-NP-V]{2}[A-MZ][0-9L-NP-V]{3}[A-Z]")
_CF_ODD = dict(
    zip("0123456789", (1, 0, 5, 7, 9, 13, 15, 17, 19, 21), strict=True),
    **dict(
        zip(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
            strict=True,
        )
    ),
)


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def us_ssn(number: str) -> bool:
    """Area not 000, 666 or 900 to 999, group not 00, serial not 0000 (SSA, POMS RM 10201.035)."""
    return number[:3] not in ("000", "666") and number[0] != "9" and number[3:5] != "00" and number[5:] != "0000"


def uk_nino(number: str) -> bool:
    """Two letters without the excluded ones, six digits, A to D (HMRC, NIM39110)."""
    return _NINO.fullmatch(number) is not None


def german_tax_id(number: str) -> bool:
    """Eleven digits, the first not 0; of the first ten exactly one digit comes twice or three times, not three
    times in a row (Bundeszentralamt für Steuern, Steuer-IdNr., Prüfziffernberechnung)."""
    if number[0] == "0":
        return False
    counts = sorted(number.count(digit, 0, 10) for digit in set(number[:10]))
    if counts[-1] not in (2, 3) or (len(counts) > 1 and counts[-2] != 1):
        return False
    return not any(digit * 3 in number[:10] for digit in set(number)) and mod_11_10(number)


def french_nir(number: str) -> bool:
    """Sex, year, month, department (2A and 2B in Corsica), commune, order, and a key modulo 97 (INSEE,
    numéro de sécurité sociale); months from 20 stand for births whose date is not known.
    Provisional numbers, which begin with 3, 4, 7 or 8, are not taken."""
    month = int(number[3:5])
    if number[0] not in "12" or not (1 <= month <= 12 or 20 <= month <= 42 or month >= 50):
        return False
    if number[5:7] in ("00", "96") or number[7:10] == "000" or number[10:13] == "000":
        return False
    digits = number[:13].replace("2A", "19").replace("2B", "18")
    return digits.isdigit() and 97 - int(digits) % 97 == int(number[13:])


def spanish_dni(number: str) -> bool:
    """Eight digits, or X, Y or Z and seven, and a letter by the remainder of 23 (Ministerio del Interior,
    cálculo del dígito de control del NIF/NIE)."""
    digits = number[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return _DNI_LETTERS[int(digits) % 23] == number[-1]


def italian_fiscal_code(number: str) -> bool:
    """Names, birth, town and a check letter; digits of namesakes may be letters (Decreto Ministeriale 23/12/1976)."""
    if not _CF.fullmatch(number):
        return False
    year, month = int(number[6:8].translate(_CF_DIGITS)), _CF_MONTHS.index(number[8]) + 1
    day = int(number[9:11].translate(_CF_DIGITS))
    day -= 40 * (day > 40)  # women's have 40 added
    if not any(_is_date(century + year, month, day) for century in (1900, 2000)):
        return False
    even = sum(int(one) if one.isdigit() else ord(one) - ord("A") for one in number[1:15:2])
    return chr((even + sum(_CF_ODD[one] for one in number[0:15:2])) % 26 + ord("A")) == number[15]


def dutch_bsn(number: str) -> bool:
    """The elfproef with the last weight -1 (Rijksdienst voor Identiteitsgegevens, Logisch Ontwerp BSN)."""
    return number != "000000000" and weighted(number, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def polish_pesel(number: str) -> bool:
    """Birth date, with 20 added to the month of a century from 2000, and a check digit (Ustawa o ewidencji
    ludności, art. 15); only births from 1900 on."""
    month = int(number[2:4])
    year = int(number[:2]) + (2000 if month > 20 else 1900)
    if year > LATEST_BIRTH or not _is_date(year, month - 20 * (month > 20), int(number[4:6])):
        return False
    return weighted(number, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def brazilian_cpf(number: str) -> bool:
    """Two check digits modulo 11, and not one digit alone (Receita Federal, cálculo do DV do CPF)."""
    if number == number[0] * 11:
        return False
    first = weighted(number, tuple(range(10, 1, -1))) * 10 % 11 % 10
    second = weighted(number, tuple(range(11, 1, -1))) * 10 % 11 % 10
    return number[9:] == f"{first}{second}"


def chinese_resident_id(number: str) -> bool:
    """Province, birth date and check character (GB 11643-1999); only births from 1900 on."""
    year = int(number[6:10])
    return (
        int(number[:2]) in _PROVINCES
        and 1900 <= year <= LATEST_BIRTH
        and _is_date(year, int(number[10:12]), int(number[12:14]))
        and mod_11_2(number)
    )


def indian_aadhaar(number: str) -> bool:
    """Twelve digits, the first neither 0 nor 1, with Verhoeff's check (UIDAI, A UID Numbering Scheme, 2010)."""
    return number[0] not in "01" and verhoeff(number)

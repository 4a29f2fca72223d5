"""Check digits and national numbers, held against python-stdnum, which knows nothing of ours."""

from __future__ import annotations

import random

import pytest
from stdnum import luhn, verhoeff
from stdnum.br import cpf
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.fr import nir
from stdnum.it import codicefiscale
from stdnum.nl import bsn
from stdnum.pl import pesel
from stdnum.us import ssn

from aictl.data.steps.pii import checks, national

DIGITS, LETTERS = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DRAWN = 20_000


def drawn(r, shape):
    """``0`` is a digit, ``A`` a letter, anything else itself."""
    return "".join(r.choice(DIGITS) if one == "0" else r.choice(LETTERS) if one == "A" else one for one in shape)


@pytest.mark.parametrize(
    ("ours", "theirs", "shape"),
    [
        (checks.luhn, luhn.is_valid, "0" * 16),
        (checks.luhn, luhn.is_valid, "0" * 15),
        (checks.verhoeff, verhoeff.is_valid, "0" * 12),
        (national.us_ssn, ssn.is_valid, "0" * 9),
        (national.spanish_dni, dni.is_valid, "00000000A"),
        (national.spanish_dni, nie.is_valid, "Y0000000A"),
        (national.dutch_bsn, bsn.is_valid, "0" * 9),
        (national.brazilian_cpf, cpf.is_valid, "0" * 11),
    ],
)
def test_the_same_verdict_on_random_numbers(ours, theirs, shape):
    r = random.Random(1)
    verdicts = [(ours(number), theirs(number)) for number in (drawn(r, shape) for _ in range(DRAWN))]
    assert all(a == b for a, b in verdicts)
    assert any(a for a, _ in verdicts)


@pytest.mark.parametrize(
    ("ours", "theirs", "shape"),
    [
        (national.german_tax_id, idnr.is_valid, "0" * 11),  # three digits in a row are refused since 2016
        (national.french_nir, nir.is_valid, "1000500000000" + "00"),  # no provisional numbers, no unknown places
        (national.polish_pesel, pesel.is_valid, "0" * 11),  # nobody born before 1900
        (national.italian_fiscal_code, codicefiscale.is_valid, "AAAAAA00A00A000A"),  # towns begin with A to M or Z
    ],
)
def test_stricter_and_never_laxer(ours, theirs, shape):
    r = random.Random(1)
    verdicts = [(ours(number), theirs(number)) for number in (drawn(r, shape) for _ in range(5 * DRAWN))]
    assert not [1 for a, b in verdicts if a and not b]
    assert any(a for a, _ in verdicts)


@pytest.mark.parametrize(
    ("number", "wanted"),
    [("11010519491231002X", True), ("110105194912310021", False), ("991105194912310024", False)],
)
def test_the_chinese_number_by_the_example_of_its_standard(number, wanted):
    """GB 11643-1999 shows the first."""
    assert national.chinese_resident_id(number) == wanted


@pytest.mark.parametrize("account", ["DE89370400440532013000", "GB82WEST12345698765432", "FR1420041010050500013M02606"])
def test_iban_by_the_examples_of_its_registry(account):
    assert checks.mod_97(account)
    assert not checks.mod_97(account[:-1] + ("1" if account[-1] == "0" else "0"))


@pytest.mark.parametrize("number", ["AB123456C", "JG103759A"])
def test_nino(number):
    assert national.uk_nino(number)
    for wrong in ("GB" + number[2:], "D" + number[1:], number[:-1] + "E"):
        assert not national.uk_nino(wrong)

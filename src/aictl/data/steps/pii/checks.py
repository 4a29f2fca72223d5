"""Check digits: what tells a real number from one that only looks like it.

Each takes the characters of a number without its separators and says whether they agree. A random number
passes Luhn, Verhoeff and the Polish sum one time in ten, the Dutch one in eleven, a check letter one in 23 or 26,
two check digits one in a hundred.
"""

from __future__ import annotations

_DOUBLED = bytes.maketrans(b"0123456789", bytes([0, 2, 4, 6, 8, 1, 3, 5, 7, 9]))
_PLAIN = bytes.maketrans(b"0123456789", bytes(range(10)))


def luhn(digits: str) -> bool:
    """Payment cards: ISO/IEC 7812-1, annex B."""
    data = digits.encode()
    return (sum(data[-1::-2].translate(_PLAIN)) + sum(data[-2::-2].translate(_DOUBLED))) % 10 == 0


def mod_97(account: str) -> bool:
    """IBAN: ISO 13616-1 with ISO/IEC 7064, MOD 97-10."""
    moved = account[4:] + account[:4]
    return int("".join(str(int(one, 36)) for one in moved)) % 97 == 1


def mod_11_10(digits: str) -> bool:
    """The German Steuer-Identifikationsnummer: ISO/IEC 7064, MOD 11,10."""
    product = 10
    for one in digits[:-1]:
        product = ((product + int(one)) % 10 or 10) * 2 % 11
    return (product + int(digits[-1])) % 10 == 1


def mod_11_2(number: str) -> bool:
    """The Chinese resident identity number: ISO/IEC 7064, MOD 11-2; the last character may be X."""
    total = 0
    for one in number[:-1]:
        total = (total + int(one)) * 2 % 11
    return (total + (10 if number[-1] in "Xx" else int(number[-1]))) % 11 == 1


def _dihedral(a: int, b: int) -> int:
    """The product in the group of a pentagon's five turns (0 to 4) and five reflections (5 to 9)."""
    if a < 5:
        return (a + b) % 5 + (5 if b >= 5 else 0)
    return (a - b) % 5 + (0 if b >= 5 else 5)


_TURN = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
_TURNS = [tuple(range(10))]
for _ in range(7):
    _TURNS.append(tuple(_TURN[one] for one in _TURNS[-1]))


def verhoeff(digits: str) -> bool:
    """Aadhaar: J. Verhoeff, Error Detecting Decimal Codes, 1969."""
    state = 0
    for place, one in enumerate(reversed(digits)):
        state = _dihedral(state, _TURNS[place % 8][int(one)])
    return state == 0


def weighted(digits: str, weights: tuple[int, ...]) -> int:
    """The sum of each digit by its weight, over as many digits as there are weights."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))

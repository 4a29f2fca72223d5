"""Telephone numbers: international, in the forms of single countries, and whatever a word calls one.

Whether such a number can be dialled is decided by ``phonenumbers``, Google's tables of every country's numbers
(https://github.com/google/libphonenumber): by the country code where there is one, else by the countries that
are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import phonenumbers
from phonenumbers import NumberParseException

Place = tuple[int, int]
Look = Callable[[str, int, int], Place | None]  # text, start and end of the trigger → where the number is

REGIONS = ("US", "GB", "DE", "FR", "IT", "ES", "NL", "PL", "BR", "IN", "CN", "JP", "AU")

_PLUS = re.compile(rb"\+(?<![0Aa_)\]+@]\+)\(?0(?:[ ()./-]{0,2}0){6,14}(?![0A_])")
_AREA_IN_BRACKETS = re.compile(rb"\((?<![0Aa_]\()0{2,5}\)[ ./-]{0,2}0(?:[ ./-]?0){4,9}(?![0A_]|[./-]0)")
# Whose first digits are zeros is looked for in the text itself: 00 for abroad, 0 for another area.
_ABROAD = re.compile(r"00(?<![\w.,:/+$#-]00)[1-9](?:[ ()./-]{0,2}\d){8,14}(?!\w|[./-]\d)", re.ASCII)
_AREA = re.compile(
    r"0(?<![\w./+$#-]0)(?<!\d:0)(?<!\b\d\d 0)[1-9]\d{0,3}(?:[ /-]|\)? )\d{2,8}(?:[ -]\d{2,8}){0,3}"
    r"(?![\w%]|[./-]\d| \d)",
    re.ASCII,
)
_OTHER = re.compile(  # postcodes, dates, parts, columns of numbers
    r"\d{5}-\d{4}\Z|\d\d-\d\d-\d{2,4}\Z|\d\d/\d\d/?\d{2,4}\Z|0\d+-\d{3,}-\d\d\Z|\d{4} \d{4} \d{4}|\d{3} \d{3} \d{3}\Z",
    re.ASCII,
)
_DECIMAL = re.compile(r"\+?\d{4,}\.\d+|\d+\.\d+", re.ASCII)
_BRAZILIAN = re.compile(r"\([1-9]\d\) ?9?\d{4}[ -]?\d{4}", re.ASCII)

# fmt: off
_WORDS = (
    "phone", "telephone", "mobile", "cell phone", "fax", "tel.", "tel:", "tel ", "sms", "whatsapp", "hotline",
    "telefon", "handy", "mobil", "téléphone", "tél", "portable :", "teléfono", "telefono", "móvil", "movil", "celular",
    "cellulare", "telefone", "telefoon", "komórka", "tlf", "电话", "手机", "電話", "携帯", "फ़ोन", "फोन", "मोबाइल", "☎",
    "📞",
)
# fmt: on
_NAMED = re.compile(r"[^\d\n+(]{0,20}?(?<!#)(\+?\(?\d(?:[ ()./\u2010-\u2013\xa0-]{0,2}\d){6,14})(?![\w%]|[./-]\d)")
_LOCAL = re.compile(r"[2-9]\d\d[ .-]\d{4}", re.ASCII)  # as people of one North American area write it


def known_regions() -> frozenset[str]:
    """The countries whose numbers are known."""
    return frozenset(phonenumbers.SUPPORTED_REGIONS)


def phones(text: str, image: bytes, regions: Sequence[str]) -> Iterator[Place]:
    """Numbers that their form tells: behind a +, with an area in brackets, or behind a 0."""
    if "+" in text:
        for plus in _PLUS.finditer(image):
            if end := _international(text, plus.start(), plus.end()):
                yield plus.start(), end
    for bracket in _AREA_IN_BRACKETS.finditer(image):
        if _with_area(text[bracket.start() : bracket.end()], regions):
            yield bracket.span()
    for match in _ABROAD.finditer(text):
        if not _OTHER.match(match[0]) and _can_be_dialled("+" + match[0][2:], None):
            yield match.span()
    for match in _AREA.finditer(text):
        digits = sum(map(str.isdigit, match[0]))
        if 9 <= digits <= 12 and not _OTHER.match(match[0]) and _in_any(match[0], regions):
            yield match.span()


def _with_area(number: str, regions: Sequence[str]) -> bool:
    """A 0 and an area in brackets, or, without the 0, two digits in Brazil and three in North America."""
    if number[1] == "0":
        return _in_any(number, regions)
    if number[3] == ")":
        return "BR" in regions and bool(_BRAZILIAN.fullmatch(number)) and _can_be_dialled(number, "BR")
    return number[4] == ")" and _can_be_dialled(number, "US")


def is_north_american(number: str) -> bool:
    return _can_be_dialled(number, "US")


def is_french(number: str) -> bool:
    return number[0] == "0" and _can_be_dialled(number, "FR")


def words(regions: Sequence[str]) -> dict[str, Look]:
    """Words to look for in a text, and who looks for the number behind each."""

    def look(text: str, start: int, end: int) -> Place | None:
        if start and text[start].isalpha() and text[start - 1].isalpha():
            return None
        found = _NAMED.match(text, end)
        if found and (_LOCAL.fullmatch(found[1]) or _in_any(found[1], regions)):
            return found.span(1)
        return None

    return {form: look for word in _WORDS for form in (word, word.capitalize(), word.upper())}


def _international(text: str, start: int, end: int) -> int:
    """Where the number that begins with a + ends, or 0: what follows it may be a number of its own."""
    if _DECIMAL.fullmatch(text, start, end):
        return 0
    while end > start + 7:
        if _can_be_dialled(text[start:end], None):
            return end
        end = max(text.rfind(gap, start, end) for gap in " -./(")
        while end > start and not text[end - 1].isdigit():
            end -= 1
    return 0


def _in_any(number: str, regions: Sequence[str]) -> bool:
    if number.startswith("+"):
        return _can_be_dialled(number, None)
    return any(_can_be_dialled(number, region) for region in regions)


def _can_be_dialled(number: str, region: str | None) -> bool:
    if _DECIMAL.fullmatch(number):
        return False
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except NumberParseException:
        return False

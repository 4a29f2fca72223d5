"""Bytes in an encoding that nobody says."""

from __future__ import annotations

import os

import pytest
from tests.data.steps.languages import SENTENCES

from aictl.data.steps.charset import decode

OLD = {
    "windows-1252": ("de", "fr", "es", "it", "pt"),
    "windows-1250": ("pl",),
    "iso-8859-2": ("pl",),
    "windows-1251": ("ru", "uk"),
    "koi8-r": ("ru",),
    "koi8-u": ("uk",),
    "iso-8859-5": ("ru",),
    "cp866": ("ru",),
    "windows-1253": ("el",),
    "iso-8859-7": ("el",),
    "windows-1254": ("tr",),
    "windows-1255": ("he",),
    "windows-1256": ("ar",),
    "cp874": ("th",),
    "shift_jis": ("ja",),
    "euc-jp": ("ja",),
    "gb18030": ("zh",),
    "euc-kr": ("ko",),
    "utf-16-le": ("el",),
}
CASES = [(encoding, language) for encoding, languages in OLD.items() for language in languages]


@pytest.mark.parametrize(("encoding", "language"), CASES)
def test_old_encodings_are_found_by_their_letters(encoding, language):
    data = SENTENCES[language].encode(encoding, "ignore")
    found = decode(data)
    assert found is not None
    assert found.text == data.decode(encoding)
    assert 0 < found.confidence <= 1


def test_utf8_is_itself():
    assert decode("Grüße".encode()) == ("Grüße", "utf-8", 1.0)
    assert decode(b"") == ("", "utf-8", 1.0)


def test_utf8_with_a_stray_byte_stays_utf8():
    data = "Grüße, schöne Füße – größer".encode() + " Skyttä".encode("latin-1")
    found = decode(data)
    assert found is not None
    assert found[:2] == ("Grüße, schöne Füße – größer Skyttä", "utf-8+windows-1252")
    assert found.confidence == pytest.approx(8 / 9)


def test_one_letter_in_a_page_of_english():
    data = ("The quick brown fox jumps over the lazy dog.\n" * 50 + "Reported by Hervé Boutemy.\n").encode("latin-1")
    found = decode(data)
    assert found is not None
    assert "Hervé Boutemy" in found.text


@pytest.mark.parametrize(
    "data", [bytes(range(256)), b"\x7fELF\x02\x01\x01" + bytes(60) + b"\xff", b"\x89PNG\r\n\x1a\n\xff\xfe\0\x01" * 9]
)
def test_what_is_no_text_is_refused(data):
    assert decode(data) is None


def test_random_bytes_are_no_text():
    assert [decode(os.urandom(400)) for _ in range(50)] == [None] * 50


def test_a_character_far_behind_what_was_looked_at():
    data = b"plain words of English in a long file, one after the other. " * 6000 + "“Hervé”".encode("windows-1252")
    found = decode(data)
    assert found is not None
    assert found.text.endswith("“Hervé”")

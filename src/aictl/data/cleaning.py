"""Cleaning that changes how a text is written down, never what it says; every change is counted."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

# Controls other than tab and newline. In UTF-8 each is one byte that is part of no other character.
_CONTROLS = bytes([*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F])
_C1_CONTROLS = re.compile("[\x80-\x9f]")  # the second set of controls, as in ISO 6429
_C1_IN_UTF8 = re.compile(rb"\xc2[\x80-\x9f]")


class BadUnicode(ValueError):
    """Half of a surrogate pair: text that no encoding can write."""


def clean(text: str, counts: Counter[str]) -> str:
    """Text with ``\\n`` line ends, without control characters, in normal form C, trimmed at both ends.

    ``counts`` goes up under ``newlines``, ``control_characters``, ``normalized`` and ``trimmed`` for
    each of them that changed the document. Raises :class:`BadUnicode` for a lone surrogate.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        counts["newlines"] += 1
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadUnicode(f"half of a surrogate pair, U+{ord(text[error.start]):04X}") from None
    kept = data.translate(None, _CONTROLS)
    controls = len(data) != len(kept)
    if controls:
        text = kept.decode("utf-8")
    if not text.isascii():
        if _C1_IN_UTF8.search(kept):
            text, removed = _C1_CONTROLS.subn("", text)
            controls = controls or removed > 0
        if not unicodedata.is_normalized("NFC", text):
            text = unicodedata.normalize("NFC", text)
            counts["normalized"] += 1
    counts["control_characters"] += controls
    trimmed = text.strip()
    counts["trimmed"] += len(trimmed) != len(text)
    return trimmed

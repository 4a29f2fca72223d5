"""Cutting long texts into documents, at headings, paragraphs, lines or words."""

from __future__ import annotations

from collections.abc import Iterator


def cut_point(text: str, start: int, max_chars: int) -> int:
    """Where to end a piece that begins at ``start``: before the last heading in its second half, or
    else after the last paragraph, line, or word there, or else after ``max_chars``."""
    low, high = start + max_chars // 2, start + max_chars
    for mark, keep in (("\n\n#", 2), ("\n\n", 2), ("\n", 1), (" ", 1)):
        found = text.rfind(mark, low, high)
        if found > start:
            return found + keep
    return high


def pieces(text: str, max_chars: int) -> Iterator[tuple[int, str]]:
    """``(offset, piece)`` of at most ``max_chars`` characters each; 0 leaves the text whole."""
    start = 0
    while max_chars and len(text) - start > max_chars:
        end = cut_point(text, start, max_chars)
        yield start, text[start:end]
        start = end
    yield start, text[start:]

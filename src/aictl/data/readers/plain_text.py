"""Plain text, Markdown and reStructuredText: a file is a document, a long one is several."""

from __future__ import annotations

from aictl.data.cutting import cut_point
from aictl.data.decode import text_blocks
from aictl.data.documents import Document, InputFile, Items, Reading


def read(file: InputFile, reading: Reading) -> Items:
    """Yield the file's text in pieces of at most ``max_chars``, holding little more than one block."""
    if not reading.max_chars:
        yield Document(file.name, "".join(text_blocks(file, detect=reading.finds_encodings)))
        return
    held, line = "", 1
    for block in text_blocks(file, detect=reading.finds_encodings):
        held, start = held + block, 0
        while len(held) - start > reading.max_chars:
            end = cut_point(held, start, reading.max_chars)
            yield Document(_source(file, line), held[start:end])
            line += held.count("\n", start, end)
            start = end
        held = held[start:]
    yield Document(_source(file, line), held)


def _source(file: InputFile, line: int) -> str:
    return file.name if line == 1 else f"{file.name}:{line}"

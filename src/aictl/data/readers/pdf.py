"""PDF: the text of all pages as one document, a blank line between them.

The text is what a person would copy from a viewer, line by line. A page that is a picture has none: nothing is
recognised here. This is run apart, see :mod:`aictl.data.readers.apart`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pypdfium2

from aictl.data.decode import whole_bytes
from aictl.data.documents import Document, InputFile, Items, Reading, Unreadable

MAX_PAGES = 20_000
MAX_CHARACTERS = 128 * 2**20
_HEAD_BYTES = 1024  # a PDF may begin with something else, but not with much
_ENCRYPTED = (4, 5)  # FPDF_ERR_PASSWORD and FPDF_ERR_SECURITY
# A word that is divided at the end of a line is marked so by PDFium: it is put together again.
_DIVIDED = re.compile("[\ufffe\x02]\n?")


def read(file: InputFile, reading: Reading) -> Items:
    """Yield the text. Raises :class:`Unreadable` for a PDF that is broken, encrypted, without text or too large."""
    data = whole_bytes(file)
    if b"%PDF-" not in data[:_HEAD_BYTES]:
        raise Unreadable("not a PDF", "it does not begin like one")
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) in _ENCRYPTED:
            raise Unreadable("encrypted", "a password opens it; `qpdf --decrypt` takes that off") from None
        raise Unreadable("broken PDF", str(error)) from None
    try:
        pages = list(_pages(document))
    finally:
        document.close()
    texts = [text for page in pages if (text := _tidied(page)).strip()]
    if not texts:
        raise Unreadable("no text", f"in {len(pages):,} pages; if they are pictures, `ocrmypdf` recognises it")
    yield Document(file.name, "\n\n".join(texts))


def _tidied(page: str) -> str:
    lines = page.replace("\r\n", "\n").replace("\r", "\n")
    return _DIVIDED.sub("", lines).strip("\n")


def _pages(document: pypdfium2.PdfDocument) -> Iterator[str]:
    count, characters, lost = len(document), 0, []
    if count > MAX_PAGES:
        raise Unreadable("too large", f"{count:,} pages; up to {MAX_PAGES:,} are read")
    for number in range(count):
        try:
            page = document[number]
            text = page.get_textpage()
            found: str = text.get_text_bounded()
            text.close()
            page.close()
        except pypdfium2.PdfiumError:
            lost.append(number + 1)
            continue
        characters += len(found)
        if characters > MAX_CHARACTERS:
            raise Unreadable("too large", f"more than {MAX_CHARACTERS:,} characters")
        yield found
    if lost:
        raise Unreadable("broken PDF", f"{len(lost):,} of {count:,} pages cannot be read, page {lost[0]:,} the first")

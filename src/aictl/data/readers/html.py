"""HTML as the text that a reader of the page sees: headings and paragraphs, no navigation or scripts."""

from __future__ import annotations

import codecs
import re
from html.parser import HTMLParser

from aictl.data.decode import decoded, encoding_of, whole_bytes
from aictl.data.documents import Document, InputFile, Items, Reading, Unreadable

MAX_BYTES = 32 * 2**20  # the parser is slow, and a larger page is no page

_HIDDEN = frozenset(
    ("script", "style", "noscript", "template", "svg", "math", "nav", "iframe", "select", "button", "head")
)
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_BLOCKS = frozenset(("address", "article", "aside", "blockquote", "body", "br", "caption", "dd", "details", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "li", "main", "ol", "p", "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul", *_HEADINGS))  # fmt: skip  # noqa: E501
# How the HTML standard finds the encoding: https://html.reading.whatwg.org/#prescan-a-byte-stream-to-determine-its-encoding
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\n\r\f]+")
_GAPS = re.compile(r"\n{3,}")


def read(file: InputFile, reading: Reading) -> Items:
    """Yield the page's text as one document. Raises :class:`Unreadable`."""
    data = whole_bytes(file)
    if len(data) > MAX_BYTES:
        raise Unreadable("too large", f"an HTML page of {len(data) / 1e6:.0f} MB")
    page = _Page()
    try:
        page.feed(decoded(data, _encoding(data), detect=reading.finds_encodings))
        page.close()
    except AssertionError as error:  # how html.parser says that it lost its way
        raise Unreadable("not HTML", str(error)) from error
    yield Document(file.name, page.text())


def _encoding(data: bytes) -> str:
    declared = _CHARSET.search(data[:1024])
    found = encoding_of(data)
    if found != "utf-8" or declared is None:
        return found
    try:
        return codecs.lookup(declared[1].decode("ascii")).name
    except LookupError:
        return found


class _Page(HTMLParser):
    """Collects text; a block element ends the line, and a heading is marked with ``#``."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._hidden: list[str] = []
        self._preformatted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden.append(tag)
        elif tag == "body":
            self._hidden.clear()  # a head that was never closed
        if tag in _BLOCKS:
            self._parts.append("\n" if tag in ("br", "tr", "li", "dt") else "\n\n")
        if tag in ("td", "th"):
            self._parts[-1] = "\t" if self._parts[-2:-1] != ["\n"] else ""
        elif tag == "li":
            self._parts.append("- ")
        elif tag == "pre":
            self._preformatted += 1
        elif tag in _HEADINGS:
            self._parts.append("#" * int(tag[1]) + " ")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden:
            while self._hidden.pop() != tag:
                pass
        if tag == "pre":
            self._preformatted = max(0, self._preformatted - 1)
        if tag in _BLOCKS and tag not in ("td", "th", "li", "dt", "tr"):
            self._parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if not self._preformatted:
            data = _SPACES.sub(" ", data)
            if self._parts and self._parts[-1].endswith((" ", "\n", "\t")):
                data = data.lstrip(" ")
        if data:
            self._parts.append(data.replace("\xa0", " "))  # a space for layout's sake, to a reader a space

    def text(self) -> str:
        lines = (line.rstrip() for line in "".join(self._parts).split("\n"))
        return _GAPS.sub("\n\n", "\n".join(lines))

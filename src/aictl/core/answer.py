"""What a command that answers gives back; the command line decides how it looks.

A :class:`Table` is a table on a terminal, tab-separated values when piped, and a list of objects
with ``--json``. A :class:`Document` is shown as aligned keys and values. A :class:`Stream` passes
text on as it comes, :class:`Samples` are shown each in place of the one before, and :class:`Records`
one below the other.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple


class Table(NamedTuple):
    """Rows of plain values under named columns. ``styles`` colours words of a column on a
    terminal, such as ``{"state": {"stale": "yellow"}}``. Where the terminal is narrow, the columns
    of ``spare`` are left out, the first of them first, and the one called ``cut`` is cut short.
    ``status`` is the exit status."""

    columns: Sequence[str]
    rows: Iterable[Sequence[Any]]
    styles: Mapping[str, Mapping[str, str]] = MappingProxyType({})
    spare: Sequence[str] = ()
    cut: str | None = None
    status: int = 0


class Section(NamedTuple):
    """A part of a report: a table, or names and their values, below a title. One without a title
    goes on with the section before it."""

    title: str
    content: Table | Mapping[str, Any]


class Document(NamedTuple):
    """A JSON object: aligned keys and values on a terminal, a dotted path and its value a line in a
    pipe. ``text`` replaces both where one value is the whole answer; ``drawn`` replaces the first
    where a better picture exists, such as a lineage as a tree, and so do ``sections``, which are
    drawn to the terminal's width; ``table`` replaces the second. ``status`` is the exit status."""

    value: Any
    text: str | None = None
    drawn: str | None = None
    table: Table | None = None
    sections: Sequence[Section] = ()
    status: int = 0


class Stream(NamedTuple):
    """Text that arrives in pieces. The generator returns the exit status, or, having ended well,
    what there is to say of the whole text.

    With ``--json`` the whole text becomes ``{key: text}``, and what is said of it stands beside it;
    where ``live`` is set the first piece alone does, at once, because the command goes on running
    (a server that says where it is).
    """

    pieces: Generator[str, None, int | Mapping[str, Any]]
    key: str = "text"
    live: bool = False


class Samples(NamedTuple):
    """Looks at something that changes, one after the other, until there are no more or somebody has
    seen enough. A terminal shows the latest in place of the one before; a pipe gets the row of each
    one's ``table`` as a line, and with ``--json`` its value as one."""

    looks: Iterator[Document]


class Passage(NamedTuple):
    """Text to be read: who says it, if anybody, and the places ``(start, end)`` in it that stand out."""

    text: str
    label: str = ""
    marks: Sequence[tuple[int, int]] = ()


class Item(NamedTuple):
    """One of many things: its JSON value, and for a person what it is called, what there is to say of it
    in a few words, and its text."""

    value: Mapping[str, Any]
    title: str
    about: str = ""
    passages: Sequence[Passage] = ()


class Records(NamedTuple):
    """Things one after the other, however many, each shown as it comes: in a pipe and with ``--json`` its value as
    a line, on a terminal its title with its text below, cut to the window unless ``whole``. The generator returns
    the exit status."""

    items: Generator[Item, None, int]
    whole: bool = False


Answer = Table | Document | Stream | Samples | Records

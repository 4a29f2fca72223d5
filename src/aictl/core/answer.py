"""What a command that answers gives back; the command line decides how it looks.

A :class:`Table` is a table on a terminal, tab-separated values when piped, and a list of objects
with ``--json``. A :class:`Document` is shown as aligned keys and values. A :class:`Stream` passes
text on as it comes.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
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


class Document(NamedTuple):
    """A JSON object: aligned keys and values on a terminal, a dotted path and its value a line in a
    pipe. ``text`` replaces both where one value is the whole answer; ``drawn`` replaces the first
    where a better picture exists, such as a lineage as a tree, and ``table`` the second."""

    value: Any
    text: str | None = None
    drawn: str | None = None
    table: Table | None = None


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


Answer = Table | Document | Stream

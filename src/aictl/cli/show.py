"""How an answer looks: a table on a terminal, tab-separated values in a pipe, or one JSON document."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from aictl.cli.streams import unheard
from aictl.cli.values import cell, tabbed, whole
from aictl.core.answer import Answer, Document, Records, Samples, Stream, Table


def show(answer: Answer | None, *, as_json: bool, drawn: bool = False) -> int:
    """Print an answer to stdout; the exit status is the one that it has, else 0. ``drawn`` shows it as a
    person reads it, also where nothing is a terminal: a report in a log."""
    with unheard(sys.stdout):
        status = _show(answer, as_json=as_json, drawn=drawn)
        sys.stdout.flush()
        return status
    return _status(answer)


def _show(answer: Answer | None, *, as_json: bool, drawn: bool) -> int:
    if answer is None:
        return 0
    if isinstance(answer, Stream):
        return _stream(answer, as_json)
    if isinstance(answer, Samples):
        from aictl.cli.live import follow

        return follow(answer, as_json=as_json)
    if isinstance(answer, Records):
        from aictl.cli.records import records

        return records(answer, as_json=as_json)
    if as_json:
        _json(_value(answer))
    elif isinstance(answer, Document):
        _document(answer, drawn or sys.stdout.isatty())
    elif sys.stdout.isatty():
        _draw(answer)
    else:
        tabbed(answer)
    return _status(answer)


def _status(answer: Answer | None) -> int:
    return answer.status if isinstance(answer, Table | Document) else 0


def _value(answer: Table | Document) -> Any:
    if isinstance(answer, Document):
        return answer.value
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def _json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=1 if sys.stdout.isatty() else None, ensure_ascii=False)
    sys.stdout.write("\n")
    sys.stdout.flush()


def _document(answer: Document, drawn: bool) -> None:
    if answer.text is not None:
        text = answer.text
    elif drawn and answer.drawn is None and answer.sections:
        from aictl.cli.report import report

        text = report(answer.sections)
    elif drawn:
        text = answer.drawn if answer.drawn is not None else "\n".join(_lines(answer.value))
    elif answer.table is not None:
        return tabbed(answer.table)
    else:
        text = "\n".join(f"{path}\t{whole(value)}" for path, value in _leaves(answer.value, ""))
    sys.stdout.write(text.rstrip("\n") + "\n")
    return None


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every single value with its dotted path, as ``artifact show --get`` takes it."""
    if isinstance(value, Mapping | list | tuple) and value:
        rows = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, inner in rows:
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _draw(table: Table) -> None:
    import shutil

    from aictl.cli.table import draw

    rows = [[cell(value) for value in row] for row in table.rows]
    colour = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    sys.stdout.write(draw(table, rows, shutil.get_terminal_size().columns, colour=colour) + "\n")


def _lines(value: Any, indent: str = "") -> list[str]:
    """A JSON value as aligned keys and values, nested ones below their key."""
    if not isinstance(value, Mapping):
        if isinstance(value, list | tuple):
            return [line for one in value for line in _item(one, indent)]
        return [indent + cell(value)]
    width = max((len(key) for key, inner in value.items() if not _nests(inner)), default=0)
    lines = []
    for key, inner in value.items():
        if _nests(inner):
            lines += [f"{indent}{key}", *_lines(inner, indent + "  ")]
        else:
            shown = ", ".join(map(cell, inner)) if isinstance(inner, list | tuple) else cell(inner)
            lines.append(f"{indent}{key:<{width}}  {shown}".rstrip())
    return lines


def _item(value: Any, indent: str) -> list[str]:
    lines = _lines(value, indent + "  ")
    return [indent + "- " + lines[0].lstrip(), *lines[1:]] if lines else []


def _nests(value: Any) -> bool:
    if isinstance(value, Mapping):
        return bool(value)
    return isinstance(value, list | tuple) and any(isinstance(one, Mapping | list | tuple) for one in value)


def _stream(stream: Stream, as_json: bool) -> int:
    kept: list[str] = []
    pieces = stream.pieces
    while True:
        try:
            piece = next(pieces)
        except StopIteration as ended:
            facts = ended.value if isinstance(ended.value, Mapping) else {}
            if as_json and not stream.live:
                _json({stream.key: "".join(kept), **facts})
            elif not as_json and kept and not kept[-1].endswith("\n"):
                sys.stdout.write("\n")
            return 0 if facts else int(ended.value or 0)
        if not as_json:
            sys.stdout.write(piece)
            sys.stdout.flush()
        elif stream.live and not kept:
            _json({stream.key: piece.strip()})
        kept.append(piece)

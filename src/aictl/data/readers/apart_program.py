"""The program that :mod:`aictl.data.readers.apart` runs: it reads what may kill it.

From standard input it takes calls until there are no more, and to standard output it writes answers, both as JSON by
lines: some ``items`` each, ``last`` in the last line of a call, and there ``unreadable`` or ``nothing`` if
the file is unreadable, or holds something else.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from base64 import b64encode
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson

from aictl.data.documents import Document, HoldsNoDocuments, Image, Pair, Preference, Rejected, Unreadable
from aictl.data.readers.apart import BYTES_OF_IMAGES, Call

_ITEMS = 64  # in one line
_CHARACTERS = 2**20


def main() -> None:
    calls, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks is interrupted, and ends this
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while line := calls.readline():
        call = Call.of_line(line)
        used = resource.getrusage(resource.RUSAGE_SELF)
        used_s = int(used.ru_utime + used.ru_stime)
        _bound(resource.RLIMIT_CPU, used_s + 1 + call.bounds.cpu_s if call.bounds.cpu_s else resource.RLIM_INFINITY)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        _bound(resource.RLIMIT_AS, pages * resource.getpagesize() + call.bounds.memory_bytes)
        for answer in _answers(call):
            answers.write(orjson.dumps(answer) + b"\n")
            answers.flush()


def _bound(what: int, most: int) -> None:
    """Set a limit as far as this process may."""
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        most = hard if most == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, hard))


def _answers(call: Call) -> Iterator[dict[str, Any]]:
    held: list[Any] = []
    characters = 0
    try:
        for item in getattr(import_module(call.module), call.function)(call.file, call.how):
            held.append(_plain(item))
            characters += item.characters if isinstance(item, Document) else 1
            if len(held) == _ITEMS or characters >= _CHARACTERS:
                yield {"items": held, "last": False}
                held, characters = [], 0
    except Unreadable as error:
        yield {"items": held, "last": True, "unreadable": (error.reason, error.detail, error.line)}
    except HoldsNoDocuments:
        yield {"items": held, "last": True, "nothing": True}
    except MemoryError:
        yield {"items": held, "last": True, "unreadable": ("takes too much memory", "", None)}
    except Exception as error:  # what a library raises over spoiled bytes is not always what it says that it raises
        said = f"its reader failed: {type(error).__name__}: {error}"[:300].encode("utf-8", "replace").decode()
        yield {"items": held, "last": True, "unreadable": ("damaged", said, None)}
    else:
        yield {"items": held, "last": True}


def _plain(item: Any) -> Any:
    if isinstance(item, Document) and isinstance(item.content, Image):
        fields = {name: getattr(item.content, name) for name in Image.__slots__}
        fields |= {name: b64encode(fields[name]).decode() for name in BYTES_OF_IMAGES}
        return "image", item.source, item.url, fields
    if isinstance(item, Document):
        content = item.content
        if isinstance(content, Pair):
            return "pair", item.source, (content.input, content.output), item.url, item.label
        if isinstance(content, Preference):
            ways = (content.prompt, content.chosen, content.rejected)
            return "preference", item.source, ways, item.url, item.label
        return "document", item.source, content, item.url, item.label
    if isinstance(item, Rejected):
        return "rejected", item.source, item.reason, item.detail
    return tuple(item) if isinstance(item, tuple) else item


if __name__ == "__main__":
    main()

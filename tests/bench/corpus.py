"""Real documents that any machine has: what lies under /usr/share/doc, and the docstrings and sources of Python's
libraries. In an order that depends on the documents alone, as JSON Lines.
"""

from __future__ import annotations

import ast
import gzip
import hashlib
import json
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

SHORTEST, LONGEST = 200, 60_000  # characters
DOC = Path("/usr/share/doc")
PLAIN = {"", ".txt", ".md", ".rst", ".gz", ".html"}


def write(path: Path, size_bytes: int) -> int:
    """At most so many bytes of them into ``path``; returns how many bytes of text there are."""
    if path.exists():
        return path.stat().st_size
    rows = sorted(_rows(), key=lambda row: row[0])
    written = 0
    with path.with_suffix(".partial").open("wb") as file:
        for _, line in rows:
            if written + len(line) > size_bytes:
                break
            file.write(line)
            written += len(line)
    path.with_suffix(".partial").replace(path)
    return written


def texts(path: Path) -> Iterator[str]:
    """The texts of what :func:`write` wrote."""
    with path.open("rb") as lines:
        for line in lines:
            yield json.loads(line)["text"]


def _rows() -> Iterator[tuple[bytes, bytes]]:
    for source, text in _documents():
        for at in range(0, len(text), LONGEST):
            piece = text[at : at + LONGEST]
            if len(piece) >= SHORTEST and "\0" not in piece:
                line = json.dumps({"text": piece, "source": f"{source}:{at}"}, ensure_ascii=False).encode() + b"\n"
                yield hashlib.sha256(line).digest(), line


def _documents() -> Iterator[tuple[str, str]]:
    for path in sorted(DOC.rglob("*")):
        if path.suffix in PLAIN and path.is_file() and not path.is_symlink():
            try:
                data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
                yield str(path), data.decode("utf-8")
            except (OSError, EOFError, UnicodeDecodeError):
                continue
    library = Path(sysconfig.get_path("stdlib"))
    for root in (library, Path("/usr/lib/python3"), Path("/usr/lib/python3.11")):
        for path in sorted(root.rglob("*.py")):
            try:
                text = path.read_text("utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            yield str(path), text
            if "-packages" not in str(path):
                yield from _docstrings(path, text)


def _docstrings(path: Path, text: str) -> Iterator[tuple[str, str]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(module):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found = ast.get_docstring(node)
            if found:
                yield f"{path}:{getattr(node, 'lineno', 0)}", found

"""Reading the small files in which a kernel tells about itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_refused: ContextVar[dict[str, str] | None] = ContextVar("refused", default=None)


@contextmanager
def refusals() -> Iterator[dict[str, str]]:
    """While it lasts, what may not be read is noted: ``{path: reason}``.

    A file that is not there is no refusal, and neither is one whose device has nothing to say: a
    network card without a link answers "Invalid argument" to a question for its speed.
    """
    found: dict[str, str] = {}
    token = _refused.set(found)
    try:
        yield found
    finally:
        _refused.reset(token)


def _note(path: Path, error: OSError) -> None:
    found = _refused.get()
    if found is not None and isinstance(error, PermissionError):
        found[str(path)] = error.strerror or "permission denied"


def read(path: Path) -> str | None:
    """The stripped text of a file, or None if it is not there or will not be read (a sysfs file may
    exist and answer with an error)."""
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError as error:
        _note(path, error)
        return None


def read_int(path: Path) -> int | None:
    """The number in a file, decimal or ``0x``, or None."""
    try:
        return int(read(path) or "", 0)
    except ValueError:
        return None


def children(folder: Path, pattern: str = "*") -> list[Path]:
    """What lies in a folder and matches, in natural order: ``node2`` before ``node10``."""
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError as error:
        _note(folder, error)
        return []
    found = [folder / name for name in names if pattern == "*" or Path(name).match(pattern)]
    return sorted(found, key=lambda path: (len(path.name), path.name))


def there(path: Path) -> bool:
    """Whether something is there, and may be looked at."""
    try:
        return path.exists()
    except OSError as error:
        _note(path, error)
        return False


def target(link: Path) -> str | None:
    """The name of what a link leads to, such as a device's driver, or None."""
    return link.resolve().name if there(link) else None


def parse_size(text: str | None) -> int | None:
    """Bytes of a size such as ``32K`` or ``8M``, as in the cache folders of sysfs, or None."""
    if not text:
        return None
    unit = {"K": 2**10, "M": 2**20, "G": 2**30}.get(text[-1].upper())
    digits = text[:-1] if unit else text
    return int(digits) * (unit or 1) if digits.isdigit() else None


def parse_list(text: str | None) -> list[int]:
    """The numbers of a kernel list such as ``0-3,8,10-11``
    (https://docs.kernel.org/admin-guide/kernel-parameters.html#cpu-lists)."""
    numbers: list[int] = []
    for part in (text or "").split(","):
        first, dash, last = part.strip().partition("-")
        if first.isdigit() and (last.isdigit() or not dash):
            numbers += range(int(first), int(last or first) + 1)
    return numbers


def chosen(text: str | None) -> str | None:
    """The word in brackets of a choice such as ``always [madvise] never``, or None."""
    _, bracket, rest = (text or "").partition("[")
    return rest.partition("]")[0] if bracket else None

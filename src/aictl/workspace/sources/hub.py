"""``hf:ORG/NAME[@REVISION]``: a repository of the Hugging Face hub, resolved to one commit.

The files are kept in the hub's own cache, which other tools share. Only data that can be loaded
without running code is taken: no pickles (``*.bin``, ``*.pt``, ``*.ckpt``), no Python.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from aictl.core import extras
from aictl.core.artifact import Source
from aictl.core.errors import AictlError, BadInput, BadRequest, Damaged, MachineLacks, NotFound, TryLater
from aictl.core.events import Events
from aictl.core.walk import regular_files
from aictl.workspace.sources.path import digest

MODEL_FILES = [
    "*.safetensors",
    "*.json",
    "*.jinja",
    "*.model",
    "merges.txt",
    "vocab.txt",
    "*.gguf",
    "*.onnx",
    "*.onnx_data",
    "*.onnx.data",
    "*.md",
    "LICENSE*",
]
DATASET_FILES = [
    "*.jsonl",
    "*.jsonl.gz",
    "*.jsonl.zst",
    "*.parquet",
    "*.csv",
    "*.tsv",
    "*.json",
    "*.txt",
    "*.txt.gz",
    "*.md",
    "*.rst",
    "*.html",
    "*.yml",
    "*.yaml",
    "LICENSE*",
]

_URI = re.compile(r"hf:(?P<data>datasets/)?(?P<repo>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<revision>[\w./-]+))?")
_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
_COMMIT = re.compile(r"[0-9a-f]{40}")


def pinned(uri: str) -> dict[str, str]:
    """Repository and commit if a full commit was given."""
    found = _parse(uri)
    commit = found["revision"] or ""
    kind = "dataset" if found["data"] else "model"
    return {"repo": found["repo"], "repo_type": kind, "commit": commit} if _COMMIT.fullmatch(commit) else {}


def resolve(uri: str, *, hash_file: Callable[[Path], str], events: Events, before_fetch: Callable[[], None]) -> Source:
    """The files of a repository at the commit that its revision stands for now, which the hub is
    asked after ``before_fetch``.

    A full commit that was fetched before needs no network. Raises :class:`ExtraMissing` without
    huggingface_hub, :class:`NotFound` for an unknown repository or revision, :class:`BadRequest` for
    one that needs a login, :class:`TryLater` when the hub cannot be reached.
    """
    found = _parse(uri)
    extras.require("hub")
    before_fetch()
    repo, revision = found["repo"], found["revision"] or "main"
    kind, patterns = ("dataset", DATASET_FILES) if found["data"] else ("model", MODEL_FILES)
    task = f"fetch {uri}"
    events.started(task)
    folder, commit = _snapshot(uri, repo, kind, revision, patterns)
    events.finished(task)
    facts = {"repo": repo, "repo_type": kind, "revision": revision, "commit": commit}
    lost: dict[str, str] = {}
    found_files = list(regular_files(folder, lost.__setitem__))
    if lost:
        name, reason = next(iter(lost.items()))
        raise Damaged(
            f"'{uri}': {name} in {folder} is lost: {reason}", cure="remove that folder, and it is fetched again"
        )
    # Other tools may have put more files of the repository there: only those that are taken count.
    files = [one for one in found_files if any(fnmatch(one.relative, form) for form in patterns)]
    if not files:
        raise BadInput(f"'{uri}' holds no files that are taken", cure=f"taken are {', '.join(patterns)}")
    return Source(uri, folder, digest(files, hash_file), facts)


def _parse(uri: str) -> re.Match[str]:
    found = _URI.fullmatch(uri)
    if found is None:
        raise BadRequest(
            f"'{uri}' is not of the form hf:ORG/NAME[@REVISION]", cure="hf:ORG/NAME, or hf:datasets/ORG/NAME"
        )
    return found


def _snapshot(uri: str, repo: str, kind: str, revision: str, patterns: list[str]) -> tuple[Path, str]:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import huggingface_hub
    from huggingface_hub import errors
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()

    try:
        commit = revision
        if not _COMMIT.fullmatch(revision):
            info = huggingface_hub.HfApi().repo_info(repo, repo_type=kind, revision=revision, timeout=30)
            commit = str(info.sha)
        folder = huggingface_hub.snapshot_download(repo, repo_type=kind, revision=commit, allow_patterns=patterns)
        return Path(folder), commit
    except Exception as error:
        raise _explained(uri, error, errors) from error


def _explained(uri: str, error: Exception, errors: Any) -> AictlError:
    """The error of our family that says the same."""
    said = str(error).strip().partition("\n")[0]
    if isinstance(error, OSError) and error.errno in _UNWRITABLE:
        return MachineLacks(
            f"'{uri}' cannot be kept: {said}", cure="HF_HOME=FOLDER names one with room that can be written"
        )
    if isinstance(error, errors.GatedRepoError):
        return BadRequest(f"'{uri}' is open only to those who were granted access: {said}", cure="hf auth login")
    if isinstance(error, errors.RevisionNotFoundError):
        return NotFound(f"'{uri}': no such revision: {said}")
    if isinstance(error, errors.RepositoryNotFoundError):
        return NotFound(
            f"'{uri}': no such repository, or a private one: {said}", cure="check the spelling, or hf auth login"
        )
    if isinstance(error, (errors.HFValidationError, ValueError)) and not isinstance(
        error, errors.LocalEntryNotFoundError
    ):
        return BadRequest(f"'{uri}': {said}", cure="hf:ORG/NAME[@REVISION]")
    return TryLater(
        f"'{uri}': the hub cannot be reached: {said}",
        cure="run it again when there is a network (and HF_HUB_OFFLINE is not set), or give a local folder",
    )

"""The workspace as a folder: finding it, making it, and the names of the places inside it.

    aictl.toml                 settings, and the mark of a workspace
    artifacts/KIND/NAME.ref    the id of what NAME stands for now: a regular file, for make
    artifacts/KIND/NAME@N      the artifact itself: a link into the store
    .aictl/store/KIND/...      every artifact, whole or not there
    .aictl/making/KEY/         what is being made, and what an interrupted run left to go on from
    .aictl/lock                held together by whoever looks artifacts up and names them, and
                               alone by whoever removes any
    .aictl/pulled              which artifacts came from a store, and from which
    .aictl/locks/  .aictl/journal/  .aictl/digests

A workspace is a local POSIX folder: renames are atomic and file locks are real.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from aictl.core.errors import BadRequest, MachineLacks, NotFound

CONFIG_NAME = "aictl.toml"
ENVIRONMENT = "AICTL_WORKSPACE"

_CONFIG = """\
# Settings of this workspace. A table is a command, a key is one of its options:
#
#   [train]
#   preset = "tiny"
#
#   [finetune.lora]
#   rank = 8
#
# Environment variables (AICTL_TRAIN_PRESET) and the command line come before what stands here;
# `aictl config show` says what is in force, and from where.
"""
_IGNORE = "# Made by aictl: large, and made again from what is kept.\n.aictl/\nartifacts/\n"


class Project:
    """The places inside one workspace, whose root is ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.config_path = self.root / CONFIG_NAME
        self.names = self.root / "artifacts"
        self.state = self.root / ".aictl"
        self.store = self.state / "store"
        self.making = self.state / "making"
        self.locks = self.state / "locks"
        self.lock = self.state / "lock"
        self.journal = self.state / "journal"
        self.digests = self.state / "digests"
        self.pulled = self.state / "pulled"


def find(start: Path | None = None) -> Project | None:
    """The workspace to use: ``AICTL_WORKSPACE``, or the nearest one from ``start`` upwards.

    Raises :class:`NotFound` if the variable names a folder that is no workspace.
    """
    if start is None and (named := os.environ.get(ENVIRONMENT)):
        return at(Path(named), f"{ENVIRONMENT}={named}")
    here = (start or Path.cwd()).resolve()
    return next((Project(place) for place in (here, *here.parents) if _is_workspace(place)), None)


def at(root: Path, named_by: str) -> Project:
    """The workspace in exactly this folder. Raises :class:`NotFound` if there is none."""
    if not _is_workspace(root):
        raise NotFound(f"{named_by}: no workspace there (no {CONFIG_NAME})", cure=f"aictl init {root}")
    return Project(root)


def require(named: Path | None = None) -> Project:
    """The workspace that was named, or the nearest. Raises :class:`NotFound`, saying how to make one."""
    if named is not None:
        return at(named, f"--workspace {named}")
    if project := find():
        return project
    raise NotFound(f"no workspace in {Path.cwd()} or above it", cure="aictl init NAME && cd NAME")


def _is_workspace(folder: Path) -> bool:
    # os.path says False where nobody may look; pathlib raises.
    return os.path.isfile(folder / CONFIG_NAME)  # noqa: PTH113


def create(folder: Path) -> Project:
    """Make ``folder`` a workspace, keeping whatever lies in it. A workspace that cannot be finished
    leaves nothing behind.

    Raises :class:`BadRequest` if it already is one or cannot become one, and :class:`MachineLacks`
    if it cannot be written.
    """
    if os.path.lexists(folder) and not os.path.isdir(folder):  # noqa: PTH112  (nobody may look)
        raise BadRequest(f"{folder} is no folder", cure="name a folder, or one that does not exist yet")
    if _is_workspace(folder):
        raise BadRequest(f"{folder} is a workspace already", cure=f"cd {folder}")
    project = Project(folder)
    draft = project.state / CONFIG_NAME
    made: list[Path] = []
    try:
        for place in (project.names, project.store):
            for each in (*reversed(place.parents), place):
                if not each.is_dir():
                    each.mkdir()
                    made.append(each)
        draft.unlink(missing_ok=True)  # of a run that was killed
        for path, text in ((project.lock, ""), (project.root / ".gitignore", _IGNORE), (draft, _CONFIG)):
            if not os.path.lexists(path):
                with path.open("x", encoding="utf-8") as file:
                    made.append(path)
                    file.write(text)
        # The mark of a workspace comes last and whole: a kill before it leaves only empty folders.
        draft.replace(project.config_path)
    except OSError as error:
        for path in reversed(made):
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        raise _not_made(folder, error) from error
    return project


def _not_made(folder: Path, error: OSError) -> BadRequest | MachineLacks:
    place = error.filename or folder
    if isinstance(error, FileExistsError | NotADirectoryError):
        return BadRequest(
            f"{place} is a file, and a workspace keeps what is its own in a folder of that name",
            cure="move it away, or name another folder",
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return MachineLacks(
            f"the disk that holds {folder} is full",
            cure="free some space there, or name a folder on another disk: aictl init FOLDER",
        )
    return MachineLacks(
        f"{place} cannot be written: {error.strerror}", cure="name a folder that you may write to: aictl init FOLDER"
    )

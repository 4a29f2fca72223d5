"""The checkpoints of a run that is under way: written beside training, whole or not there.

Each is a folder ``step-0000120`` with ``state.safetensors``, or with the shards of several processes (see
``training.sharded``), and, written last, ``manifest.json``, which has each file's size and CRC-32. A folder takes its
name only once it is whole and on the disk. The last few are kept, so that where the newest does not match its manifest
the one before it is gone on from, and the best, if it is asked for.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from safetensors.torch import save_file

from aictl.core.events import Events
from aictl.training.state import State, disk, facts_of

FOLDER_NAME = "checkpoints"
STATE_NAME = "state.safetensors"
MANIFEST_NAME = "manifest.json"
LATEST, BEST = "step", "best"
_BLOCK_BYTES = 2**22


class Checkpoints:
    """Those in ``folder``, of which the last ``keep`` stay. One at a time is being written, by a thread of its own:
    training waits only while the state is copied, and for the one before it to be done."""

    def __init__(self, folder: Path, keep: int) -> None:
        self._folder = folder
        self._keep = keep
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._writing: Future[None] | None = None
        folder.mkdir(exist_ok=True)

    def newest(self, events: Events) -> Path | None:
        """The state to go on from, its file or the folder of its shards: the newest that is whole. What is torn is
        told, and removed."""
        return self._found(LATEST, events)

    def best(self, events: Events) -> Path | None:
        """The state with the lowest held-out loss so far, if it was kept."""
        return self._found(BEST, events)

    def _found(self, kind: str, events: Events) -> Path | None:
        for folder in sorted(self._folder.glob(f"{kind}-*"), reverse=True):
            if is_whole(folder):
                return folder / STATE_NAME if (folder / STATE_NAME).exists() else folder
            events.noted(f"checkpoint {folder.name} is torn, and the one before it is looked for", "warning")
            shutil.rmtree(folder)
        return None

    @property
    def busy(self) -> bool:
        return self._writing is not None and not self._writing.done()

    def save(self, state: State, *, best: bool = False) -> None:
        """Write a state beside what goes on, under its step or as the best. Raises :class:`MachineLacks` if the one
        before it could not be written."""
        self.finish()
        self._writing = self._writer.submit(self._write, state, self._target(state, best), 1 if best else self._keep)

    def _target(self, state: State, best: bool) -> Path:
        return self._folder / f"{BEST if best else LATEST}-{int(facts_of(state)['step']):09d}"

    def finish(self) -> None:
        """Wait until what is being written is. Raises :class:`MachineLacks` if it could not be."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def _write(self, state: State, target: Path, keep: int) -> None:
        with disk(target):
            partial = begin(target)
            save_file(state.tensors, partial / STATE_NAME, metadata=state.header)
            complete(target, {STATE_NAME: settled(partial / STATE_NAME)}, keep)


def begin(target: Path) -> Path:
    """The empty folder in which a checkpoint is written before it takes its name."""
    partial = target.with_name("partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    return partial


def settled(path: Path) -> dict[str, int]:
    """Bring a file to the disk; what the manifest says of it."""
    _sync(path)
    return {"size_bytes": path.stat().st_size, "crc32": _crc32(path)}


def complete(target: Path, manifest: Mapping[str, Mapping[str, int]], keep: int) -> None:
    """Give a checkpoint whose files are on the disk its name, and remove all but the last ``keep`` of its kind."""
    partial = target.with_name("partial")
    (partial / MANIFEST_NAME).write_text(json.dumps(manifest) + "\n")
    _sync(partial / MANIFEST_NAME)
    _sync(partial)
    if target.exists():  # a run that went on from an older one comes by here again, with the same
        shutil.rmtree(target)
    partial.rename(target)
    _sync(target.parent)
    for old in sorted(target.parent.glob(f"{target.name.partition('-')[0]}-*"))[:-keep]:
        shutil.rmtree(old)


def is_whole(folder: Path) -> bool:
    """Whether a checkpoint's file is as its manifest says."""
    try:
        for name, facts in json.loads((folder / MANIFEST_NAME).read_text()).items():
            path = folder / name
            if path.stat().st_size != facts["size_bytes"] or _crc32(path) != facts["crc32"]:
                return False
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return True


def _crc32(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            value = zlib.crc32(block, value)
    return value


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

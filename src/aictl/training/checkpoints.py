"""The checkpoints of a run that is under way: written beside training, whole or not there.

Each is a folder ``step-0000120`` with ``state.safetensors`` and, written last, ``manifest.json``, which has the file's
size and CRC-32. A folder takes its name only once it is whole and on the disk. The last few are kept, so that where the
newest does not match its manifest the one before it is gone on from, and the best, if it is asked for.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
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
        """The state to go on from: the newest that is whole. What is torn is told, and removed."""
        return self._found(LATEST, events)

    def best(self, events: Events) -> Path | None:
        """The state with the lowest held-out loss so far, if it was kept."""
        return self._found(BEST, events)

    def _found(self, kind: str, events: Events) -> Path | None:
        for folder in sorted(self._folder.glob(f"{kind}-*"), reverse=True):
            if is_whole(folder):
                return folder / STATE_NAME
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
        kind = BEST if best else LATEST
        target = self._folder / f"{kind}-{int(facts_of(state)['step']):09d}"
        self._writing = self._writer.submit(self._write, state, target, 1 if best else self._keep)

    def finish(self) -> None:
        """Wait until what is being written is. Raises :class:`MachineLacks` if it could not be."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def _write(self, state: State, target: Path, keep: int) -> None:
        partial = target.with_name("partial")
        with disk(target):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            save_file(state.tensors, partial / STATE_NAME, metadata=state.header)
            _sync(partial / STATE_NAME)
            manifest = {STATE_NAME: {"size_bytes": (partial / STATE_NAME).stat().st_size}}
            manifest[STATE_NAME]["crc32"] = _crc32(partial / STATE_NAME)
            (partial / MANIFEST_NAME).write_text(json.dumps(manifest) + "\n")
            _sync(partial / MANIFEST_NAME)
            _sync(partial)
            if target.exists():  # a run that went on from an older one comes by here again, with the same
                shutil.rmtree(target)
            partial.rename(target)
            _sync(self._folder)
        for old in sorted(self._folder.glob(f"{target.name.partition('-')[0]}-*"))[:-keep]:
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

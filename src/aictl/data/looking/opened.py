"""What was given to be looked at, as a dataset: one of the workspace, the folder of one, or a file of JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import orjson

from aictl.artifacts.dataset import Dataset, Format
from aictl.core.artifact import RECORD_NAME, Record, Source
from aictl.core.errors import BadInput, MachineLacks

SPLIT = "train"  # the one split that the documents of a file stand in
LINES = (".jsonl", ".ndjson")
_CHUNK_BYTES = 2**20
_BREAK = 0x0A
_FIRST_BYTES = 2**24  # within which the first line of a file has to end


def opened(given: Dataset | Source) -> Dataset:
    """The dataset that was given, or one over a source as it lies there: nothing is copied, and no more of it is read
    than its first line. Raises :class:`BadInput` for what is no dataset."""
    if isinstance(given, Dataset):
        return given
    path = given.path
    try:
        if (path / "dataset.json").is_file():
            record = Record.read(path) if (path / RECORD_NAME).is_file() else None
            return Dataset(path, record=record, name=path.name)
        if path.suffix in LINES and path.is_file():
            return Lines(path)
    except PermissionError as error:
        raise MachineLacks(f"{given.uri} cannot be read: {error.strerror}") from None
    what = "a folder without dataset.json" if path.is_dir() else f"no file of JSON Lines ({' or '.join(LINES)})"
    raise BadInput(
        f"{given.uri} is no dataset: it is {what}", cure=f"`aictl data prep {given.uri} --name NAME` makes one of it"
    )


class Lines(Dataset):
    """A file of JSON Lines as it stands: one split, one shard. Blank lines are no documents."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.parent, name=path.name)
        self.path = path

    @cached_property
    def format(self) -> Format:
        """As the first document is. Raises :class:`BadInput` if it is none."""
        with self.path.open("rb") as file:
            line = next((line for line in iter(lambda: file.readline(_FIRST_BYTES), b"") if line.strip()), b"")
        if not line:
            raise BadInput(f"{self.path} is empty", cure="give a file that holds documents")
        try:
            first = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise BadInput(f"{self.path}: its first line is no JSON: {error.msg}", cure=self._cure) from None
        if isinstance(first, dict) and isinstance(first.get("messages"), list):
            return "chat"
        if isinstance(first, dict) and isinstance(first.get("text"), str):
            return "text"
        if isinstance(first, dict) and isinstance(first.get("input"), str) and isinstance(first.get("output"), str):
            return "pair"
        if isinstance(first, dict) and all(
            isinstance(first.get(one), list) for one in ("prompt", "chosen", "rejected")
        ):
            return "preference"
        fields = ", ".join(sorted(map(str, first))[:8]) if isinstance(first, dict) and first else "none"
        raise BadInput(f"{self.path} has neither 'text' nor 'messages' in its first line: {fields}", cure=self._cure)

    @property
    def _cure(self) -> str:
        return f"`aictl data prep {self.path} --name NAME` reads other shapes, with --text-field other fields too"

    @cached_property
    def splits(self) -> Mapping[str, int]:
        return _Counted(self)

    @cached_property
    def lines(self) -> tuple[int, int]:
        """How many lines there are, and how many of them are empty; all of the file is read for it."""
        count = empty = 0
        before = b"\n"
        with self.path.open("rb", buffering=0) as file:
            while chunk := file.read(_CHUNK_BYTES):
                breaks = np.frombuffer(before + chunk, np.uint8) == _BREAK
                count += int(np.count_nonzero(breaks[1:]))
                empty += int(np.count_nonzero(breaks[1:] & breaks[:-1]))
                before = chunk[-1:]
        return count + (before != b"\n"), empty

    def shards(self, split: str) -> list[Path]:
        return [self.path] if split == SPLIT else []


class _Counted(Mapping[str, int]):
    """The one split of a file; its documents are counted only when their number is asked for."""

    def __init__(self, dataset: Lines) -> None:
        self._dataset = dataset

    def __getitem__(self, split: str) -> int:
        if split != SPLIT:
            raise KeyError(split)
        count, empty = self._dataset.lines
        return count - empty

    def __contains__(self, split: object) -> bool:
        return split == SPLIT

    def __iter__(self) -> Iterator[str]:
        return iter([SPLIT])

    def __len__(self) -> int:
        return 1

"""dataset: documents, conversations or pictures, in order, in named splits.

Files: ``dataset.json`` (format and counts), ``SPLIT-NNNNN.jsonl`` (one document a line), and
``rejected.jsonl`` for input that was set aside with its reason. A text document is
``{"text": ..., "source": ...}``, a conversation
``{"messages": [{"role": ..., "content": ...}], "source": ...}``; ``source`` says where in the raw
input it came from. A picture is ``{"image": "SHA256.png", "size_bytes": ..., "label": ..., "width": ..., "height": ...,
"mode": ..., "pixels": ..., "looks": ..., "source": ...}``, and its file lies in ``SPLIT-NNNNN.tar``, which has one for
every line of the shard beside it; ``labels.json`` names the labels in order. A labelled dataset of texts has
``label`` and ``confidence`` in every document (null where nothing is known) and ``labels.json``, which says of
the labels and of what gave them. Where a document was found on the web is its ``url``. ``tokens/`` holds the
documents as token ids, if they were packed.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Literal

from aictl.artifacts import image_shards
from aictl.core.artifact import Artifact
from aictl.core.errors import Damaged, WrongKind

Format = Literal["text", "chat", "image", "pair", "preference"]
SHARD_BYTES = 64 * 2**20  # a shard is closed once it has grown past this
LABELS = "labels.json"
TOKENS = "tokens"
_BLOCK_BYTES = 2**20
_REJECTED = "rejected.jsonl"


class Dataset(Artifact):
    """Documents (``text``), conversations (``chat``) or pictures (``image``) with a train and a validation split."""

    kind = "dataset"
    about = "documents, conversations or pictures, split for training"

    @cached_property
    def _facts(self) -> dict[str, Any]:
        path = self.folder / "dataset.json"
        try:
            facts = json.loads(path.read_text("utf-8"))
            facts["format"], facts["splits"]
        except (OSError, ValueError, KeyError) as error:
            raise Damaged(f"{path}: {error}") from error
        return facts

    @property
    def format(self) -> Format:
        return self._facts["format"]

    @property
    def splits(self) -> Mapping[str, int]:
        """Number of documents in each split."""
        return self._facts["splits"]

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The labels that documents may have, in order; none in a dataset that was never labelled."""
        path = self.folder / LABELS
        try:
            return tuple(one["name"] for one in json.loads(path.read_text("utf-8"))["labels"]) if path.exists() else ()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Damaged(f"{path}: {error}") from error

    def shards(self, split: str) -> list[Path]:
        return sorted(self.folder.glob(f"{split}-*.jsonl"))

    def files(self, split: str) -> list[Path]:
        """The shards of a split, and the archives of pictures beside them."""
        shards = self.shards(split)
        return [*shards, *map(image_shards.archive_of, shards)] if self.format == "image" else shards

    def documents(self, split: str = "train") -> Iterator[dict[str, Any]]:
        """The documents of a split in order. Raises :class:`Damaged` at a line that is no JSON."""
        return (document for path in self.shards(split) for document in read_shard(path))

    def pictures(self, split: str = "train") -> Iterator[tuple[Mapping[str, Any], bytes]]:
        """The documents of a split in order, each with the file of its picture. Raises :class:`Damaged`, and
        :class:`WrongKind` for a dataset of something else."""
        self.require_format("image", cure="make one with `aictl data prep FOLDER --format image`")
        return (pair for path in self.shards(split) for pair in image_shards.pictures(path, read_shard(path)))

    def require_format(self, *wanted: Format, cure: str) -> None:
        """Raise :class:`WrongKind` unless the dataset is of a wanted format."""
        if self.format not in wanted:
            needed = " or ".join(wanted)
            raise WrongKind(f"dataset '{self.label}' is of format {self.format}, and {needed} is needed", cure=cure)

    def check(self) -> None:
        for split, count in self.splits.items():
            if count and not self.shards(split):
                raise Damaged(f"{self.folder}: split '{split}' should hold {count} documents and has no file")
            for shard in self.shards(split) if self.format == "image" else ():
                if not image_shards.archive_of(shard).is_file():
                    raise Damaged(f"{self.folder}: the pictures of {shard.name} are not there")

    def content(self, files: Mapping[str, Mapping[str, Any]]) -> str:
        """Hash of the format and of each split's documents in order, whatever the shards.

        The lines are hashed as they stand: :class:`DatasetWriter` writes a document in one way only. Those of pictures
        say the hashes of their files.
        """
        digest = hashlib.sha256(self.format.encode())
        for split in sorted(self.splits):
            digest.update(f"\n{split}\n".encode())
            for path in self.shards(split):
                with path.open("rb") as file:
                    while block := file.read(_BLOCK_BYTES):
                        digest.update(block)
        return digest.hexdigest()


def read_shard(path: Path) -> Iterator[dict[str, Any]]:
    """The documents of one shard in order. Raises :class:`Damaged` at a line that is no JSON."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise Damaged(f"{path}, line {number}: {error}") from error


class DatasetWriter:
    """Writes a dataset's files, shard by shard::

    with DatasetWriter(folder, "text") as writer:
        writer.add("train", {"text": ..., "source": ...})
    """

    def __init__(self, folder: Path, format: Format) -> None:
        self.folder = folder
        self.format = format
        self.counts: dict[str, int] = {}
        self.rejected = 0
        self._files: dict[str, IO[bytes]] = {}
        self._sizes: dict[str, int] = {}
        self._shards: dict[str, int] = {}
        self._archives: dict[str, IO[bytes]] = {}

    def __enter__(self) -> DatasetWriter:
        return self

    def add(self, split: str, document: Mapping[str, Any], image: bytes | None = None) -> None:
        """Append one document to a split, and of a picture its file."""
        line = _line(document)
        if image is None:
            self.add_lines(split, line, [len(line)])
        else:
            self.add_picture(split, line, image)

    def add_lines(self, split: str, lines: bytes | memoryview, ends: Sequence[int]) -> None:
        """Append documents that stand one after the other in ``lines`` as they will in a shard: JSON without spaces or
        escapes that need not be, and a line break. Each ends where ``ends`` says. Raises ``ValueError`` for
        pictures, which have files."""
        if self.format == "image":
            raise ValueError("a picture is added with its file")
        begin = first = 0
        while first < len(ends):
            file = self._shard(split)
            # As many as there is room for, the one that closes the shard included.
            last = min(bisect_left(ends, begin + SHARD_BYTES - self._sizes[split]) + 1, len(ends))
            end = int(ends[last - 1])
            file.write(lines[begin:end])
            self._sizes[split] += end - begin
            begin, first = end, last
        self.counts[split] = self.counts.get(split, 0) + len(ends)

    def add_picture(self, split: str, line: bytes, image: bytes) -> None:
        """Append the line of one picture, and its file. Raises ``ValueError`` in a dataset of something else."""
        if self.format != "image":
            raise ValueError(f"nothing in a dataset of format {self.format} has a file")
        self._shard(split).write(line)
        name = json.loads(line)["image"]
        self._sizes[split] += len(line) + self._archives[split].write(image_shards.member(name, image))
        self.counts[split] = self.counts.get(split, 0) + 1

    def _shard(self, split: str) -> IO[bytes]:
        """The shard of a split that has room."""
        if self._sizes.get(split, SHARD_BYTES) >= SHARD_BYTES:
            self._close(split)
            number = self._shards[split] = self._shards.get(split, -1) + 1
            path = self.folder / f"{split}-{number:05d}.jsonl"
            self._files[split] = path.open("wb", _BLOCK_BYTES)
            if self.format == "image":
                self._archives[split] = image_shards.archive_of(path).open("wb", _BLOCK_BYTES)
            self._sizes[split] = 0
        return self._files[split]

    def reject(self, source: str, reason: str) -> None:
        """Set one piece of input aside with its reason."""
        if _REJECTED not in self._files:
            self._files[_REJECTED] = (self.folder / _REJECTED).open("wb")
        self._files[_REJECTED].write(_line({"source": source, "reason": reason}))
        self.rejected += 1

    def _close(self, name: str) -> None:
        if name in self._files:
            self._files[name].close()
        if name in self._archives:
            self._archives[name].write(image_shards.END)
            self._archives[name].close()

    def __exit__(self, failed: object, *_: object) -> None:
        for name in self._files:
            self._close(name)
        if not failed:
            splits = dict(sorted(self.counts.items()))
            facts = {"format": self.format, "splits": splits, "rejected": self.rejected}
            (self.folder / "dataset.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _line(value: Mapping[str, Any]) -> bytes:
    """One document as it stands in a shard: the same document always gives the same bytes, which is
    what :meth:`Dataset.content` hashes."""
    return _encode(value).encode("utf-8") + b"\n"

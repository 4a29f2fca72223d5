"""Raw files to a dataset: read, clean, drop what is double, split.

The files stream: what is held is one block or one record, and 16 bytes per document that was seen.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from aictl.artifacts.dataset import Dataset, DatasetWriter, Format
from aictl.core.artifact import Source
from aictl.core.errors import BadInput
from aictl.core.events import Events
from aictl.data.cleaning import BadUnicode, clean
from aictl.data.documents import Document, HoldsNoDocuments, InputFile, Items, Message, Rejected, Unreadable
from aictl.data.intake import decide_format, list_files, nothing_to_read, suffix_counts
from aictl.data.readers import reader_for
from aictl.data.spec import PrepSpec
from aictl.data.splitting import Splitter, pieces

NAMED_REJECTIONS = 5  # how many are named in an error or a note
TELL_EVERY_S = 0.25


def prepare(inputs: Sequence[Source | Dataset], spec: PrepSpec, folder: Path, events: Events) -> Dataset:
    """Make a dataset of raw sources and other datasets, in the order in which they are given.

    Raises :class:`BadInput` if there is nothing to read, nothing is left, too much of it cannot be
    read (``max_rejected``, or anything at all with ``strict``), or it is too small to split.
    """
    datasets = [one for one in inputs if isinstance(one, Dataset)]
    sources = [one for one in inputs if not isinstance(one, Dataset)]
    files = list_files(sources, spec) if sources else []
    format = _format(files, datasets, spec)
    with DatasetWriter(folder, format) as writer:
        work = _Preparation(spec, format, writer)
        task = "read"
        events.started(task, float(sum(file.size_bytes for file in files)) or None, "bytes")
        told = time.monotonic()
        for begin, end, items in _items(datasets, files, format, work):
            taken = 0
            for item in items:
                taken += work.take(item)
                if time.monotonic() > told + TELL_EVERY_S:
                    told = time.monotonic()
                    events.advanced(task, min(begin + taken, end))
        events.finished(task)
        work.close(files)
    for note in work.notes():
        events.noted(note, "warning" if work.rejected else "info")
    metrics = work.metrics()
    splits = ", ".join(f"{count:,} {name}" for name, count in metrics["splits"].items())
    what = "conversations" if format == "chat" else "documents"
    return Dataset(folder, metrics=metrics, summary=f"{splits} {what}, {metrics['characters']:,} characters")


def _format(files: list[InputFile], datasets: list[Dataset], spec: PrepSpec) -> Format:
    format: Format = datasets[0].format if datasets and spec.format == "auto" else decide_format(files, spec)
    for dataset in datasets:
        dataset.require_format(format, cure="prepare datasets of one format together")
    return format


def _items(
    datasets: list[Dataset], files: list[InputFile], format: Format, work: _Preparation
) -> Iterator[tuple[int, int, Items]]:
    """``(bytes of files before it, bytes after it, items)`` of every dataset and every file."""
    for dataset in datasets:
        yield 0, 0, _of_dataset(dataset)
    done = 0
    for file in files:
        yield done, done + file.size_bytes, work.read(file)
        done += file.size_bytes


def _of_dataset(dataset: Dataset) -> Items:
    field = "messages" if dataset.format == "chat" else "text"
    for split in dataset.splits:
        for document in dataset.documents(split):
            yield Document(document["source"], document[field])


class _Preparation:
    """One run: what it has seen, counted, and passed on."""

    def __init__(self, spec: PrepSpec, format: Format, writer: DatasetWriter) -> None:
        self.spec = spec
        self.format = format
        self.writer = writer
        self.rejected: Counter[str] = Counter()
        self._first_rejected: list[Rejected] = []
        self._skipped: list[InputFile] = []
        self._cleaned: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._seen: set[bytes] = set()
        self._splitter = Splitter(self._write, spec.validation_fraction, spec.seed)

    def read(self, file: InputFile) -> Items:
        """What is in a file; one that as a whole is of no use is counted as such."""
        reader = reader_for(file, self.format)
        if reader is None:
            self._skipped.append(file)
            return
        self._counts["files"] += 1
        try:
            yield from reader(file, self.spec)
        except Unreadable as error:
            yield error.rejected(file)
        except HoldsNoDocuments:
            self._counts["files"] -= 1
            self._skipped.append(file)

    def take(self, item: Document | Rejected) -> int:
        """Clean one document and pass it on, unless it is too short, double or unusable. Returns
        how many characters it had."""
        if isinstance(item, Rejected):
            self._reject(item)
            return 0
        if isinstance(item.content, str):
            for number, (_, piece) in enumerate(pieces(item.content, self.spec.max_chars), 1):
                self._take_text(piece, item.source if number == 1 else f"{item.source}#{number}")
            return len(item.content)
        self._take_conversation(item.content, item.source)
        return sum(len(turn["content"]) for turn in item.content)

    def _take_conversation(self, turns: list[Message], source: str) -> None:
        try:
            messages = [{"role": one["role"], "content": clean(one["content"], self._cleaned)} for one in turns]
        except BadUnicode as error:
            self._reject(Rejected(source, "bad Unicode", str(error)))
            return
        if not all(one["content"] for one in messages):
            self._reject(Rejected(source, "empty message"))
            return
        self._counts["in"] += 1
        content = json.dumps(messages, ensure_ascii=False, separators=(",", ":"))
        characters = sum(len(one["content"]) for one in messages)
        self._keep(content, characters, {"messages": messages, "source": source})

    def _take_text(self, text: str, source: str) -> None:
        try:
            text = clean(text, self._cleaned)
        except BadUnicode as error:
            self._reject(Rejected(source, "bad Unicode", str(error)))
            return
        self._counts["in"] += 1
        if len(text) < max(1, self.spec.min_chars):
            self._counts["too_short" if text else "empty"] += 1
            return
        self._keep(text, len(text), {"text": text, "source": source})

    def _keep(self, content: str, characters: int, document: dict[str, Any]) -> None:
        digest = hashlib.blake2b(content.encode(), digest_size=16).digest()
        if digest in self._seen:
            self._counts["duplicates"] += 1
            return
        self._seen.add(digest)
        self._counts["characters"] += characters
        self._splitter.add(digest, document)

    def _write(self, split: str, document: dict[str, Any]) -> None:
        self.writer.add(split, document)

    def _reject(self, item: Rejected) -> None:
        if self.spec.strict:
            raise BadInput(str(item), cure="mend it, or leave out --strict to have it set aside")
        self.rejected[item.reason] += 1
        if len(self._first_rejected) < NAMED_REJECTIONS:
            self._first_rejected.append(item)
        self.writer.reject(item.source, item.why)

    def close(self, files: list[InputFile]) -> None:
        """Pass on what waits for the split, and raise :class:`BadInput` if the result is no good."""
        bad, good = self.rejected.total(), self._counts["in"]
        if bad and (not good or bad > self.spec.max_rejected * (bad + good)):
            raise BadInput(
                f"{bad:,} of {bad + good:,} documents cannot be used: {self._named()}",
                cure="mend them, --exclude their files, or raise --max-rejected",
            )
        named = next((file for file in self._skipped if file.named), None)
        if named or not good:
            raise nothing_to_read([named] if named else self._skipped or files, self.spec)
        if not self._seen:
            raise BadInput(
                f"nothing is left of {good:,} documents: {self._counts['too_short']:,} are shorter than "
                f"{self.spec.min_chars} characters and {self._counts['empty']:,} are empty",
                cure="lower --min-chars" if self._counts["too_short"] else "give files with content",
            )
        if not self._splitter.close():
            cut = f", --max-chars {self._counts['characters'] // 4 or 1}" if self.format == "text" else ""
            raise BadInput(
                "one document is too few to split into train and validation",
                cure=f"give more{cut}, or --validation-fraction 0",
            )

    def _named(self) -> str:
        more = self.rejected.total() - len(self._first_rejected)
        return "; ".join(map(str, self._first_rejected)) + (f"; and {more:,} more" if more else "")

    def notes(self) -> Iterator[str]:
        if self._skipped:
            kinds = suffix_counts(self._skipped)
            yield f"left out {len(self._skipped):,} files that hold no {self.format} documents: {kinds}"
        if self.rejected:
            yield f"set aside {self.rejected.total():,} documents (rejected.jsonl has them all): {self._named()}"

    def metrics(self) -> dict[str, Any]:
        """The counts of the run, for the record."""
        counts = self._counts
        return {
            "documents": {
                "in": counts["in"] + self.rejected.total(),
                "out": sum(self.writer.counts.values()),
                "duplicates": counts["duplicates"],
                "too_short": counts["too_short"],
                "empty": counts["empty"],
                "rejected": self.rejected.total(),
            },
            "rejected": dict(sorted(self.rejected.items())),
            "cleaned": {
                name: self._cleaned[name] for name in ("newlines", "control_characters", "normalized", "trimmed")
            },
            "characters": counts["characters"],
            "splits": dict(sorted(self.writer.counts.items())),
            "files": {"read": counts["files"], "left_out": len(self._skipped)},
        }

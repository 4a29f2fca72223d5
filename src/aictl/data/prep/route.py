"""The way of documents through the steps: read, cleaned, sifted, kept.

Steps work on a block at a time and know nothing of each other; which there are, and in which order, the spec says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice
from typing import Any, NamedTuple

import numpy as np
import orjson

from aictl.artifacts.dataset import Format
from aictl.core.errors import BadInput
from aictl.data.cleaning import BadUnicode, clean
from aictl.data.cutting import pieces
from aictl.data.documents import Document, Message, Rejected
from aictl.data.duplicates.signatures import band_keys, bands_for, signatures
from aictl.data.prep.block import CHARACTERS, FIELDS, Block, text_of
from aictl.data.prep.shelf import Begun, Facts, Filled
from aictl.data.prep.spec import PrepSpec
from aictl.data.prep.streams import Began, Found, LeftOut, Stream, read
from aictl.data.prep.tally import Tally
from aictl.data.steps import c4, fineweb, gopher, gopher_repetition
from aictl.data.steps.contamination import Evaluation

CHUNK_CHARACTERS = 1 << 25
Step = Callable[[Block, Tally], Block]


class Job(NamedTuple):
    """What is done with every stream. ``evaluation`` is what no document may hold, if there is such."""

    format: Format
    spec: PrepSpec
    evaluation: Evaluation | None = None


def process(stream: Stream, job: Job, begun: Begun, advanced: Callable[[int], None]) -> Iterator[Filled]:
    """The chunks of a stream, from where it was left. ``advanced`` is told of characters that were read."""
    if begun.done:
        return
    items = islice(read(stream, job.format, job.spec.reading), begun.items, None)
    steps = [] if stream.reference else steps_of(job)
    for number in count(begun.chunks):
        chunk = _Chunk(stream, number, job, steps)
        last = chunk.fill(items, advanced)
        yield chunk.filled(last=last)
        if last:
            return


class _Chunk:
    """A chunk while it is filled."""

    def __init__(self, stream: Stream, number: int, job: Job, steps: Sequence[Step]) -> None:
        self.stream, self.number, self.steps = stream, number, steps
        self.format, self.spec = job.format, job.spec
        self.tally = Tally()
        self._cleaning = self.tally.of("clean")
        self.items = self.files = 0
        self.left_out: list[tuple[str, str, int, bool]] = []
        self.rejected: list[tuple[str, str, str]] = []
        self.lines: list[bytes] = []
        self.columns: dict[str, list[np.ndarray]] = {}
        self._waiting: list[Document] = []
        self._characters = 0
        self._source = 0

    def fill(self, items: Iterator[Found], advanced: Callable[[int], None]) -> bool:
        """Take items until there is enough; whether they have come to an end."""
        characters = 0
        for item in items:
            self.items += 1
            if isinstance(item, Document):
                size = self._take(item)
                characters += size
                advanced(size)
                if characters >= CHUNK_CHARACTERS:
                    self._through()
                    return False
            elif isinstance(item, Rejected):
                self.reject(item)
            elif isinstance(item, Began):
                self.files += item.file.part is None or item.file.part.begin == 0
                if item.source != self._source:
                    self._through()
                self._source = item.source
            elif isinstance(item, LeftOut):
                file = item.file
                self.left_out.append((file.name, file.suffix, file.size_bytes, file.named))
        self._through()
        return True

    def reject(self, item: Rejected) -> None:
        if self.spec.files.strict and not self.stream.reference:
            raise BadInput(str(item), cure="mend it, or leave out --strict to have it set aside")
        self.rejected.append((item.source, item.reason, item.detail))

    def _take(self, document: Document) -> int:
        """Cut a document and clean what it is cut into; the block goes on when it is full."""
        content, longest = document.content, self.spec.filters.max_chars
        if not isinstance(content, str):
            self._wait(document.source, content)
            return sum(len(turn["content"]) for turn in content)
        if not longest or len(content) <= longest:
            self._wait(document.source, content)
        else:
            for number, (_, piece) in enumerate(pieces(content, longest), 1):
                self._wait(document.source if number == 1 else f"{document.source}#{number}", piece)
        return len(content)

    def _wait(self, source: str, content: str | list[Message]) -> None:
        tally = self._cleaning
        try:
            if isinstance(content, str):
                cleaned: str | list[Message] = clean(content, tally.changed)
                before, after = len(content), len(cleaned)
            else:
                cleaned = [{**turn, "content": clean(turn["content"], tally.changed)} for turn in content]
                before, after = len(text_of(content)), len(text_of(cleaned))
        except BadUnicode as error:
            self.reject(Rejected(source, "bad Unicode", str(error)))
            return
        if not isinstance(cleaned, str) and not all(turn["content"] for turn in cleaned):
            self.reject(Rejected(source, "empty message"))
            return
        tally.documents_in += 1
        tally.documents_out += 1
        tally.characters_in += before
        tally.characters_out += after
        self._waiting.append(Document(source, cleaned))
        self._characters += after
        if self._characters >= CHARACTERS:
            self._through()

    def _through(self) -> None:
        """Send what waits through the steps, and keep what comes out."""
        if not self._waiting:
            return
        block = Block(self._waiting)
        self._waiting, self._characters = [], 0
        for step in self.steps:
            block = step(block, self.tally)
        if not len(block):
            return
        digests = [hashlib.sha256(content_bytes(one.content)).digest()[:16] for one in block.documents]
        columns = {
            "digests": np.frombuffer(b"".join(digests), "<u8").reshape(-1, 2),
            "characters": np.fromiter(map(len, block.texts), np.int64, len(block)),
            "sources": np.full(len(block), self._source, np.int32),
        }
        if similarity := self.spec.compared_at:
            smallest, counts = signatures(block.view.words, len(block))
            columns["keys"] = band_keys(smallest, counts, bands_for(similarity))
        for name, column in columns.items():
            self.columns.setdefault(name, []).append(column)
        field = FIELDS[self.format]
        self.lines += [orjson.dumps({field: one.content, "source": one.source}) + b"\n" for one in block.documents]

    def filled(self, *, last: bool) -> Filled:
        facts = Facts(
            stream=self.stream.number,
            number=self.number,
            items=self.items,
            last=last,
            documents=len(self.lines),
            tally=self.tally.to_json(),
            rejected=self.rejected,
            files=self.files,
            left_out=self.left_out,
        )
        return Filled(facts, self.lines, {name: np.concatenate(parts) for name, parts in self.columns.items()})


def content_bytes(content: str | list[Message]) -> bytes:
    """What two documents have in common that are the same."""
    return content.encode() if isinstance(content, str) else orjson.dumps(content)


# The steps


def steps_of(job: Job) -> list[Step]:
    """Every step that the spec asks for, in order."""
    steps: list[Step] = []
    filters = job.spec.filters
    if job.format == "text":
        steps.append(_length(filters.min_chars))
        steps += [_rules(name) for name in filters.quality]
    if job.evaluation:
        steps.append(_contamination(job.evaluation))
    return steps


def _length(min_chars: int) -> Step:
    def step(block: Block, tally: Tally) -> Block:
        reasons = [None if len(text) >= max(1, min_chars) else "too short" if text else "empty" for text in block.texts]
        return _dropped("length", block, reasons, tally)

    return step


_RULE_BOOKS: dict[str, Any] = {"gopher": gopher, "gopher-repetition": gopher_repetition, "fineweb": fineweb}


def _rules(name: str) -> Step:
    if name == "c4":
        return _c4

    def step(block: Block, tally: Tally) -> Block:
        return _dropped(name, block, _RULE_BOOKS[name].judge(block.view).names(), tally)

    return step


def _c4(block: Block, tally: Tally) -> Block:
    """Drops lines too, so that what is left is another text."""
    found = [c4.clean(text) for text in block.texts]
    reasons = [reason for _, reason, _ in found]
    documents = [Document(one.source, text) for one, (text, _, _) in zip(block.documents, found, strict=True)]
    after = Block(documents).without(reasons)
    step = tally.through("c4", block, after)
    tally.dropped("c4", block.documents, reasons)
    for _, _, lines in found:
        step.changed.update(lines)
    return after


def _contamination(evaluation: Evaluation) -> Step:
    def step(block: Block, tally: Tally) -> Block:
        reasons = [name and f"in {name}" for name in evaluation.judge(block.view)]
        return _dropped("contamination", block, reasons, tally)

    return step


def _dropped(name: str, block: Block, reasons: Sequence[str | None], tally: Tally) -> Block:
    after = block.without(reasons)
    tally.through(name, block, after)
    tally.dropped(name, block.documents, reasons)
    return after

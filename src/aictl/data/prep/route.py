"""The way of documents through the steps: read, cleaned, sifted, kept.

Which steps there are, and in which order, says :mod:`.steps`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count, islice
from typing import Any

import numpy as np
import orjson

from aictl.core.errors import BadInput
from aictl.data.cleaning import BadUnicode, clean
from aictl.data.cutting import pieces
from aictl.data.documents import Document, Image, Message, Rejected
from aictl.data.duplicates.signatures import band_keys, bands_for, signatures
from aictl.data.prep import looks
from aictl.data.prep.block import CHARACTERS, FIELDS, Block, text_of
from aictl.data.prep.shelf import Begun, Facts, Filled
from aictl.data.prep.steps import Job, Step, shown_of, steps_of
from aictl.data.prep.streams import Began, Found, LeftOut, Stream, read
from aictl.data.prep.tally import Tally

CHUNK_CHARACTERS = 1 << 25
MOST_REJECTED = 100_000  # in a chunk
MOST_LABEL_CHARACTERS = 255  # as many as a folder's name may have


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
        self.tally = Tally(shown_of(job.spec))
        self._cleaning = self.tally.of("clean")
        self.items = self.files = 0
        self.left_out: list[tuple[str, str, int, bool]] = []
        self.rejected: list[tuple[str, str, str]] = []
        self.lines: list[bytes] = []
        self.images: list[bytes] = []
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
                if len(self.rejected) >= MOST_REJECTED:
                    self._through()
                    return False
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
        if not isinstance(content, str) or not longest or len(content) <= longest:
            self._wait(document)
        else:
            for number, (_, piece) in enumerate(pieces(content, longest), 1):
                source = document.source if number == 1 else f"{document.source}#{number}"
                self._wait(Document(source, piece, document.url))
        return document.characters

    def _wait(self, document: Document) -> None:
        source, content, tally = document.source, document.content, self._cleaning
        if isinstance(content, Image):
            self._wait_picture(document, content)
            return
        try:
            if isinstance(content, str):
                cleaned: str | list[Message] = clean(self._repaired(source, content), tally.changed)
                before, after = len(content), len(cleaned)
            else:
                cleaned = [
                    {**turn, "content": clean(self._repaired(source, turn["content"]), tally.changed)}
                    for turn in content
                ]
                before, after = len(text_of(content)), len(text_of(cleaned))
        except BadUnicode as error:
            self.reject(Rejected(source, "bad Unicode", str(error)))
            return
        if not isinstance(cleaned, str) and not all(turn["content"] for turn in cleaned):
            self.reject(Rejected(source, "empty message"))
            return
        self._wait_for_others(Document(source, cleaned, document.url), before, after)

    def _wait_picture(self, document: Document, image: Image) -> None:
        label = (image.label or "").strip()
        if len(label) > MOST_LABEL_CHARACTERS or not all(one.isprintable() for one in label):
            detail = f"{len(label):,} characters" if len(label) > MOST_LABEL_CHARACTERS else "with control characters"
            self.reject(Rejected(document.source, "no label", f"one of {detail}"))
            return
        size = len(image.data)
        self._wait_for_others(replace(document, content=replace(image, label=label or None)), size, size)

    def _wait_for_others(self, document: Document, before: int, after: int) -> None:
        """``before`` and ``after`` are what it was when it was read, and what it is, in characters or bytes."""
        tally = self._cleaning
        tally.documents_in += 1
        tally.documents_out += 1
        tally.characters_in += before
        tally.characters_out += after
        self._waiting.append(document)
        self._characters += after
        if self._characters >= CHARACTERS:
            self._through()

    def _repaired(self, source: str, text: str) -> str:
        """The text as it was meant, where it was read in another encoding than it was written in."""
        if self.spec.filters.mojibake == "keep" or text.isascii():
            return text
        from aictl.data.steps.repair import repair  # which takes as long to import as all else

        meant, mended = repair(text)
        if mended:
            self._cleaning.changed["mojibake"] += 1
            self._cleaning.found.update(mended)
            self.tally.changed("clean", source, "mojibake", text, meant)
        return meant

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
        digests = [digest_of(one.content) for one in block.documents]
        images = [one.content for one in block.documents if isinstance(one.content, Image)]
        columns = {
            "digests": np.frombuffer(b"".join(digests), "<u8").reshape(-1, 2),
            "characters": np.array(block.sizes, np.int64),
            "sources": np.full(len(block), self._source, np.int32),
        }
        if images:
            columns |= looks.columns(images)
            self.images += [one.data for one in images]
        elif similarity := self.spec.compared_at:
            smallest, counts = signatures(block.view.words, len(block))
            columns["keys"] = band_keys(smallest, counts, bands_for(similarity))
        for name, column in columns.items():
            self.columns.setdefault(name, []).append(column)
        self.lines += [orjson.dumps(self._row(one)) + b"\n" for one in block.documents]

    def _row(self, document: Document) -> dict[str, Any]:
        row: dict[str, Any] = {FIELDS[self.format]: document.content, "source": document.source}
        if isinstance(document.content, Image):
            row = looks.row(document.content) | {"source": document.source}
        return row | {"url": document.url} if document.url else row

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
        columns = {name: np.concatenate(parts) for name, parts in self.columns.items()}
        return Filled(facts, self.lines, columns, self.images)


def digest_of(content: str | list[Message] | Image) -> bytes:
    """16 bytes that two documents have in common that are the same."""
    if isinstance(content, Image):
        return content.pixels
    return hashlib.sha256(content.encode() if isinstance(content, str) else orjson.dumps(content)).digest()[:16]

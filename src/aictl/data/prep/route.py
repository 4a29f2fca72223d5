"""The way of documents through the steps: read, cleaned, sifted, kept.

Which steps there are, and in which order, says :mod:`.steps`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count, islice

import numpy as np
import orjson

from aictl.core.errors import BadInput
from aictl.data import labels
from aictl.data.annotations import Unfit, within
from aictl.data.cleaning import BadUnicode, clean
from aictl.data.conversations import Unusable
from aictl.data.cutting import pieces
from aictl.data.documents import Content, Document, Image, Pair, Preference, Rejected
from aictl.data.duplicates.signatures import band_keys, bands_for, signatures
from aictl.data.preferences import checked
from aictl.data.prep import looks
from aictl.data.prep.block import CHARACTERS, Block, rewritten, text_of
from aictl.data.prep.rows import GROUPED, row_of
from aictl.data.prep.shelf import Begun, Facts, Filled
from aictl.data.prep.steps import Job, Step, shown_of, steps_of
from aictl.data.prep.streams import Began, Found, LeftOut, Stream, read
from aictl.data.prep.tally import Tally

CHUNK_CHARACTERS = 1 << 25
MOST_REJECTED = 100_000  # in a chunk
CLIPPED = "clipped boxes"


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
        self._has_labels = job.format == "text" and job.spec.reading.has_labels
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
                self._wait(Document(source, piece, document.url, document.label))
        return document.characters

    def _wait(self, document: Document) -> None:
        source, content, tally = document.source, document.content, self._cleaning
        if isinstance(content, Image):
            self._wait_picture(document, content)
            return
        if (label := self._label(document)) is None:
            return
        try:
            if isinstance(content, str):
                cleaned: Content = clean(self._repaired(source, content), tally.changed)
                before, after = len(content), len(text_of(cleaned))
            else:
                cleaned = rewritten(content, lambda text: clean(self._repaired(source, text), tally.changed))
                before, after = len(text_of(content)), len(text_of(cleaned))
        except BadUnicode as error:
            self.reject(Rejected(source, "bad Unicode", str(error)))
            return
        if unfit := _unfit(cleaned):
            self.reject(Rejected(source, *unfit))
            return
        self._wait_for_others(Document(source, cleaned, document.url, label), before, after)

    def _label(self, document: Document) -> str | None:
        """The label of a text, or nothing where none is asked for; None if it has to have one and was rejected."""
        label = document.label.strip()
        if not self._has_labels or (self.stream.reference and not label):
            return ""
        detail = labels.unfit(label)
        if label and not detail:
            return label
        files = self.spec.files
        wanted = "it lies in no folder" if files.label_from == "folder" else f"'{files.label_field}' is not there"
        self.reject(labels.without(document.source, detail or wanted))
        return None

    def _wait_picture(self, document: Document, image: Image) -> None:
        label, source = (image.label or "").strip(), document.source
        if detail := labels.unfit(label):
            self.reject(labels.without(source, detail))
            return
        caption, boxes = image.caption, image.boxes
        try:
            if caption is not None:
                caption = clean(self._repaired(source, caption), self._cleaning.changed)
                if not caption:
                    raise Unfit("empty caption")
            if boxes is not None:
                boxes, clipped = within(boxes, image.width, image.height)
                if clipped:
                    self._cleaning.changed[CLIPPED] += 1
        except (BadUnicode, Unfit) as error:
            reason = error.reason if isinstance(error, Unfit) else "bad Unicode"
            self.reject(Rejected(source, reason, error.detail if isinstance(error, Unfit) else str(error)))
            return
        size = len(image.data)
        kept = replace(image, label=label or None, caption=caption, boxes=boxes)
        self._wait_for_others(replace(document, content=kept), size, size)

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
        contents = [one.content for one in block.documents]
        digests = [digest_of(one) for one in contents]
        images = [one for one in contents if isinstance(one, Image)]
        columns = {
            "digests": np.frombuffer(b"".join(digests), "<u8").reshape(-1, 2),
            "characters": np.array(block.sizes, np.int64),
            "sources": np.full(len(block), self._source, np.int32),
        }
        if self.format in GROUPED:
            columns["inputs"] = np.frombuffer(b"".join(map(input_of, contents)), "<u8").reshape(-1, 2)
        if self._has_labels:
            columns["labels"] = np.array([one.label for one in block.documents])
        if images:
            columns |= looks.columns(images)
            self.images += [one.data for one in images]
        elif similarity := self.spec.compared_at:
            smallest, counts = signatures(block.view.words, len(block))
            columns["keys"] = band_keys(smallest, counts, bands_for(similarity))
        for name, column in columns.items():
            self.columns.setdefault(name, []).append(column)
        self.lines += [orjson.dumps(row_of(one)) + b"\n" for one in block.documents]

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


def digest_of(content: Content) -> bytes:
    """16 bytes that two documents have in common that are the same."""
    if isinstance(content, Image):
        return content.pixels if content.caption is None else _digest(content.pixels + content.caption.encode())
    if isinstance(content, Pair):
        return _digest(orjson.dumps((content.input, content.output)))
    if isinstance(content, Preference):
        return _digest(orjson.dumps((content.prompt, content.chosen, content.rejected)))
    return _digest(content.encode() if isinstance(content, str) else orjson.dumps(content))


def input_of(content: Content) -> bytes:
    """16 bytes that two documents have in common that say something else of the same."""
    if isinstance(content, Image):
        return content.pixels
    return _digest(content.input.encode() if isinstance(content, Pair) else orjson.dumps(_prompt(content)))


def _prompt(content: Content) -> Content:
    return content.prompt if isinstance(content, Preference) else content


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:16]


def _unfit(cleaned: Content) -> tuple[str, str] | None:
    """Why what was cleaned is no document, if it is none; an empty text is dropped for its length."""
    if isinstance(cleaned, list):
        return None if all([turn["content"] for turn in cleaned]) else ("empty message", "")
    if isinstance(cleaned, Pair):
        return None if cleaned.input and cleaned.output else ("empty side", "")
    if isinstance(cleaned, Preference):
        try:
            checked(cleaned)
        except Unusable as error:
            return error.reason, error.detail
    return None

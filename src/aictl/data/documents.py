"""What readers give: documents, and what could not be read with the reason why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, NamedTuple

Message = dict[str, str]  # {"role": "system" | "user" | "assistant", "content": ...}
Box = tuple[str, Sequence[float]]  # a label, and left, top, right and bottom in pixels


@dataclass(frozen=True, slots=True)
class Image:
    """A picture: its file as it was found, and what its decoded pixels say. ``suffix`` is that of its format, such as
    ``png``, whatever it was called; ``mode`` is Pillow's word for its pixels; ``pixels`` are 16 bytes that only the
    same picture has, ``looks`` 16 bytes of which pictures that look alike have most bits in common. ``caption`` says
    what is seen in it, ``boxes`` where; None where nobody said, and no boxes where nothing is seen."""

    data: bytes
    suffix: str
    width: int
    height: int
    mode: str
    pixels: bytes
    looks: bytes
    label: str | None = None
    caption: str | None = None
    boxes: Sequence[Box] | None = None

    @property
    def name(self) -> str:
        """What it is called in a dataset: by its bytes."""
        return f"{sha256(self.data).hexdigest()}.{self.suffix}"


@dataclass(frozen=True, slots=True)
class Pair:
    """What is given and what is wanted: a sentence and its translation, an article and its summary, a question and
    the passage that answers it."""

    input: str
    output: str


@dataclass(frozen=True, slots=True)
class Preference:
    """Two ways in which a conversation goes on after ``prompt``, of which one is better."""

    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]

    @property
    def turns(self) -> list[Message]:
        return [*self.prompt, *self.chosen, *self.rejected]


Content = str | list[Message] | Pair | Preference | Image


@dataclass(frozen=True, slots=True)
class Document:
    """One text, conversation, pair, preference or picture, and where it came from: ``guide.md``, ``guide.md:120``,
    ``chats.jsonl:17``, ``json/decoder.py:JSONDecoder.decode``. ``url`` is where it was found on the web, if that
    is known, and ``label`` the class of a text, if one was asked for; a picture has its own."""

    source: str
    content: Content
    url: str = ""
    label: str = ""

    @property
    def characters(self) -> int:
        """How much it is: characters, and of a picture bytes."""
        content = self.content
        if isinstance(content, str):
            return len(content)
        if isinstance(content, Image):
            return len(content.data)
        if isinstance(content, Pair):
            return len(content.input) + len(content.output)
        turns = content.turns if isinstance(content, Preference) else content
        return sum(len(turn["content"]) for turn in turns)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A document that cannot be used: a reason that is counted, and the detail for a person."""

    source: str
    reason: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}" + (f": {self.detail}" if self.detail else "")

    @property
    def why(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


Items = Iterator[Document | Rejected]


class Reading(NamedTuple):
    """What readers are told: the field of records that holds the text, the most characters of a document (0
    for as many as there are), the field that holds its URL, and whether to find out the encoding of what is not
    UTF-8; of pictures, the fields that hold them, their labels and their captions, and the most pixels that one may
    have. Texts have labels only where a ``label_field`` is named, or with ``label_folders``, the names of the folders
    that they lie in. Of pairs, the fields of both sides, which make a ``pair_shape``; None for those of any shape that
    is known."""

    text_field: str = "text"
    max_chars: int = 0
    url_field: str = "url"
    finds_encodings: bool = False
    image_field: str = "image"
    label_field: str | None = None
    max_pixels: int = 2**26
    caption_field: str | None = None
    label_folders: bool = False
    input_field: str | None = None
    output_field: str | None = None

    @property
    def pair_shape(self) -> tuple[str | None, str | None]:
        return self.input_field, self.output_field

    @property
    def has_labels(self) -> bool:
        """Whether texts have to have a label."""
        return self.label_folders or self.label_field is not None


class Part(NamedTuple):
    """Bytes ``begin`` to ``end`` of a file of records, of which the first has the number ``line``. A part of a
    parquet file is the row groups that begin there, their columns put end to end."""

    begin: int
    end: int
    line: int

    @property
    def size_bytes(self) -> int:
        return self.end - self.begin


class Annotation(NamedTuple):
    """What is said of a picture: its label, its caption, and what is where in it; or the reason and the detail why that
    cannot be so, or why there is no such picture."""

    label: str | None = None
    caption: str | None = None
    boxes: Sequence[Box] | None = None
    unfit: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file to read. ``name`` is its path as citations show it; ``named`` says that the user gave
    the file itself and not a folder around it. ``lost`` is why it cannot be read at all, where that
    is known: it may be a folder, or a pipe that never ends. ``part`` is what is read of it, if not all.
    ``opens`` opens what does not lie at ``path`` but in a store, or inside an archive; what an archive holds is
    ``unpacked`` already, whatever others named it. ``number`` is what precedes the name, with a colon, where several
    sources have one of that name. ``annotation`` is what another file says of a picture."""

    name: str
    path: Path
    size_bytes: int
    named: bool = False
    lost: str | None = None
    part: Part | None = None
    opens: Callable[[], IO[bytes]] | None = None
    unpacked: bool = False
    number: int | None = None
    annotation: Annotation | None = None

    @property
    def inside(self) -> str:
        """Its path inside its source."""
        return self.name if self.number is None else self.name.removeprefix(f"{self.number}:")

    @property
    def folder(self) -> str:
        """The name of the folder that it lies in, inside its source; nothing if it lies in none."""
        return self.inside.rpartition("/")[0].rpartition("/")[2]

    @property
    def compression(self) -> str | None:
        """``gz`` or ``zst`` by the name's end, or None."""
        if self.unpacked:
            return None
        last = self.name[-4:].lower()
        return "gz" if last.endswith(".gz") else "zst" if last == ".zst" else None

    @property
    def suffix(self) -> str:
        """The suffix that says what is inside, in small letters: ``.jsonl`` of ``a.JSONL.gz``."""
        name = self.name.rpartition("/")[2].lower()
        if self.compression:
            name = name.rpartition(".")[0]
        stem, _, suffix = name.rpartition(".")  # four times as fast as Path.suffix, which counts over many files
        return f".{suffix}" if stem and suffix else ""


class Unreadable(Exception):
    """A whole file cannot be read as what it should be."""

    def __init__(self, reason: str, detail: str = "", line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
        self.line = line

    def rejected(self, file: InputFile) -> Rejected:
        where = f"{file.name}:{self.line}" if self.line else file.name
        return Rejected(where, self.reason, self.detail)


class HoldsNoDocuments(Exception):
    """A well-formed file that holds something else, such as settings; it is left out, not rejected."""

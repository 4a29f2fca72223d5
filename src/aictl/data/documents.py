"""What readers give: documents, and what could not be read with the reason why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, NamedTuple

Message = dict[str, str]  # {"role": "system" | "user" | "assistant", "content": ...}


@dataclass(frozen=True, slots=True)
class Image:
    """A picture: its file as it was found, and what its decoded pixels say. ``suffix`` is that of its format, such as
    ``png``, whatever it was called; ``mode`` is Pillow's word for its pixels; ``pixels`` are 16 bytes that only the
    same picture has, ``looks`` 16 bytes of which pictures that look alike have most bits in common."""

    data: bytes
    suffix: str
    width: int
    height: int
    mode: str
    pixels: bytes
    looks: bytes
    label: str | None = None

    @property
    def name(self) -> str:
        """What it is called in a dataset: by its bytes."""
        return f"{sha256(self.data).hexdigest()}.{self.suffix}"


@dataclass(frozen=True, slots=True)
class Document:
    """One text, one conversation or one picture, and where it came from: ``guide.md``, ``guide.md:120``,
    ``chats.jsonl:17``, ``json/decoder.py:JSONDecoder.decode``. ``url`` is where it was found on the web, if that
    is known."""

    source: str
    content: str | list[Message] | Image
    url: str = ""

    @property
    def characters(self) -> int:
        """How much it is: characters, and of a picture bytes."""
        if isinstance(self.content, str):
            return len(self.content)
        if isinstance(self.content, Image):
            return len(self.content.data)
        return sum(len(turn["content"]) for turn in self.content)


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
    UTF-8; of pictures, the fields that hold them and their labels, and the most pixels that one may have."""

    text_field: str = "text"
    max_chars: int = 0
    url_field: str = "url"
    finds_encodings: bool = False
    image_field: str = "image"
    label_field: str = "label"
    max_pixels: int = 2**26


class Part(NamedTuple):
    """Bytes ``begin`` to ``end`` of a file of records, of which the first has the number ``line``. A part of a
    parquet file is the row groups that begin there, their columns put end to end."""

    begin: int
    end: int
    line: int

    @property
    def size_bytes(self) -> int:
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file to read. ``name`` is its path as citations show it; ``named`` says that the user gave
    the file itself and not a folder around it. ``lost`` is why it cannot be read at all, where that
    is known: it may be a folder, or a pipe that never ends. ``part`` is what is read of it, if not all.
    ``opens`` opens what does not lie at ``path`` but in a store, or inside an archive; what an archive holds is
    ``unpacked`` already, whatever others named it. ``number`` is what precedes the name, with a colon, where several
    sources have one of that name."""

    name: str
    path: Path
    size_bytes: int
    named: bool = False
    lost: str | None = None
    part: Part | None = None
    opens: Callable[[], IO[bytes]] | None = None
    unpacked: bool = False
    number: int | None = None

    @property
    def folder(self) -> str:
        """The name of the folder that it lies in, inside its source; nothing if it lies in none."""
        name = self.name if self.number is None else self.name.removeprefix(f"{self.number}:")
        return name.rpartition("/")[0].rpartition("/")[2]

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

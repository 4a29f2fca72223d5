"""Artifact: a folder that explains itself. Record: the ``artifact.json`` beside its files.

A kind is a subclass that says what files it holds, reads them, and can check them cheaply::

    class Dataset(Artifact):
        kind = "dataset"

An artifact never changes once it is made. What it was made from is reached with
:meth:`Artifact.made_from` and :meth:`Artifact.ancestors`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

from aictl.core.answer import Answer, Document
from aictl.core.errors import Damaged, NotFound

RECORD_NAME = "artifact.json"
SCHEMA = 1
_SEAL = b',\n "record_sha256": "'


@dataclass(frozen=True)
class Source:
    """Raw input from outside the workspace, resolved to something that stands still.

    ``uri`` is what was asked for (``notes/``, ``pkg:name==1.0``, ``hf:org/name@revision``);
    ``path`` is where its bytes lie now; ``digest`` is the hash of those bytes, and of the relative
    names inside a folder, never of where it stands. ``facts`` go into the record. ``private`` never
    leaves this process: by the URL that may be written down, the one that opens it.

    Where ``facts["listing"]`` is true, the bytes lie in a store, and ``path`` is the list of them that
    ``aictl.stores.objects.objects_of`` reads.
    """

    uri: str
    path: Path
    digest: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    private: Mapping[str, str] = field(default_factory=dict, repr=False)


class InputRecord(NamedTuple):
    """One input of an artifact: another artifact or a raw source.

    Of an artifact, ``kind`` and ``id``, the store's ``object`` it was, and the ``name`` it was asked
    for by, unless a version was pinned. Of a raw source, its digest as ``id``, the ``uri`` that was
    asked for, and the local ``path`` where its bytes can be looked at again.
    """

    role: str
    id: str
    kind: str | None = None
    name: str | None = None
    object: str | None = None
    uri: str | None = None
    path: str | None = None
    facts: Mapping[str, Any] = {}


class Record(NamedTuple):
    """Everything known about how an artifact came to be. Only ``kind``, ``id``, ``key`` and
    ``files`` have consequences; the rest is for people and reports."""

    kind: str
    id: str
    key: str
    command: str
    revision: int
    spec: Mapping[str, Any]
    inputs: tuple[InputRecord, ...]
    files: Mapping[str, Mapping[str, Any]]
    metrics: Mapping[str, Any]
    summary: str
    created: str
    seconds: float
    packages: Mapping[str, str] = {}
    machine: Mapping[str, Any] = {}
    schema: int = SCHEMA

    @property
    def size_bytes(self) -> int:
        return sum(entry["size"] for entry in self.files.values())

    def to_json(self) -> bytes:
        """The record as it stands in its file; the last line says what the others hash to."""
        values = {**self._asdict(), "inputs": [row._asdict() for row in self.inputs]}
        # A name of any bytes is held as lone surrogates, which only JSON's own escapes can write.
        text = json.dumps(values, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace")
        body = text.removesuffix(b"\n}")
        return body + _SEAL + hashlib.sha256(body).hexdigest().encode() + b'"\n}\n'

    @classmethod
    def from_json(cls, data: bytes) -> Record:
        """Raises ``ValueError``, ``TypeError`` or ``KeyError`` for what is no whole record."""
        values = json.loads(data)
        if not isinstance(values, dict) or values.get("schema") != SCHEMA:
            raise ValueError(f"is no record of schema {SCHEMA}, which this aictl reads")
        seal = values.pop("record_sha256", None)
        # The first records had none.
        if seal is not None and seal != hashlib.sha256(data.rpartition(_SEAL)[0]).hexdigest():
            raise ValueError("its sha256 is not the one in its last line")
        values["inputs"] = tuple(InputRecord(**row) for row in values["inputs"])
        return cls(**values)

    @classmethod
    def read(cls, folder: Path) -> Record:
        """Read a folder's record.

        Raises :class:`NotFound` if there is none and :class:`Damaged` if it cannot be read.
        """
        path = folder / RECORD_NAME
        try:
            return cls.from_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"no artifact in {folder}") from None
        except (ValueError, TypeError, KeyError) as error:
            raise Damaged(f"{path}: {error}", cure="make the artifact again with --force") from error


A = TypeVar("A", bound="Artifact")


class Artifact:
    """A made thing: a folder of files of one kind.

    A verb writes the files and returns an instance with the ``metrics`` it measured and a
    ``summary`` of one line; the runner then hashes, records and stores it. Opened from a
    workspace, it has its ``record`` and can reach what it was made from.
    """

    kind: ClassVar[str]
    about: ClassVar[str] = ""
    is_report: ClassVar[bool] = False
    """Whether people read it as it stands (a probe, a plan): then its answer is shown when it is made."""

    def __init__(
        self,
        folder: Path,
        *,
        metrics: Mapping[str, Any] | None = None,
        summary: str = "",
        record: Record | None = None,
        name: str | None = None,
        open_input: Callable[[InputRecord], Artifact] | None = None,
    ) -> None:
        self.folder = folder
        self.record = record
        self.name = name
        self.metrics: Mapping[str, Any] = record.metrics if record else dict(metrics or {})
        self.summary = record.summary if record else summary
        self._open_input = open_input

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.folder)!r})"

    @property
    def label(self) -> str:
        """What people call it: its name, or the head of its id."""
        if self.name:
            return self.name
        return self.record.id[:12] if self.record else self.folder.name

    def check(self) -> None:
        """Cheap check that the files are what this kind promises, before they are stored and
        when they are opened. Raises :class:`Damaged`."""

    def content(self, files: Mapping[str, Mapping[str, Any]]) -> str:
        """Hash of what this artifact *is*, given the sha256 and size of each file.

        By default its files, byte for byte. A kind whose meaning survives another layout
        overrides this with a canonical form.
        """
        listing = "\n".join(f"{entry['sha256']}  {path}" for path, entry in sorted(files.items()))
        return hashlib.sha256(listing.encode()).hexdigest()

    def in_place(self) -> bool:
        """False when something outside the artifact's folder that it stands for is gone, so
        that it has to be made again although its key is known."""
        return True

    def edits(self) -> list[str]:
        """What people changed in the copy that is theirs to edit; never damage."""
        return []

    def answer(self) -> Answer:
        """What ``artifact show`` prints of it beyond the record, or a document of its metrics."""
        return Document(dict(self.metrics))

    @property
    def exit_code(self) -> int:
        """The exit status of the command that made it: not 0 for a report of something that failed."""
        return 0

    def made_from(self, role: str) -> Artifact:
        """The artifact that was given under ``role`` when this one was made.

        Raises :class:`NotFound` if there was none or it is no longer in the workspace.
        """
        for row in self._artifact_inputs():
            if row.role == role:
                return self._opened(row)
        raise NotFound(f"{self.label} was not made from an artifact called '{role}'")

    def ancestors(self) -> Iterator[Artifact]:
        """Every artifact this was made from, nearest first; those that were removed are skipped."""
        level: list[Artifact] = [self]
        while level:
            below = []
            for one in level:
                for row in one._artifact_inputs():
                    with suppress(NotFound):
                        below.append(one._opened(row))
            yield from below
            level = below

    def nearest(self, *kinds: type[A]) -> A | None:
        """This artifact or its nearest ancestor of one of ``kinds``."""
        if isinstance(self, kinds):
            return self
        return next((one for one in self.ancestors() if isinstance(one, kinds)), None)

    def _artifact_inputs(self) -> list[InputRecord]:
        return [row for row in self.record.inputs if row.kind] if self.record else []

    def _opened(self, row: InputRecord) -> Artifact:
        if self._open_input is None:
            raise NotFound(f"{self.label} lies outside a workspace, so its inputs cannot be opened")
        return self._open_input(row)

"""Pictures with what other files say of them: which file each annotation is about."""

from __future__ import annotations

import csv
import io
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import orjson

from aictl.core.errors import BadInput
from aictl.data.annotations import Unfit, coco_classes, is_coco, of_coco, of_record
from aictl.data.decode import BROKEN, whole_text
from aictl.data.documents import Annotation, InputFile, Reading, Unreadable
from aictl.data.readers import PICTURE_SUFFIXES

NAMES = ("metadata.jsonl", "metadata.csv")
FILE_NAME = "file_name"

Files = Sequence[tuple[int, InputFile]]
# The name of a picture's file, and what is said of it, or why that cannot be so.
_Said = tuple[str, list[Annotation] | Unfit]


class Annotated(NamedTuple):
    """Pictures, each as often as something is said of it; the names of all ``classes`` in order, where they are listed;
    and how many pictures nothing is said of, which are ``left_out``. ``is_there`` says whether anything said
    anything."""

    files: list[tuple[int, InputFile]]
    classes: list[str]
    left_out: int = 0
    is_there: bool = False


def annotated(files: Files, reading: Reading) -> Annotated:
    """All files, without those that hold annotations and with what they say. One that names a picture which is not
    there leaves one that is unfit in its stead. Raises :class:`BadInput` for annotations that cannot be read."""
    pictures = _Pictures(files)
    about: dict[int, list[Annotation] | Unfit] = {}
    lost: dict[int, list[tuple[int, InputFile]]] = {}  # by the place of the file that names it
    classes: list[str] = []
    for place, (number, file) in enumerate(files):
        if (found := _read(file, reading)) is None:
            continue
        lost[place] = []
        classes += found.classes
        for name, said in found.said:
            at = pictures.find(number, file, name)
            if isinstance(at, str):
                said_of_it = Annotation(unfit=("no such picture", at))
                missing = replace(file, name=_beside(file, name), named=False, annotation=said_of_it)
                lost[place].append((number, missing))
                continue
            before = about.get(at)
            about[at] = [*before, *said] if isinstance(before, list) and isinstance(said, list) else said
    if not lost:
        return Annotated(list(files), [])
    kept, left_out = [], 0
    for place, (number, file) in enumerate(files):
        if place in lost:
            kept += lost[place]
        elif file.suffix not in PICTURE_SUFFIXES:
            kept.append((number, file))
        elif isinstance(known := about.get(place), Unfit):
            kept.append((number, replace(file, annotation=Annotation(unfit=(known.reason, known.detail)))))
        elif known:
            kept += [(number, replace(file, annotation=one)) for one in known]
        else:
            left_out += 1
    return Annotated(kept, list(dict.fromkeys(classes)), left_out, is_there=True)


class _Found(NamedTuple):
    said: Iterator[_Said] | list[_Said]
    classes: list[str]


def _read(file: InputFile, reading: Reading) -> _Found | None:
    """What a file says of pictures, or None if it is not one that does."""
    name = file.name.rpartition("/")[2].lower()
    is_records = name in NAMES or (file.named and file.suffix in (".jsonl", ".csv"))
    if not is_records and file.suffix != ".json":
        return None
    try:
        if is_records:
            rows = _rows_of_csv if file.suffix == ".csv" else _rows_of_lines
            return _Found([_of_row(row, place, reading) for row, place in rows(whole_text(file))], [])
        value = orjson.loads(whole_text(file))
        return _Found(list(of_coco(value)), coco_classes(value)) if is_coco(value) else None
    except orjson.JSONDecodeError as error:
        if file.suffix == ".json" and not file.named:
            return None  # no annotations: it is left out like any other file
        raise BadInput(f"{file.name} is broken JSON: {error.msg}") from None
    except (Unreadable, Unfit, csv.Error, *BROKEN) as error:
        said = error.detail or error.reason if isinstance(error, Unreadable | Unfit) else error
        raise BadInput(
            f"{file.name} should say what is in the pictures: {said}", cure="mend it, or leave it out with --exclude"
        ) from None


def _rows_of_lines(text: str) -> Iterator[tuple[Any, int]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield orjson.loads(line), number
            except orjson.JSONDecodeError as error:
                raise Unfit("broken JSON", f"line {number} is broken JSON: {error.msg}") from None


def _rows_of_csv(text: str) -> Iterator[tuple[Any, int]]:
    for number, row in enumerate(csv.DictReader(io.StringIO(text, newline=""), strict=True), 2):
        yield row, number


def _of_row(row: Any, number: int, reading: Reading) -> _Said:
    name = row.get(FILE_NAME) if isinstance(row, dict) else None
    if not isinstance(name, str) or not name:
        raise Unfit(f"no {FILE_NAME}", f"line {number} has no {FILE_NAME}")
    try:
        return name, [of_record(row, reading)]
    except Unfit as error:
        return name, error


class _Pictures:
    """The pictures among files, by their paths."""

    def __init__(self, files: Files) -> None:
        self._paths: dict[tuple[int, str], int] = {}
        self._names: dict[str, list[tuple[str, int]]] = {}
        for place, (number, file) in enumerate(files):
            if file.suffix in PICTURE_SUFFIXES:
                self._paths[number, file.inside] = place
                self._names.setdefault(file.inside.rpartition("/")[2], []).append((file.inside, place))

    def find(self, number: int, file: InputFile, name: str) -> int | str:
        """The place of the picture that a file in source ``number`` calls so: the one at that path from its folder on,
        or else the only one whose path ends so. Where there is none, why."""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(file.inside), name))
        if (place := self._paths.get((number, path))) is not None:
            return place
        tail = posixpath.normpath(name).lstrip("./")
        there = [
            place
            for inside, place in self._names.get(tail.rpartition("/")[2], [])
            if inside == tail or inside.endswith(f"/{tail}")
        ]
        if len(there) == 1:
            return there[0]
        return f"{file.name} names it, and " + (f"{len(there)} pictures are called so" if there else "it is not there")


def _beside(file: InputFile, name: str) -> str:
    """How a picture that is not there is called in an account."""
    folder = posixpath.dirname(file.name)
    return f"{folder}/{name}" if folder else name

"""labels.toml: the labels there are, and the functions that vote for them.

    roles = ["user"]                       # of conversations, read only what these say

    [labels]
    weather = "asks about the weather"
    alarm = { description = "sets or stops an alarm", examples = ["wake me at seven"] }

    [functions.rain]
    kind = "keywords"
    label = "weather"
    keywords = ["rain", "umbrella"]

The file is data: nothing in it is ever run. Every mistake in it is named at once, with its line.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from aictl.core.errors import BadInput
from aictl.data.label.kinds import KINDS, Kind

MAX_FILE_BYTES = 8 * 2**20
MAX_LABELS = 1000
MAX_FUNCTIONS = 500
MAX_NAME_CHARS = 64
ROLES = ("system", "user", "assistant")
_SHAPE = 'labels are written [labels] and below it weather = "asks about the weather"; a function [functions.NAME]'
# What a spreadsheet would take for a formula has no business at the head of a name either.
_NAME = re.compile(rf"(?![=+\-@\s])[^\x00-\x1f\x7f]{{1,{MAX_NAME_CHARS}}}(?<!\s)")


class Label(NamedTuple):
    """One label: what it means, and texts that deserve it."""

    name: str
    description: str = ""
    examples: tuple[str, ...] = ()


class Function(NamedTuple):
    """One labelling function as declared; ``where`` names its table for a person."""

    name: str
    settings: Kind
    where: str


class Declaration(NamedTuple):
    """A whole labels.toml. ``roles`` is empty where everything in a conversation is read."""

    labels: tuple[Label, ...]
    functions: tuple[Function, ...]
    roles: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        return [label.name for label in self.labels]


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'weather'?`` for a slip, or what there is."""
    there = list(known)
    near = difflib.get_close_matches(word, there, n=1)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; there are {', '.join(there[:20])}{' and more' if len(there) > 20 else ''}" if there else ""


def read(path: Path) -> Declaration:
    """Read a labels.toml. Raises :class:`BadInput` naming everything that is wrong with it."""
    text = _text(path)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said, _, place = str(error).removesuffix(")").rpartition(" (at ")
        place = f"line {text.rstrip().count(chr(10)) + 1}" if place == "end of document" else place
        raise BadInput(f"{path}, {place}: {said[:1].lower()}{said[1:]}", cure=f"mend it there; {_SHAPE}") from error
    reader = _Reader(path, text, tables)
    declaration = reader.declaration()
    if reader.problems:
        found = reader.problems
        raise BadInput(found[0] if len(found) == 1 else f"{path}:\n  " + "\n  ".join(found), cure=_SHAPE)
    return declaration


def _text(path: Path) -> str:
    if path.is_dir():
        raise BadInput(f"{path} is a folder, and --functions takes one TOML file")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise BadInput(f"{path} is larger than {MAX_FILE_BYTES // 2**20} MiB, and should be a short TOML file")
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8",
            cure="save it as UTF-8; `iconv -f LATIN1 -t UTF-8` converts it, or whatever it is in",
        ) from error


class _Reader:
    """One reading: what is good becomes the declaration, what is not goes to ``problems``."""

    def __init__(self, path: Path, text: str, tables: Mapping[str, Any]) -> None:
        self.problems: list[str] = []
        self._path = path
        self._lines = text.splitlines()
        self._tables = tables

    def declaration(self) -> Declaration:
        for key in self._tables.keys() - {"labels", "functions", "roles"}:
            self._wrong((key,), f"no key is called '{key}'{nearest(key, ('labels', 'functions', 'roles'))}")
        labels = tuple(self._labels())
        functions = tuple(self._functions([label.name for label in labels]))
        return Declaration(labels, functions, tuple(self._roles()))

    def _labels(self) -> Iterator[Label]:
        table = self._tables.get("labels")
        if not isinstance(table, dict) or not 2 <= len(table) <= MAX_LABELS:
            count = f"{len(table)} given" if isinstance(table, dict) else "none given"
            self._wrong(("labels",), f"between 2 and {MAX_LABELS} labels are needed, and there are {count}")
            return
        for name, value in table.items():
            here = ("labels", name)
            if not _NAME.fullmatch(name):
                self._wrong(
                    here,
                    f"{name!r} is no name for a label: 1 to {MAX_NAME_CHARS} characters on one line, beginning with "
                    "none of = + - @",
                )
            elif isinstance(value, str):
                yield Label(name, value)
            elif isinstance(value, dict):
                for key in value.keys() - {"description", "examples"}:
                    self._wrong(here, f"'{name}' has no key '{key}'{nearest(key, ('description', 'examples'))}")
                description, examples = value.get("description", ""), value.get("examples", [])
                if not isinstance(description, str):
                    self._wrong(here, f"the description of '{name}' should be text")
                elif not isinstance(examples, list) or not all(isinstance(one, str) and one for one in examples):
                    self._wrong(here, f"the examples of '{name}' should be a list of texts")
                else:
                    yield Label(name, description, tuple(examples))
            else:
                self._wrong(here, f"'{name}' should be a text, or a table of description and examples")

    def _functions(self, labels: list[str]) -> Iterator[Function]:
        table = self._tables.get("functions")
        if not isinstance(table, dict) or not 1 <= len(table) <= MAX_FUNCTIONS:
            count = f"{len(table)} given" if isinstance(table, dict) else "none given"
            self._wrong(("functions",), f"between 1 and {MAX_FUNCTIONS} functions are needed, and there are {count}")
            return
        for name, value in table.items():
            here = ("functions", name)
            if not _NAME.fullmatch(name):
                self._wrong(here, f"{name!r} is no name for a function")
            elif not isinstance(value, dict):
                self._wrong(here, f"'{name}' should be a table: [functions.{name}]")
            elif (kind := value.get("kind")) not in KINDS:
                unknown = f"no kind is called {kind!r}{nearest(str(kind), KINDS)}"
                self._wrong((*here, "kind"), unknown if "kind" in value else "the key 'kind' is missing")
            elif settings := self._settings(here, kind, value, labels):
                yield Function(name, settings, self._place(here))

    def _settings(self, here: tuple[str, ...], kind: str, value: Any, labels: list[str]) -> Kind | None:
        before = len(self.problems)
        model = KINDS[kind]
        settings: Kind | None = None
        try:
            settings = model.model_validate(value)
        except ValidationError as error:
            for row in error.errors(include_url=False, include_input=False):
                key = str(row["loc"][0])
                if row["type"] == "extra_forbidden":
                    said = f"a function of kind {kind} has no key '{key}'{nearest(key, model.model_fields)}"
                elif row["type"] == "missing":
                    said = f"a function of kind {kind} needs the key '{key}'"
                else:
                    item = "".join(f"[{step}]" for step in row["loc"][1:])
                    said = f"{key}{item}: {row['msg'][:1].lower()}{row['msg'][1:]}"
                self._wrong((*here, key), said)
        given = value.get("labels") if isinstance(value.get("labels"), list) else [value.get("label")]
        for label in given:
            if isinstance(label, str) and label not in labels:
                key = "labels" if "labels" in value else "label"
                self._wrong((*here, key), f"no label is called '{label}'{nearest(label, labels)}")
        if isinstance(value.get("labels"), list) and len(value["labels"]) < 2:
            self._wrong((*here, "labels"), "at least two labels are needed to choose between")
        return settings if len(self.problems) == before else None

    def _roles(self) -> list[str]:
        roles = self._tables.get("roles", [])
        if not isinstance(roles, list) or not set(map(str, roles)) <= set(ROLES):
            self._wrong(("roles",), f"roles should be a list of {', '.join(ROLES)}")
            return []
        return roles

    def _wrong(self, key: tuple[str, ...], said: str) -> None:
        self.problems.append(f"{self._place(key)}: {said}")

    def _place(self, key: tuple[str, ...]) -> str:
        """Such as ``labels.toml, line 12, [functions.rain]``, as far as the line can be told."""
        line = self._line(key)
        table = f", [{'.'.join(key[:2])}]" if key[0] == "functions" and len(key) > 1 else ""
        return f"{self._path}{f', line {line}' if line else ''}{table}"

    def _line(self, key: tuple[str, ...]) -> int | None:
        """The line of a key, or else of the table that should hold it. tomllib keeps no places, so
        they are looked for; a key that is written in an unusual way is found by its table alone."""
        wanted = [re.sub(r"[\s\"']", "", step) for step in key]
        found, table = None, ""
        for number, line in enumerate(self._lines, 1):
            text = re.sub(r"[\s\"']", "", line.partition("#")[0])
            if text.startswith("["):
                table = text.strip("[]")
                if table in (".".join(wanted[:2]), wanted[0]):
                    found = number
            elif [*filter(None, table.split(".", 1)), text.partition("=")[0]] in (wanted, wanted[:2]):
                found = number
                if len(wanted) < 3:
                    return number
        return found

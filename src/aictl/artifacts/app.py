"""app: a small application rendered from a template, as it was before anybody edited it.

Files: ``files/``, the pristine copy, and ``app.json``: template (its name and digest), answers, the
sha256 of every file, and the name of the folder in the workspace where the copy lies that is the
user's to edit. In that folder ``.aictl-app.json`` remembers what was ever put there, so that an
edit can be told from an older version of the template.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from aictl.core.answer import Answer, Document
from aictl.core.artifact import Artifact
from aictl.core.errors import BadRequest, Damaged

LEDGER_NAME = ".aictl-app.json"
_WORKSPACE_MARK = "aictl.toml"
_MADE_BY_TOOLS = ("__pycache__", "node_modules", "venv", "build", "dist")


class App(Artifact):
    """A scaffolded application; :attr:`copy` is the folder that people work in."""

    kind = "app"
    about = "a small application that uses a model and a dataset"

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Template, answers, folder and files, from ``app.json``."""
        path = self.folder / "app.json"
        try:
            facts = json.loads(path.read_text("utf-8"))
            facts["template"]["digest"], facts["answers"], facts["folder"], facts["files"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Damaged(f"{path}: {error!r}") from error
        return facts

    @property
    def copy(self) -> Path | None:
        """The working copy's folder, there or not; None outside a workspace."""
        real = self.folder.resolve()
        root = next((place for place in real.parents if (place / _WORKSPACE_MARK).is_file()), None)
        return root / self.facts["folder"] if root else None

    def in_place(self) -> bool:
        """False if the working copy is gone, or is that of another scaffold."""
        return self.copy is not None and self.copy.is_dir() and Ledger.read(self.copy).current == self.facts["files"]

    def edits(self) -> list[str]:
        """What differs in the working copy: ``edited``, ``removed`` and ``added`` files."""
        if self.copy is None:
            return []
        if not self.copy.is_dir():
            return [f"removed {self.facts['folder']}/"]
        ledger = Ledger.read(self.copy)
        current = ledger.current or self.facts["files"]
        found = []
        for path, sha256 in current.items():
            here = digest(self.copy / path)
            if here is None:
                found.append(f"removed {path}")
            elif here != sha256 and here not in ledger.given.get(path, ()):
                found.append(f"edited {path}")
        for path in _listed(self.copy):
            if path not in current and digest(self.copy / path) not in ledger.given.get(path, ()):
                found.append(f"added {path}")
        return found

    def check(self) -> None:
        for path in self.facts["files"]:
            if not (self.folder / "files" / path).is_file():
                raise Damaged(f"{self.folder / 'files' / path} is missing")

    def answer(self) -> Answer:
        return Document({**self.facts, "files": len(self.facts["files"])})


@dataclass
class Ledger:
    """What scaffolds put into a working copy: ``current`` is the sha256 by path of the last one,
    ``given`` every sha256 that was ever written to a path."""

    current: dict[str, str] = field(default_factory=dict)
    given: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, copy: Path) -> Ledger:
        """The ledger of a working copy, empty if it has none. Raises :class:`BadRequest` for one
        that cannot be read, since then no edit could be told from a file of ours."""
        path = copy / LEDGER_NAME
        try:
            value = json.loads(path.read_text("utf-8"))
            return cls(dict(value["current"]), {name: list(given) for name, given in value["given"].items()})
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadRequest(
                f"{path} cannot be read: {error}", cure=f"move {copy} away, or remove that file to keep all as edits"
            ) from error

    def remember(self, files: Mapping[str, str]) -> None:
        for path, sha256 in files.items():
            if sha256 not in self.given.setdefault(path, []):
                self.given[path].append(sha256)

    def to_json(self) -> str:
        return json.dumps({"current": self.current, "given": self.given}, indent=1, ensure_ascii=False) + "\n"


def digest(path: Path) -> str | None:
    """The sha256 of a file, None if there is none, and empty for what is no file that can be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return "" if path.is_symlink() else None
    except OSError:
        return ""


def _listed(folder: Path) -> Iterator[str]:
    """The files of a working copy that people may have added: not hidden, and not made by tools."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in _MADE_BY_TOOLS or path.name.endswith((".egg-info", ".pyc")):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from (f"{path.name}/{inner}" for inner in _listed(path))
        else:
            yield path.name

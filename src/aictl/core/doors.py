"""The plugin door: who offers which command, kind of artifact and experiment tracker, without importing them.

First-party commands, our plugins and a stranger's all stand in the entry-point groups
``aictl.commands``, ``aictl.artifacts`` and ``aictl.trackers``. ``importlib.metadata`` would take longer to read them
than the rest of ``aictl --help`` together, so the ``entry_points.txt`` files are read here; the
format is https://packaging.python.org/en/latest/specifications/entry-points/.
"""

from __future__ import annotations

import ast
import importlib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from aictl.core.errors import BadRequest, ExtraMissing, NotFound

COMMANDS = "aictl.commands"
KINDS = "aictl.artifacts"
TRACKERS = "aictl.trackers"

# Compiled when the first page of help is shown: most commands show none.
_DOCSTRING = r"""(?s)\A(?:\s*\#[^\n]*\n|\s)*(?P<literal>[rR]?(?P<quote>\"{3}|'{3}|"|').*?(?<!\\)(?P=quote))"""
_HEAD_BYTES = 8192


class Door(NamedTuple):
    """One entry point: its name, ``module:attribute``, and the distribution that brings it."""

    name: str
    target: str
    distribution: str
    version: str

    @property
    def module(self) -> str:
        return self.target.partition(":")[0]

    def summary(self) -> str:
        """The first line of the module's docstring, or what is wrong with the module."""
        doc = docstring(self.module)
        if doc is None:
            return f"(broken: module {self.module} of {self.distribution} is missing)"
        return doc.strip().partition("\n")[0]

    def load(self) -> Any:
        """Import the module and return the attribute.

        Raises :class:`ExtraMissing` when the plugin cannot be imported, whatever it raised.
        """
        module, _, attribute = self.target.partition(":")
        try:
            with redirect_stdout(sys.stderr):  # stdout belongs to the result
                return getattr(importlib.import_module(module), attribute)
        except (Exception, SystemExit) as error:
            raise ExtraMissing(
                f"'{self.name}' from {self.distribution} {self.version} cannot be loaded: "
                f"{type(error).__name__}: {error}",
                cure=f"pip install --force-reinstall {self.distribution}, or pip uninstall {self.distribution}",
            ) from error


class Clash(NamedTuple):
    """A name that two distributions offer, so that neither may have it."""

    name: str
    doors: tuple[Door, ...]

    def summary(self) -> str:
        return f"(refused: both {' and '.join(self.distributions)} offer it)"

    @property
    def distributions(self) -> list[str]:
        return [door.distribution for door in self.doors]

    def load(self) -> Any:
        raise BadRequest(
            f"'{self.name}' is offered by {' and by '.join(self.distributions)}",
            cure=f"pip uninstall {next((one for one in self.distributions if one != 'aictl'), 'one of them')}, "
            "or ask its authors for another name",
        )


@cache
def doors(group: str) -> dict[str, Door | Clash]:
    """Every entry point of a group by name, in order of name."""
    found: dict[str, list[Door]] = {}
    for distribution, version, text in _entry_point_files():
        for name, target in _section(text, group):
            found.setdefault(name, []).append(Door(name, target, distribution, version))
    return {
        name: offered[0] if len(offered) == 1 else Clash(name, tuple(offered))
        for name, offered in sorted(found.items())
    }


def kind(name: str) -> Any:
    """The artifact class of a kind. Raises :class:`NotFound` for one that nobody offers."""
    offered = doors(KINDS)
    if name not in offered:
        raise NotFound(
            f"no kind of artifact is called '{name}'; there are {', '.join(offered)}",
            cure="install the plugin that brings it; `aictl plugin ls` shows those that are installed",
        )
    return offered[name].load()


def _entry_point_files() -> Iterator[tuple[str, str, str]]:
    """(distribution, version, entry_points.txt) of whatever may concern us. A distribution that
    is installed twice counts where Python would find it first."""
    seen: set[str] = set()
    for entry in sys.path:
        try:
            names = sorted(os.listdir(entry or "."))
        except OSError:
            continue
        for name in names:
            stem, dot, suffix = name.rpartition(".")
            if suffix not in ("dist-info", "egg-info") or not dot:
                continue
            distribution, _, version = stem.partition("-")
            distribution = re.sub(r"[-_.]+", "-", distribution).lower()
            if distribution in seen:
                continue
            seen.add(distribution)
            try:
                with open(os.path.join(entry or ".", name, "entry_points.txt"), encoding="utf-8") as file:  # noqa: PTH
                    text = file.read()
            except (OSError, UnicodeDecodeError):
                continue
            if "[aictl." in text:
                yield distribution, version, text


def _section(text: str, group: str) -> Iterator[tuple[str, str]]:
    inside = False
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            inside = line == f"[{group}]"
        elif inside and "=" in line and not line.startswith(("#", ";")):
            name, _, target = line.partition("=")
            yield name.strip(), target.strip()


def docstring(module: str) -> str | None:
    """A module's docstring read from its file, importing neither it nor its packages.

    None if there is no such file, and the empty string if it has no docstring.
    """
    path = _locate(module)
    if path is None:
        return None
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return None
    found = re.match(_DOCSTRING, head)
    try:
        return str(ast.literal_eval(found["literal"])) if found else ""
    except (SyntaxError, ValueError):
        return ""


def _locate(module: str) -> Path | None:
    """The file of a module, found as the import system would but without running any of it."""
    places: Any = None
    spec = None
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        name = ".".join(parts[:depth])
        loaded: ModuleType | None = sys.modules.get(name)
        spec = loaded.__spec__ if loaded else _find_spec(name, places)
        if spec is None:
            return None
        places = spec.submodule_search_locations
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def _find_spec(name: str, places: Any) -> Any:
    for finder in sys.meta_path:
        # A namespace package cannot be looked into without importing it: KeyError.
        with suppress(KeyError, ImportError):
            if spec := finder.find_spec(name, places):
                return spec
    return None

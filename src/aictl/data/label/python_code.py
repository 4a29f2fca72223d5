"""Functions of kind python: ``def NAME(text: str) -> str | None``, which gives a label or nothing.

Code is run from two places alone: a file that was given with --code, and an entry point of an installed
distribution in the group ``aictl.labelers``. A labels.toml can only choose among them.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from aictl.core import doors
from aictl.core.artifact import Source
from aictl.core.errors import BadInput, BadRequest, NotFound
from aictl.data.label.declaration import Function, nearest
from aictl.data.label.kinds import Python

GROUP = "aictl.labelers"


class PythonCode:
    """Calls one Python function for every document."""

    def __init__(self, function: Function, labels: Sequence[str], code: Sequence[Source]) -> None:
        """Raises :class:`NotFound` for a function that is nowhere, :class:`BadInput` for a file that
        cannot be imported, :class:`BadRequest` for an entry point of another version than was named."""
        settings = function.settings
        assert isinstance(settings, Python)
        self._where = function.where
        self._call = settings.call
        self._allowed = settings.labels or list(labels)
        self._index = {label: number for number, label in enumerate(labels)}
        in_file = ".py:" in settings.call
        found = _from_file(settings, function.where, code) if in_file else _installed(settings, function.where)
        if not callable(found):
            raise BadInput(f"{function.where}: {settings.call} is no function")
        self._function: Callable[[str], Any] = found

    def vote(self, texts: Sequence[str], number: int) -> np.ndarray:
        votes: np.ndarray = np.full(len(texts), -1, np.int16)
        with redirect_stdout(sys.stderr):  # stdout belongs to the result
            for place, text in enumerate(texts):
                try:
                    said = self._function(text)
                except Exception as error:
                    line = traceback.extract_tb(error.__traceback__)[-1].lineno
                    raise BadInput(
                        f"{self._where}: {self._call} raised {type(error).__name__} in line {line} at document "
                        f"{number + place + 1}",
                        cure="mend it, or let it return None where it has nothing to say",
                    ) from error
                if said is not None:
                    if said not in self._allowed:
                        raise BadInput(
                            f"{self._where}: {self._call} gave {said!r:.80} for document {number + place + 1}, which "
                            f"is none of its labels{nearest(str(said), self._allowed)}"
                        )
                    votes[place] = self._index[said]
        return votes

    def facts(self) -> Mapping[str, int]:
        return {}


def _from_file(settings: Python, where: str, code: Sequence[Source]) -> Any:
    file, _, name = settings.call.rpartition(":")
    files = {source.path.name: source.path for source in code}
    if len(files) < len(code):
        raise BadRequest("two files given with --code have the same name")
    if file not in files:
        given = nearest(file, files) if files else "; no file was given"
        raise NotFound(f"{where}: {file} was not given with --code{given}", cure=f"--code path/to/{file}")
    module = _module(files[file])
    if not hasattr(module, name):
        offered = [one for one, value in vars(module).items() if callable(value) and not one.startswith("_")]
        raise NotFound(f"{where}: {file} has no function '{name}'{nearest(name, offered)}")
    return getattr(module, name)


def _module(path: Path) -> ModuleType:
    """The module of a file, run once for all the functions that it holds."""
    name = f"aictl_labelers.{path.stem}_{abs(hash(path))}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or path.is_dir():
        raise BadInput(f"{path} is no Python file", cure="give a .py file with --code")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses in it look for their module there
    try:
        with redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = getattr(error, "lineno", None) or (frames[-1].lineno if frames else None)
        place = f", line {line}" if line else ""
        raise BadInput(f"{path}{place}: {type(error).__name__}: {error}", cure="mend it, and try again") from error
    return module


def _installed(settings: Python, where: str) -> Any:
    offered = doors.doors(GROUP)
    door = offered.get(settings.call)
    if door is None:
        there = nearest(settings.call, offered) if offered else "; none is installed"
        raise NotFound(
            f"{where}: no labeler is called '{settings.call}'{there}",
            cure="install the distribution that brings it, or write FILE.py:NAME and give the file with --code",
        )
    if isinstance(door, doors.Door):
        version = importlib.metadata.version(door.distribution)
        if settings.version != version:
            said = f"version {settings.version} is asked for" if settings.version else "its version is not named"
            raise BadRequest(
                f"{where}: '{settings.call}' comes from {door.distribution} {version}, and {said}",
                cure=f'version = "{version}": what was made with one version is not up to date with another',
            )
    return door.load()

"""Command: the one shape in which ours, a plugin's and a stranger's commands come.

A command module's docstring is its help; its first line is the one-line help, read without
importing the module. The module exports one :class:`Command`, and the entry point's dotted name
is the command's path::

    [project.entry-points."aictl.commands"]
    "finetune.lora" = "aictl.commands.finetune.lora:command"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from aictl.core.answer import Answer
from aictl.core.artifact import Artifact, Source
from aictl.core.events import Events
from aictl.core.spec import Spec

S = TypeVar("S", bound=Spec)


class NoOptions(Spec):
    """The settings of a command that has none."""


class Takes(NamedTuple):
    """One input: the role it plays, the kinds it may be, and how it stands on the command line.

    ``kinds`` are artifact classes, and :class:`Source` where raw files, ``pkg:`` and ``hf:`` may
    be given. It is an argument in the order of the list, or ``--role`` with ``option``. ``named``
    says that the input's name goes into what is made, so that another name makes another thing.
    ``sets_aside`` says that the command itself sets aside raw files that cannot be read, so that they
    are an error only where there are no others. ``streams`` says that it reads the objects of a store
    where they are, through ``aictl.stores``; for any other command they are copied first.
    """

    role: str
    kinds: tuple[type[Artifact] | type[Source], ...]
    help: str
    many: bool = False
    option: bool = False
    required: bool = True
    named: bool = False
    sets_aside: bool = False
    streams: bool = False


class Work(NamedTuple, Generic[S]):
    """Everything a command's ``run`` is handed.

    ``inputs`` holds one Artifact or Source per role, a tuple for roles that take many, None for
    one that was not given. A command that makes writes into ``folder``, which starts empty;
    ``scratch`` outlives a kill and is there again when the same command is run again, until the
    artifact is made. ``workspace`` is the root of the workspace, if there is one.
    """

    spec: S
    inputs: Mapping[str, Any]
    folder: Path
    scratch: Path
    events: Events
    workspace: Path | None


class Command(NamedTuple):
    """A verb at the door: what it takes, what it makes, and the function that does it.

    ``makes`` is empty for a command that answers; its ``run`` then returns an ``Answer`` or None.
    ``extra`` names the optional dependencies that are checked before ``run`` is called.
    ``revision`` is raised when the same inputs and options would give another result. ``observes``
    marks a command that looks at the world and so always runs. ``glances`` marks one that answers
    from what lies there and may read little of it: its inputs' files are held against their records by
    size alone, where otherwise every byte is read first. ``workspace`` says whether one is needed, used if
    there, or never looked for. ``hands_out`` writes what a person takes away from the artifact, such as a file to
    fill in: it is called each time, whether the artifact is made now or was there already, so what it is told with
    has ``affects_result=False``. ``launch`` marks a command that several processes can run together. It is handed the
    spec, the words of the command line and the events, and has them run by several processes, whose exit status it
    returns, or answers with how another machine is told to; None says that this process is enough. It is not called
    in a process that stands among others already, nor where nothing is left to do. ``foresees`` says what the work
    would take, for ``--dry-run`` to show; it is handed the spec and the inputs, and makes nothing.
    """

    run: Callable[[Work[Any]], Artifact | Answer | None]
    spec: type[Spec] = NoOptions
    takes: Sequence[Takes] = ()
    makes: tuple[type[Artifact], ...] = ()
    extra: str | None = None
    revision: int = 1
    observes: bool = False
    glances: bool = False
    workspace: Literal["required", "optional", "none"] = "required"
    hands_out: Callable[[Any, Any, Events], None] | None = None
    launch: Callable[[Any, Sequence[str], Events], Answer | int | None] | None = None
    foresees: Callable[[Any, Mapping[str, Any]], Mapping[str, Any]] | None = None


class Followed(Exception):
    """Raised by a verb in a process that is not the first of those that run a command together, once the first one
    can do the rest alone. The runner takes it for a good end."""

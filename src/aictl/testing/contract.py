"""The contract that every command keeps, ours and a plugin's, as one check.

from my_plugin.commands import shout

def test_contract() -> None:
    check_command(shout.command, shout.__name__)
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence

from aictl.core import doors
from aictl.core.artifact import Artifact, Source
from aictl.core.command import Command
from aictl.core.doors import Door
from aictl.core.spec import flat_fields, is_positional

SUMMARY_CHARS = 80  # what a terminal shows beside the command's name without breaking the line

# What takes seconds to import, or belongs to the command line alone: a command's module is
# imported to show its --help.
KEPT_OUT = (
    "torch",
    "transformers",
    "tokenizers",
    "gigatoken",
    "peft",
    "onnx",
    "onnxruntime",
    "onnxruntime_genai",
    "tensorrt",
    "tensorrt_rtx",
    "tensorflow",
    "keras",
    "tf2onnx",
    "openvino",
    "numpy",
    "datasets",
    "copier",
    "starlette",
    "uvicorn",
    "typer",
    "rich",
)


def check_command(command: Command, module: str) -> None:
    """Raise ``AssertionError`` naming everything in which a command breaks the contract.

    ``module`` is the module that exports it, by its dotted name.
    """
    found = [*_docstring(module), *_spec(command), *_inputs(command), *_kinds(command), *_door(command, module)]
    found += [f"importing {module} imports {name}" for name in loaded_by([module])]
    assert not found, f"{module}:\n  " + "\n  ".join(found)


def loaded_by(modules: Sequence[str], kept_out: Sequence[str] = KEPT_OUT) -> list[str]:
    """Which of ``kept_out`` a fresh interpreter has loaded after importing ``modules``."""
    lines = [*(f"import {name}" for name in modules), "import json, sys", "print(json.dumps(list(sys.modules)))"]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{', '.join(modules)} cannot be imported:\n{done.stderr}")
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    return [name for name in kept_out if name in loaded]


def _docstring(module: str) -> Iterator[str]:
    text = (doors.docstring(module) or "").strip()
    first = text.partition("\n")[0]
    if not text:
        yield "there is no docstring, which is the command's help"
    elif len(first) > SUMMARY_CHARS or not first.endswith("."):
        yield f"the docstring's first line is no sentence of at most {SUMMARY_CHARS} characters: {first!r}"


def _spec(command: Command) -> Iterator[str]:
    try:
        fields = list(flat_fields(command.spec))
    except TypeError as error:
        yield str(error)
        return
    for path, field in fields:
        if not (field.description or "").strip():
            yield f"option '{path[-1]}' has no help"
        if field.is_required() and not is_positional(field):
            yield f"option '{path[-1]}' has neither a default nor a place among the arguments"


def _inputs(command: Command) -> Iterator[str]:
    roles = [take.role for take in command.takes]
    for take in command.takes:
        if not take.help.strip():
            yield f"input '{take.role}' has no help"
        if not take.kinds:
            yield f"input '{take.role}' takes no kind"
        if not take.role.isidentifier() or roles.count(take.role) > 1:
            yield f"input '{take.role}' needs a name of its own that is a word of letters, digits and _"


def _kinds(command: Command) -> Iterator[str]:
    offered = doors.doors(doors.KINDS)
    taken = [kind for take in command.takes for kind in take.kinds if not issubclass(kind, Source)]
    for kind in {*command.makes, *taken}:
        if not issubclass(kind, Artifact) or kind is Artifact:
            continue  # a command may take any kind
        if kind.kind not in offered:
            yield f"kind '{kind.kind}' is not registered under {doors.KINDS}"
        elif offered[kind.kind].load() is not kind:
            yield f"kind '{kind.kind}' is registered as another class than {kind.__module__}.{kind.__name__}"


def _door(command: Command, module: str) -> Iterator[str]:
    """Whether the command line can be made of it: types it knows, names that do not clash."""
    from aictl.cli.bind import leaf

    names = [name for name, value in vars(importlib.import_module(module)).items() if value is command]
    if not names:
        yield f"{module} does not export this command"
        return
    try:
        leaf(Door("check", f"{module}:{names[0]}", module.partition(".")[0], ""))
    except Exception as error:
        yield f"no command line can be made of it: {type(error).__name__}: {error}"

"""Writes docs/commands.md, the command reference, from the commands themselves.

python docs/reference.py           write it
python docs/reference.py --check   exit 1 if what is there is not what would be written
"""

from __future__ import annotations

import argparse
import enum
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from aictl.core import doors
from aictl.core.artifact import Artifact
from aictl.core.command import Command, Takes
from aictl.core.spec import flat_fields, is_positional, short_of

PAGE = Path(__file__).with_name("commands.md")
HEAD = """# Commands

Generated from the commands by `make docs`. What a command takes and makes are kinds of artifact; raw
input is a file, a folder, `pkg:NAME==VERSION` or `hf:ORG/NAME@REVISION`.

Every command has `--json`, `--events`, `--workspace` and `--debug`. One that makes an artifact also has
`--name`, `--force`, `--dry-run`, `--rehash` and `--tui`. Each option can be set in `aictl.toml`, in the table of its
command, and in the environment, as `AICTL_COMMAND_OPTION`.
"""
FIRST_PARTY = ("aictl", "aictl-tensorrt")


def page() -> str:
    """The whole reference, first-party commands alone, in order of name."""
    lines = [HEAD]
    for name, door in doors.doors(doors.COMMANDS).items():
        if isinstance(door, doors.Door) and door.distribution in FIRST_PARTY:
            lines += section(name, door)
    return "\n".join(lines)


def section(name: str, door: doors.Door) -> Iterator[str]:
    """One command: what it is for, its usage, its options."""
    command: Command = door.load()
    about = (doors.docstring(door.module) or "").strip()
    yield f"## aictl {name.replace('.', ' ')}\n"
    yield about + "\n"
    words = [take.role.upper() + ("..." if take.many else "") for take in command.takes if not take.option]
    fields = list(flat_fields(command.spec))
    words += [path[-1].upper() for path, field in fields if is_positional(field)]
    yield f"    aictl {' '.join([*name.split('.'), *words])} [OPTIONS]\n"
    facts = []
    for take in command.takes:
        facts.append(f"Takes `{take_word(take)}`, {kinds(take)}: {take.help}.")
    if command.makes:
        facts.append("Makes " + " or ".join(f"`{kind.kind}`" for kind in command.makes) + ".")
    if command.extra:
        facts.append(f"Needs the extra `{command.extra}`.")
    if door.distribution != "aictl":
        facts.append(f"Comes with the plugin `{door.distribution}`.")
    if facts:
        yield "\n".join(f"- {fact}" for fact in facts) + "\n"
    if fields:
        yield "| option | value | default | what it is |\n|---|---|---|---|"
        for path, field in fields:
            word = path[-1].upper() if is_positional(field) else "--" + path[-1].replace("_", "-")
            word += f"`, `-{letter}" if (letter := short_of(field)) else ""
            text = (field.description or "").replace("|", "\\|")
            yield f"| `{word}` | {value(field.annotation)} | {default(field)} | {text} |"
        yield ""


def take_word(take: Takes) -> str:
    return f"--{take.role}" if take.option else take.role.upper()


def kinds(take: Takes) -> str:
    return " or ".join(kind.kind if issubclass(kind, Artifact) else "raw input" for kind in take.kinds)


def value(kind: Any) -> str:
    """The kind of value in a word, or its choices."""
    if get_origin(kind) in (Union, types.UnionType):
        return value(next(one for one in get_args(kind) if one is not type(None)))
    if get_origin(kind) in (list, tuple):
        return f"{value(get_args(kind)[0])}, several"
    if get_origin(kind) is Literal:
        return ", ".join(f"`{one}`" for one in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return ", ".join(f"`{one.value}`" for one in kind)
    return {bool: "yes or no", int: "integer", float: "number", str: "text", Path: "path"}.get(kind, "text")


def default(field: Any) -> str:
    given = field.get_default(call_default_factory=True)
    if field.is_required():
        return "required"
    if isinstance(given, bool):
        return "yes" if given else "no"
    if given in (None, "", [], ()):
        return ""
    return f"`{given.value if isinstance(given, enum.Enum) else given}`"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    if given.check:
        return 0 if PAGE.exists() and PAGE.read_text("utf-8") == page() else 1
    PAGE.write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

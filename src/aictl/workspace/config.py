"""Settings in layers: default < aictl.toml < environment < command line.

Every layer is read against the same Spec, so a bad value is named with where it came from, and all
bad values are named at once.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_origin

from pydantic import ValidationError

from aictl.core import doors
from aictl.core.errors import BadRequest
from aictl.core.spec import Spec, flat_fields, flat_values

PREFIX = "AICTL_"


class Settings(NamedTuple):
    """A whole Spec, and for each option (by flat name) where its value came from."""

    spec: Spec
    origin: Mapping[str, str]


def read_toml(path: Path) -> dict[str, Any]:
    """The whole ``aictl.toml``, its tables checked against the commands there are.

    Raises :class:`BadRequest` for a file that cannot be read or is no TOML, and for an unknown table.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")  # some editors begin a file with a byte order mark
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadRequest(
            f"{path} cannot be read: {error.strerror}",
            cure=f"`ls -l {path}` shows who may; an empty {path.name} will do",
        ) from error
    except UnicodeDecodeError as error:
        where = _at(data[: error.start].decode("utf-8-sig"))
        raise BadRequest(
            f"{path}{where}: byte 0x{data[error.start]:02x} is not UTF-8",
            cure="save it as UTF-8; `iconv -f LATIN1 -t UTF-8` converts it, or whatever it is in",
        ) from error
    if all(not line.strip() or line.lstrip().startswith("#") for line in text.splitlines()):
        return {}
    import tomllib  # most workspaces set nothing, and most commands are over before this would be

    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said, _, place = str(error).removesuffix(")").rpartition(" (at ")
        where = _at(text.rstrip()) if place == "end of document" else f", {place}"
        raise BadRequest(
            f"{path}{where}: {said[:1].lower()}{said[1:]}",
            cure='mend it there; a table is written [train], and below it an option: preset = "tiny"',
        ) from error
    _check_tables(tables, (), path)
    return tables


def _at(before: str) -> str:
    """The place that follows some text, as a person counts it."""
    return f", line {before.count(chr(10)) + 1}, column {len(before.rpartition(chr(10))[2]) + 1}"


def table_of(tables: Mapping[str, Any], command: str) -> dict[str, Any]:
    """The options that ``aictl.toml`` sets for a command."""
    value: Any = tables
    for step in command.split("."):
        value = value.get(step, {}) if isinstance(value, Mapping) else {}
    return dict(value) if isinstance(value, Mapping) else {}


def settle(
    command: str,
    spec: type[Spec],
    given: Mapping[str, Any],
    *,
    toml: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """The settings of one run.

    ``given`` are the options of the command line by flat name; ``toml`` is the workspace's file.
    Raises :class:`BadRequest` naming every bad value and its source.
    """
    fields = {path[-1]: (path, field) for path, field in flat_fields(spec)}
    values, origin, problems = _layers(command, spec, given, toml, environment)
    tree: dict[str, Any] = {}
    for name, value in values.items():
        place = tree
        for step in fields[name][0][:-1]:
            place = place.setdefault(step, {})
        place[name] = value
    settled: Spec | None = None
    try:
        settled = spec.model_validate(tree)
    except ValidationError as error:
        problems += [_problem(row, origin) for row in error.errors()]
    if problems or settled is None:
        raise BadRequest(
            problems[0] if len(problems) == 1 else "bad options:\n  " + "\n  ".join(problems),
            cure=f"aictl {command.replace('.', ' ')} --help",
        )
    return Settings(settled, {name: origin.get(name, "default") for name in fields})


def _layers(
    command: str,
    spec: type[Spec],
    given: Mapping[str, Any],
    toml: Path | None,
    environment: Mapping[str, str] | None,
) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """What the layers above the defaults set, from where, and what is wrong with their names."""
    fields = {path[-1]: (path, field) for path, field in flat_fields(spec)}
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    problems: list[str] = []

    for key, value in table_of(read_toml(toml), command).items() if toml else ():
        name = key.replace("-", "_")
        if name in fields:
            values[name], origin[name] = value, f"{toml}"
        else:
            problems.append(f"{toml}: [{command}] has no option '{key}'{_nearest(name, fields)}")

    prefix = PREFIX + command.replace(".", "_").upper() + "_"
    for key, text in (os.environ if environment is None else environment).items():
        if key.startswith(prefix):
            name = key.removeprefix(prefix).lower()
            if name in fields:
                many = get_origin(fields[name][1].annotation) in (list, tuple)
                values[name] = [part for part in text.split(",") if part] if many else text
                origin[name] = key
            else:
                problems.append(f"{key}: '{command}' has no option '{name}'{_nearest(name, fields)}")

    for name, value in given.items():
        values[name], origin[name] = value, flag(name)
    return values, origin, problems


def flag(name: str) -> str:
    """The command line's word for an option: ``max_steps`` is ``--max-steps``."""
    return "--" + name.replace("_", "-")


def _problem(row: Any, origin: Mapping[str, str]) -> str:
    steps = [step for step in row["loc"] if isinstance(step, str)]
    name = next((step for step in steps if step in origin), steps[-1] if steps else "")
    where = origin.get(name, flag(name))
    said = row["msg"].removeprefix("Value error, ")
    said = said[:1].lower() + said[1:]
    if row["type"] == "missing":
        return f"{name.replace('_', '-').upper()} is missing"
    option = "" if where.startswith("--") else f" {name} ="
    return f"{where}{option} {_shown(row['input'])}: {said}"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) and value.isprintable() else repr(value)


def _nearest(name: str, fields: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, fields, n=1)
    return f"; did you mean '{near[0]}'?" if near else f"; there are {', '.join(sorted(fields)) or 'none'}"


def _check_tables(tables: Mapping[str, Any], path: tuple[str, ...], file: Path) -> None:
    commands = list(doors.doors(doors.COMMANDS))
    for key, value in tables.items():
        here = ".".join((*path, key))
        if here in commands:
            if not isinstance(value, Mapping):
                raise BadRequest(f"{file}: '{here}' is a command", cure=f"set its options in a table [{here}]")
            continue
        if any(command.startswith(here + ".") for command in commands) and isinstance(value, Mapping):
            _check_tables(value, (*path, key), file)
            continue
        near = difflib.get_close_matches(here, commands, n=1)
        raise BadRequest(
            f"{file}: no command is called '{here}'" + (f"; did you mean [{near[0]}]?" if near else ""),
            cure="aictl config show lists the commands and their options",
        )


class InForce(NamedTuple):
    """One option as it stands now."""

    name: str
    value: Any
    origin: str


def in_force(
    command: str, spec: type[Spec], *, toml: Path | None = None, environment: Mapping[str, str] | None = None
) -> list[InForce]:
    """Every option of a command that has a value before anything is typed.

    Raises :class:`BadRequest` for a bad value, like the run that would meet it.
    """
    required = {path[-1] for path, field in flat_fields(spec) if field.is_required()}
    if not required:
        settings = settle(command, spec, {}, toml=toml, environment=environment)
        values = flat_values(settings.spec)
        return [InForce(name, values[name], origin) for name, origin in settings.origin.items()]
    # What has to be typed is not there to be checked, so the rest stands as it was set.
    values, origins, problems = _layers(command, spec, {}, toml, environment)
    if problems:
        raise BadRequest("\n  ".join(problems))
    rows = []
    for path, field in flat_fields(spec):
        name = path[-1]
        value = (
            values[name]
            if name in values
            else None
            if name in required
            else field.get_default(call_default_factory=True)
        )
        rows.append(InForce(name, value, origins.get(name, "the command line" if name in required else "default")))
    return rows

"""From a Command to a Typer command: its inputs become arguments, its Spec becomes options.

Every value is passed on as the text that was typed: types and bounds are the Spec's, and are
checked once, together with ``aictl.toml`` and the environment.
"""

from __future__ import annotations

import enum
import inspect
import keyword
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typer.core import TyperCommand

from aictl.cli.execute import Common, execute
from aictl.core.artifact import Artifact
from aictl.core.command import Command, Takes
from aictl.core.doors import Clash, Door, docstring
from aictl.core.errors import BadRequest
from aictl.core.spec import flat_fields, is_positional, nested, short_of, takes_rest

_MAKING = "Artifact"
_EVERY = "Output"
_WORD = "__"  # follows an option's name where that is a word of Python, as in --for
_NO_VALUE = " "  # a flag takes no value; Typer would print <bool> for an empty metavar


def leaf(door: Door | Clash) -> Any:
    """The Typer command of a door. Raises what loading the door raises."""
    command: Command = door.load()
    assert isinstance(door, Door)
    app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
    rest = next((path[-1] for path, field in flat_fields(command.spec) if takes_rest(field)), None)
    app.command(name=door.name.rpartition(".")[2], help=_help(door), cls=_rest_taking(rest))(_callback(door, command))
    return typer.main.get_command(app)


def _callback(door: Door, command: Command) -> Any:
    fields = {path[-1]: field for path, field in flat_fields(command.spec)}
    roles = [take.role for take in command.takes]
    parameters = [_take(take, command.glances) for take in command.takes if not take.option]
    parameters += [_argument(name, field) for name, field in fields.items() if is_positional(field)]
    parameters += [_take(take, command.glances) for take in command.takes if take.option]
    parameters += [
        _option(name, field, _panel(command, name)) for name, field in fields.items() if not is_positional(field)
    ]
    parameters += _common(command, names_itself="name" in fields)
    taken: set[str] = set()
    for parameter in parameters:
        if parameter.name in taken:
            name = parameter.name.removesuffix(_WORD)
            raise TypeError(f"{door.name}: '{name}' is declared twice, or is an option of every command")
        taken.add(parameter.name)

    def callback(**typed: Any) -> None:
        values = {name.removesuffix(_WORD): value for name, value in typed.items()}
        given = {name: values[name] for name in fields if values[name] not in (None, [], ())}
        refs = {role: _several(values[role]) for role in roles}
        # An option of the command's own that is called like one of ours, such as prune's --dry-run, is
        # the command's; but what calls the artifact's folder by a name calls the artifact so.
        ours = {name: value for name, value in values.items() if name not in fields}
        common = Common(
            name=values.get("name"),
            force=bool(ours.get("force")),
            dry_run=bool(ours.get("dry_run")),
            rehash=bool(ours.get("rehash")),
            as_json=values["json"],
            events=_style(values["events"], bool(ours.get("tui"))),
            debug=values["debug"],
            workspace=Path(values["workspace"]) if values["workspace"] else None,
        )
        raise typer.Exit(execute(door.name, command, refs, given, common))

    callback.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    callback.__annotations__ = {}
    return callback


def _rest_taking(name: str | None) -> type[TyperCommand]:
    """The command class; one whose option takes the rest of the line cuts it off before parsing."""
    if name is None:
        return TyperCommand
    flag = "--" + name.replace("_", "-")

    class RestTaking(TyperCommand):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            if flag in args:
                at = args.index(flag)
                if not "".join(args[at + 1 :]).strip():
                    raise BadRequest(f"{flag} is given no command", cure="is a variable unset?")
                args = [*args[:at], *(word for one in args[at + 1 :] for word in (flag, one))]
            return super().parse_args(ctx, args)

    return RestTaking


def _take(take: Takes, glances: bool) -> inspect.Parameter:
    raw = "file or folder" if glances else "file, folder, URL, pkg: or hf:"
    kinds = " or ".join(kind.kind if issubclass(kind, Artifact) else raw for kind in take.kinds)
    text = f"{take.help} [dim]({kinds})[/]"
    kind = list[str] | None if take.many else str | None
    if take.option:
        default = ... if take.required else None
        info = typer.Option(default, _flag(take.role), help=text, metavar="REF", show_default=False)
    else:
        info = typer.Argument(
            ... if take.required else None,
            help=text,
            metavar=take.role.upper(),
            show_default=False,
        )
    return _parameter(take.role, kind, info)


def _argument(name: str, field: FieldInfo) -> inspect.Parameter:
    default = ... if field.is_required() else None
    info = typer.Argument(default, help=_text(field), metavar=name.upper(), show_default=False)
    return _parameter(name, list[str] | None if _many(field) else str | None, info)


def _option(name: str, field: FieldInfo, panel: str) -> inspect.Parameter:
    letter = [f"-{short}"] if (short := short_of(field)) else []
    if _scalar(field) is bool:
        words = f"{_flag(name)}/--no-{name.replace('_', '-')}"
        info = typer.Option(
            None, *letter, words, help=_text(field), show_default=False, rich_help_panel=panel, metavar=_NO_VALUE
        )
        return _parameter(name, bool | None, info)
    metavar = "CMD..." if takes_rest(field) else _metavar(field)
    info = typer.Option(
        None,
        *letter,
        _flag(name),
        help=_text(field),
        metavar=metavar,
        show_default=False,
        rich_help_panel=panel,
        autocompletion=_completer(_choices(field)),
    )
    return _parameter(name, list[str] | None if _many(field) else str | None, info)


def _common(command: Command, names_itself: bool) -> list[inspect.Parameter]:
    """The options that every command has, and those of every command that makes."""
    making = []
    if command.makes:
        making = [
            _flagged("force", bool, "Make it again even if it is up to date.", _MAKING),
            _flagged("dry_run", bool, "Say what would be done, with which inputs and options; touch nothing.", _MAKING),
        ]
        if not names_itself:
            making.insert(0, _flagged("name", str | None, "Call the artifact by this name.", _MAKING, metavar="NAME"))
    if command.makes or command.takes:
        making.append(_flagged("rehash", bool, "Read every input again; trust no remembered digest.", _MAKING))
    return [
        *making,
        _flagged("json", bool, "Print one JSON document on stdout.", _EVERY),
        _flagged(
            "events",
            str,
            "How progress is shown on stderr.",
            _EVERY,
            metavar="[auto|rich|tui|plain|jsonl|none]",
        ),
        *(
            [_flagged("tui", bool, "Watch it on a full screen; short for --events tui.", _EVERY)]
            if command.makes
            else []
        ),
        _flagged("workspace", str | None, "The workspace to use instead of the nearest.", _EVERY, metavar="FOLDER"),
        _flagged("debug", bool, "Show the traceback of an error.", _EVERY),
    ]


def _style(events: str | None, tui: bool) -> str:
    """How progress is shown: ``--tui`` is short for ``--events tui``."""
    if tui and events not in (None, "tui"):
        raise BadRequest(f"--tui is short for --events tui, and --events {events} is given as well")
    if tui:
        return "tui"
    return "auto" if events is None else events


def _flagged(
    name: str, kind: Any, text: str, panel: str, *, default: Any = None, metavar: str | None = None
) -> inspect.Parameter:
    if kind is bool:
        default, metavar = False, _NO_VALUE
    info = typer.Option(default, _flag(name), help=text, rich_help_panel=panel, metavar=metavar, show_default=False)
    return _parameter(name, kind, info)


def _parameter(name: str, kind: Any, info: Any) -> inspect.Parameter:
    name += _WORD if keyword.iskeyword(name) else ""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=info, annotation=kind)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _panel(command: Command, name: str) -> str:
    for field_name, field in command.spec.model_fields.items():
        inner = nested(field)
        if inner and name in inner.model_fields:
            return field_name.replace("_", " ").capitalize()
    return "Options"


def _scalar(field: FieldInfo) -> Any:
    """The type of one value: that of ``X | None`` is X, that of ``list[X]`` is X."""
    kind = field.annotation
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(one for one in get_args(kind) if one is not type(None))
    if get_origin(kind) in (list, tuple):
        kind = get_args(kind)[0]
    return kind


def _many(field: FieldInfo) -> bool:
    kinds = (
        get_args(field.annotation) if get_origin(field.annotation) in (Union, types.UnionType) else (field.annotation,)
    )
    return any(get_origin(kind) in (list, tuple) for kind in kinds)


def _choices(field: FieldInfo) -> list[str]:
    kind = _scalar(field)
    if get_origin(kind) is Literal:
        return [str(one) for one in get_args(kind)]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return [str(one.value) for one in kind]
    return []


def _completer(choices: Sequence[str]) -> Any:
    if not choices:
        return None

    def complete(incomplete: str) -> list[str]:
        return [one for one in choices if one.startswith(incomplete)]

    return complete


def _metavar(field: FieldInfo) -> str:
    if choices := _choices(field):
        return f"[{'|'.join(choices)}]"
    kind = _scalar(field)
    return {int: "INTEGER", float: "NUMBER", Path: "PATH"}.get(kind, "TEXT")


def _text(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, enum.Enum):
        value = value.value
    if value in (None, PydanticUndefined, (), [], "", False) or field.default_factory:
        return _escaped(field.description or "")
    shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else "yes" if value is True else str(value)
    return f"{_escaped(field.description or '')} [dim]{_escaped(f'[default: {shown}]')}[/]"


def _help(door: Door) -> str:
    """The docstring with its paragraphs on one line each, for the terminal to wrap; lines that are
    indented are examples and stay as they are."""
    paragraphs = []
    for paragraph in (docstring(door.module) or "").strip().split("\n\n"):
        lines = paragraph.splitlines()
        paragraphs.append(paragraph if any(line.startswith(" ") for line in lines) else " ".join(lines))
    return _escaped("\n\n".join(paragraphs))


def _escaped(text: str) -> str:
    """Text in which rich reads no markup."""
    return text.replace("[", r"\[")


def _several(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list | tuple) else (value,)

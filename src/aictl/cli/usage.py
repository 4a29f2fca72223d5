"""What Typer says about words that it cannot read, as one of our own errors."""

from __future__ import annotations

import difflib
from typing import Any

from aictl.core.errors import BadRequest

_EXTRA = "Got unexpected extra argument"


def as_ours(error: Any, command: str) -> BadRequest:
    """The error that tells what is wrong with the words of a command, such as ``aictl data prep``."""
    page = f"{command} --help"
    # Typer's classes of errors are private; what they carry tells them apart.
    name = getattr(error, "option_name", None)
    if name and hasattr(error, "possibilities"):
        return BadRequest(
            f"{command} has no option {name if name.isprintable() else repr(name)}",
            cure=_instead(name, error.ctx, command, page),
        )
    if not error.message and getattr(error, "param", None) is not None:
        *others, last = _missing(error)
        said = f"{', '.join(others)} and {last} are" if others else f"{last} is"
        return BadRequest(f"{command}: {said} missing", cure=page)
    said = error.format_message().rstrip(".")
    if said.startswith(_EXTRA):
        rest = said.partition(" (")[2].removesuffix(")")
        return BadRequest(f"{command}: '{rest}' is more than it takes", cure=f"{page}; a value with spaces is quoted")
    return BadRequest(f"{command}: {said[:1].lower()}{said[1:]}", cure=page)


def _missing(error: Any) -> list[str]:
    """Every argument and option that has to be there and is not: Typer stops at the first of them,
    with those that were given read already."""
    absent = [one for one in error.ctx.command.params if one.required and one.name not in error.ctx.params]
    return [one.name.upper() if one.param_type_name == "argument" else one.opts[0] for one in absent]


def _instead(name: str, ctx: Any, command: str, page: str) -> str:
    there = [word for one in ctx.command.params for word in (*one.opts, *one.secondary_opts) if word.startswith("--")]
    there += ["--help"] if ctx.parent else ["--help", "--version"]
    if near := difflib.get_close_matches(name, there, n=2):
        return f"perhaps {' or '.join(near)}? {page} lists the options"
    if hasattr(ctx.command, "list_commands"):
        return f"options stand after a command's name; {page} lists the commands"
    return f"{page} lists the options"

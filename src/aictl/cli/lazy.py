"""The command tree, grown from the entry points, in which a command is imported when it is called."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from typing import Any, TypeAlias

import typer
from typer.core import TyperCommand, TyperGroup

from aictl.cli.page import SPINE, Row, page, sections
from aictl.cli.streams import unheard
from aictl.core import doors
from aictl.core.doors import Clash, Door
from aictl.core.errors import BadRequest

Tree: TypeAlias = "dict[str, Tree | Door | Clash]"


def tree(offered: Mapping[str, Door | Clash]) -> Tree:
    """Dotted names as nested groups. A name that is both a command and a group is a clash."""
    root: Tree = {}
    for name, door in offered.items():
        *groups, leaf = name.split(".")
        here = root
        for step in groups:
            below = here.setdefault(step, {})
            if not isinstance(below, dict):
                here[step] = _clash(step, below, door)
                break
            here = below
        else:
            there = here.get(leaf)
            here[leaf] = door if there is None else _clash(name, there, door)
    return root


def _clash(name: str, there: Tree | Door | Clash, door: Door | Clash) -> Clash:
    found: list[Door] = []
    while isinstance(there, dict):
        there = next(iter(there.values()))
    for one in (there, door):
        found += one.doors if isinstance(one, Clash) else [one]
    return Clash(name, tuple(found))


class LazyGroup(TyperGroup):
    """A group whose commands come from the tree."""

    branches: Tree
    path: tuple[str, ...] = ()
    _listing = False

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if not args and not ctx.resilient_parsing:
            with unheard(sys.stderr):
                typer.echo(self.get_help(ctx), err=True)
            raise typer.Exit(2)
        with unheard(sys.stdout):  # of the help, since nothing else is written here
            return super().parse_args(ctx, args)
        raise typer.Exit()

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return list(self.branches)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        below = self.branches.get(cmd_name)
        if below is None:
            return None
        if isinstance(below, dict):
            group = LazyGroup(name=cmd_name, help=group_summary((*self.path, cmd_name), below), no_args_is_help=True)
            group.branches, group.path = below, (*self.path, cmd_name)
            return group
        if self._listing:
            return TyperCommand(cmd_name, help=below.summary())
        from aictl.cli.bind import leaf

        return leaf(below)

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        word = args[0]
        if word not in self.branches and not word.startswith("-"):
            near = difflib.get_close_matches(word, self.branches, n=3)
            raise BadRequest(
                f"no command is called '{' '.join((*self.path, word))}'",
                cure=f"perhaps {' or '.join(near)}?" if near else f"{ctx.command_path} --help lists the commands",
            )
        return super().resolve_command(ctx, args)

    def get_help_option(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        # Typer imports pydantic to read a flag's default of None, and does not for False.
        if option := super().get_help_option(ctx):
            option.default = False
        return option

    def shell_complete(self, ctx: typer.Context, incomplete: str) -> Any:  # type: ignore[override]
        # Completing a word needs names and summaries alone; nothing is imported for them.
        self._listing = True
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self._listing = False

    def rows(self) -> list[Row]:
        """A row of help for each command and group below."""
        return [
            Row(name, group_summary((*self.path, name), below), list(below))
            if isinstance(below, dict)
            else Row(name, below.summary())
            for name, below in self.branches.items()
        ]

    def get_help(self, ctx: typer.Context) -> str:  # type: ignore[override]
        usage = f"{ctx.command_path} COMMAND [ARGS]..."
        options = Row("--help", "Show this page; after a command's name, its options.")
        if self.path:
            return page(usage, str(self.help), [("Commands", self.rows()), ("Options", [options])])
        about = f"From bare hardware and raw data to a running AI application, one artifact at a time.\n \n{SPINE}"
        rows = [
            options,
            Row("--version", "Show the version."),
            Row("--install-completion", "Install completion for this shell; --show-completion prints it."),
        ]
        footer = (
            "Begin: aictl init NAME. Every command takes --help, and every one that makes takes --dry-run and --json."
        )
        return page(usage, about, [*sections(self.rows()), ("Options", rows)], footer)


def group_summary(path: tuple[str, ...], below: Tree) -> str:
    """What a group is for: the docstring of the package whose last name is the group's, or else
    the names of its commands."""
    for door in _leaves(below):
        package = door.module.rpartition(".")[0]
        if package.rpartition(".")[2] == path[-1] and (doc := doors.docstring(package)):
            return doc.strip().partition("\n")[0]
    return "Commands of a plugin."


def _leaves(below: Tree) -> list[Door]:
    found: list[Door] = []
    for one in below.values():
        if isinstance(one, dict):
            found += _leaves(one)
        elif isinstance(one, Door):
            found.append(one)
    return found

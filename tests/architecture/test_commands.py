"""Every command that stands in the entry points keeps the contract that plugins are held to."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from aictl.core import doors
from aictl.core.extras import EXTRAS
from aictl.testing.contract import check_command

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
OURS = PYPROJECT["project"]["entry-points"]


@pytest.mark.parametrize("name", OURS[doors.COMMANDS])
def test_command_keeps_the_contract(name):
    door = doors.doors(doors.COMMANDS)[name]
    check_command(door.load(), door.module)


@pytest.mark.parametrize("name", OURS[doors.COMMANDS])
def test_module_and_command_share_a_name(name):
    """One word on every storey: `aictl finetune lora` is aictl.commands.finetune.lora."""
    assert OURS[doors.COMMANDS][name] == f"aictl.commands.{name}:command"


@pytest.mark.parametrize("name", OURS[doors.KINDS])
def test_kind_is_known_by_its_own_name_and_says_what_it_is(name):
    kind = doors.kind(name)
    assert kind.kind == name
    assert kind.about


def test_the_extras_that_commands_name_can_be_installed():
    offered = PYPROJECT["project"]["optional-dependencies"]
    assert set(EXTRAS) <= set(offered)
    named = {door.load().extra for door in doors.doors(doors.COMMANDS).values()} - {None}
    assert named <= set(EXTRAS)


def test_the_installed_entry_points_are_those_of_this_checkout():
    """Otherwise every test that goes through the program would be about another one."""
    for group in (doors.COMMANDS, doors.KINDS):
        installed = {name: door.target for name, door in doors.doors(group).items() if door.distribution == "aictl"}
        assert installed == OURS[group], "pip install -e . --no-deps"

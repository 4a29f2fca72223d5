"""The contract finds what it is there to find, and the workspace runs commands for real."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from aictl.artifacts.probe import Probe
from aictl.core.artifact import Artifact
from aictl.core.command import Command, Takes
from aictl.core.spec import Spec, option
from aictl.testing.contract import check_command, loaded_by

GOOD = '''"""Do nothing, and say so."""
from aictl.core.command import Command

command = Command(run=lambda work: None, workspace="none")
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes a command's module and imports it; found by child processes too."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(text: str, name: str):
        (tmp_path / f"{name}.py").write_text(text)
        __import__(name)
        return sys.modules[name]

    return write


def broken(module, command: Command | None = None) -> str:
    if command is not None:
        module.command = command
    with pytest.raises(AssertionError) as caught:
        check_command(module.command, module.__name__)
    return str(caught.value)


def test_a_good_command_passes(module):
    good = module(GOOD, "contract_good")
    check_command(good.command, good.__name__)


@pytest.mark.parametrize("line", ["", '"""no full stop"""', '"""' + "long " * 20 + '."""'])
def test_the_first_line_is_a_short_sentence(module, line):
    text = line + "\n" + GOOD.partition("\n")[2]
    assert "docstring" in broken(module(text, f"contract_doc{len(line)}"))


def test_every_option_and_input_has_help_and_a_value(module):
    class Options(Spec):
        quiet: bool = option(False, help=" ")
        needed: int = option(help="how many")

    command = Command(run=lambda work: None, spec=Options, takes=[Takes("probe", (Probe,), help="")])
    said = broken(module(GOOD, "contract_help"), command)
    assert "option 'quiet' has no help" in said
    assert "option 'needed' has neither a default" in said
    assert "input 'probe' has no help" in said


def test_names_that_clash_are_found(module):
    class Inner(Spec):
        seed: int = option(0, help="seed")

    class Twice(Spec):
        seed: int = option(0, help="seed")
        inner: Inner = Inner()

    class Common(Spec):
        json_: int = option(0, help="fine")
        workspace: str = option("", help="taken by every command")

    clash = module(GOOD, "contract_clash")
    assert "'seed' is declared twice" in broken(clash, Command(run=lambda work: None, spec=Twice))
    assert "'workspace'" in broken(clash, Command(run=lambda work: None, spec=Common))


def test_a_kind_that_nobody_registered_is_found(module):
    class Sculpture(Artifact):
        kind = "sculpture"

    class Impostor(Artifact):
        kind = "probe"

    lonely = module(GOOD, "contract_kind")
    assert "'sculpture' is not registered" in broken(lonely, Command(run=lambda work: None, makes=(Sculpture,)))
    assert "as another class" in broken(lonely, Command(run=lambda work: None, makes=(Impostor,)))


def test_an_import_that_takes_seconds_is_found(module):
    heavy = module("", "contract_heavy")
    Path(heavy.__file__).write_text(GOOD.replace("\n", "\nimport numpy\n", 1))
    heavy.command = Command(run=lambda work: None)
    assert "imports numpy" in broken(heavy)


def test_a_module_that_cannot_be_imported_is_no_success(module):
    with pytest.raises(AssertionError, match="cannot be imported"):
        loaded_by(["contract_nowhere_at_all"])

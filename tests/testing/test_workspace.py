"""The fixture for plugin authors, used as they would use it."""

from __future__ import annotations

import json

import pytest

from aictl.artifacts.probe import Probe
from aictl.core.command import Command, Takes, Work
from aictl.core.errors import BadRequest, WrongKind
from aictl.core.events import Noted
from aictl.core.spec import Spec, option
from aictl.testing.workspace import Bench, workspace  # noqa: F401


class AddSpec(Spec):
    much: int = option(1, ge=0, help="how much to add")


def add(work: Work[AddSpec]) -> Probe:
    total = work.inputs["probe"].facts["total"] + work.spec.much
    work.events.noted(f"the total is {total}")
    (work.folder / "probe.json").write_text(json.dumps({"total": total}))
    return Probe(work.folder, metrics={"total": total})


ADD = Command(run=add, spec=AddSpec, takes=[Takes("probe", (Probe,), help="the one to add to")], makes=(Probe,))


@pytest.fixture
def one(workspace: Bench) -> Probe:  # noqa: F811
    folder = workspace.folder("one")
    (folder / "probe.json").write_text('{"total": 1}')
    return workspace.keep(Probe(folder, summary="one"), name="one")


def test_a_command_runs_as_the_program_runs_it(workspace: Bench, one: Probe):  # noqa: F811
    outcome = workspace.run_command(ADD, {"probe": one}, much=4, name="five")
    assert outcome.artifact.metrics == {"total": 5}
    assert outcome.artifact.made_from("probe").record.id == one.record.id
    assert Noted("the total is 5") in workspace.told
    assert (workspace.root / "artifacts" / "probe" / "five.ref").is_file()
    assert workspace.run_command(ADD, {"probe": "one"}, much=4).up_to_date


def test_the_caller_s_environment_has_no_say(workspace: Bench, one: Probe, monkeypatch):  # noqa: F811
    monkeypatch.setenv("AICTL_COMMAND_UNDER_TEST_MUCH", "100")
    assert workspace.run_command(ADD, {"probe": one}).artifact.metrics == {"total": 2}


def test_bad_options_and_kinds_raise_what_the_command_would_exit_with(workspace: Bench, one: Probe):  # noqa: F811
    from aictl.artifacts.checkpoint import Checkpoint

    with pytest.raises(BadRequest, match="much"):
        workspace.run_command(ADD, {"probe": one}, much=-1)
    picky = Command(run=add, takes=[Takes("model", (Checkpoint,), help="a model")], makes=(Probe,))
    with pytest.raises(WrongKind):
        workspace.run_command(picky, {"model": one})

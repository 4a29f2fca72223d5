from __future__ import annotations

import json

import pytest
import torch

from aictl.core.errors import Interrupted, MachineLacks
from aictl.core.events import Advanced, Events, Noted, silent
from aictl.training.checkpoints import Checkpoints, is_whole
from aictl.training.loop import fit
from aictl.training.spec import LoopSpec
from aictl.training.state import State


def state_at(step: int, size: int = 1000) -> State:
    return State({"model.a": torch.full((size,), float(step))}, {"facts": json.dumps({"step": step}), "scaler": "{}"})


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_last_few_are_kept_and_the_newest_is_gone_on_from(tmp_path):
    kept = Checkpoints(tmp_path / "c", 2)
    for step in (5, 10, 15):
        kept.save(state_at(step))
    kept.finish()
    assert names(tmp_path / "c") == ["step-000000010", "step-000000015"]
    assert kept.newest(silent) == tmp_path / "c/step-000000015/state.safetensors"


def test_the_best_is_kept_beside_the_last(tmp_path):
    kept = Checkpoints(tmp_path / "c", 1)
    for step, best in ((5, True), (6, False), (10, True), (15, False)):
        kept.save(state_at(step), best=best)
    kept.finish()
    assert names(tmp_path / "c") == ["best-000000010", "step-000000015"]
    assert kept.best(silent) == tmp_path / "c/best-000000010/state.safetensors"


@pytest.mark.parametrize("damage", ["cut", "changed", "no manifest", "no file"])
def test_a_torn_checkpoint_is_told_and_the_one_before_it_is_used(tmp_path, damage):
    kept = Checkpoints(tmp_path / "c", 2)
    for step in (5, 10):
        kept.save(state_at(step))
    kept.finish()
    newest = tmp_path / "c/step-000000010"
    path = newest / "state.safetensors"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-8])
    elif damage == "changed":
        path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    else:
        (path if damage == "no file" else newest / "manifest.json").unlink()
    assert not is_whole(newest)
    told: list[object] = []
    assert kept.newest(Events(told.append)) == tmp_path / "c/step-000000005/state.safetensors"
    assert any(isinstance(one, Noted) and "step-000000010 is torn" in one.message for one in told)


def test_what_a_kill_left_half_written_is_no_checkpoint(tmp_path):
    kept = Checkpoints(tmp_path / "c", 2)
    (tmp_path / "c/partial").mkdir()
    (tmp_path / "c/partial/state.safetensors").write_bytes(b"half")
    assert kept.newest(silent) is None
    kept.save(state_at(3))
    kept.finish()
    assert names(tmp_path / "c") == ["step-000000003"]


def test_a_folder_that_cannot_be_written_is_told_at_the_next_save(tmp_path):
    kept = Checkpoints(tmp_path / "c", 2)
    (tmp_path / "c").rmdir()
    (tmp_path / "c").write_text("in the way")
    kept.save(state_at(1))
    with pytest.raises(MachineLacks, match="cannot be written"):
        kept.finish()


def test_a_run_whose_newest_checkpoint_is_torn_ends_like_one_that_was_never_stopped(job):
    loop = LoopSpec(seed=5, evaluate_every=5, checkpoint_every=2)
    whole = job("whole", loop=loop)
    expected = fit(whole, silent)

    def stop(event: object) -> None:
        if isinstance(event, Advanced) and event.done == 9:
            raise Interrupted(15)

    with pytest.raises(Interrupted):
        fit(job("cut", loop=loop), Events(stop))
    cut = job("cut", loop=loop)
    found = sorted(cut.scratch.glob("checkpoints/step-*"))
    assert [one.name for one in found] == ["step-000000008", "step-000000009"]
    path = found[-1] / "state.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    outcome = fit(cut, silent)
    assert outcome.history.rows == expected.history.rows
    for one, other in zip(whole.model.parameters(), cut.model.parameters(), strict=True):
        assert torch.equal(one, other)

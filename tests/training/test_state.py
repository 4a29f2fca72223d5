from __future__ import annotations

import pytest
import torch

from aictl.core.errors import Damaged, Interrupted, MachineLacks
from aictl.core.events import Advanced, Events, silent
from aictl.training import state
from aictl.training.loop import fit


def stopped(job, step: int):
    def sink(event: object) -> None:
        if isinstance(event, Advanced) and event.done == step:
            raise Interrupted(15)

    made = job()
    with pytest.raises(Interrupted):
        fit(made, Events(sink))
    return made


def test_a_damaged_state_is_an_error_that_names_the_file(job):
    path = stopped(job, 4).scratch / state.STATE_NAME
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(Damaged, match=r"state\.safetensors") as raised:
        fit(job(), silent)
    assert raised.value.cure == f"rm {path}"


def test_a_state_of_another_model_is_refused(job):
    stopped(job, 4)
    other = job()
    other.model.resize_token_embeddings(70)
    with pytest.raises(Damaged):
        fit(other, silent)


def test_only_trained_weights_are_kept(job):
    made = job()
    for name, parameter in made.model.named_parameters():
        parameter.requires_grad_("norm" in name)
    optimizer = torch.optim.AdamW([p for p in made.model.parameters() if p.requires_grad])
    path = made.scratch / state.STATE_NAME
    state.save(path, made.model, optimizer, made.compute.scaler(), facts={"step": 0}, rng=state.random_state())
    from aictl.artifacts.safetensors import read_header

    names = read_header(path)
    assert any("norm" in name for name in names)
    assert not any("embed" in name for name in names)


def test_a_full_disk_is_said_to_be_one(tmp_path):
    from pathlib import Path

    from safetensors.torch import save_file

    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(MachineLacks, match="cannot be written"), state.disk(tmp_path):
        save_file({"a": torch.zeros(10)}, tmp_path / "missing" / "file")

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from aictl.core.errors import Damaged, MachineLacks
from aictl.training import state


def captured(made, optimizer: torch.optim.Optimizer, step: int = 0) -> state.State:
    return state.capture(made.model, optimizer, made.compute.scaler(), facts={"step": step}, rng=state.random_state())


def test_a_state_of_another_model_is_refused(job, tmp_path):
    made = job()
    optimizer = torch.optim.AdamW(made.model.parameters())
    kept = captured(made, optimizer)
    path = tmp_path / "state.safetensors"
    save_file(kept.tensors, path, metadata=kept.header)
    made.model.resize_token_embeddings(70)
    with pytest.raises(Damaged, match=r"state\.safetensors") as raised:
        state.restore(path, made.model, torch.optim.AdamW(made.model.parameters()), made.compute.scaler())
    assert raised.value.cure == f"rm -r {tmp_path}"


def test_only_trained_weights_are_kept_and_they_are_copies(job):
    made = job()
    for name, parameter in made.model.named_parameters():
        parameter.requires_grad_("norm" in name)
    trained = [p for p in made.model.parameters() if p.requires_grad]
    kept = captured(made, torch.optim.AdamW(trained), step=7)
    assert any("norm" in name for name in kept.tensors)
    assert not any("embed" in name for name in kept.tensors)
    assert state.facts_of(kept) == {"step": 7}
    before = {name: value.clone() for name, value in kept.tensors.items()}
    with torch.no_grad():
        for parameter in trained:
            parameter.add_(1)
    assert all(torch.equal(before[name], value) for name, value in kept.tensors.items())


def test_a_full_disk_is_said_to_be_one(tmp_path):
    with pytest.raises(MachineLacks, match="cannot be written"), state.disk(tmp_path):
        save_file({"a": torch.zeros(10)}, tmp_path / "missing" / "file")

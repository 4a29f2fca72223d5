"""Attention and the loss: that what is timed is what its name says, at every size that fits."""

from __future__ import annotations

import pytest
import torch

from aictl.core.events import Advanced, Events
from aictl.hw.bench import operators
from aictl.hw.bench.devices import Device, devices

CPU = devices(["cpu"], 1, 0.1)[0]


def test_both_passes_are_those_of_causal_attention():
    forward, backward = operators.attention(CPU, "fp32", (1, 2, 16, 64))
    out = forward()
    held = dict(zip(forward.__code__.co_freevars, (cell.cell_contents for cell in forward.__closure__), strict=True))
    queries, keys, values = (held[name] for name in ("queries", "keys", "values"))
    scores = queries @ keys.transpose(-1, -2) / 64**0.5
    future = torch.ones(16, 16, dtype=torch.bool).triu(1)
    wanted = scores.masked_fill(future, float("-inf")).softmax(-1) @ values
    torch.testing.assert_close(out, wanted, rtol=1e-4, atol=1e-5)
    gradients = backward()
    assert [one.shape for one in gradients] == [(1, 2, 16, 64)] * 3
    assert all(one.abs().sum() > 0 for one in gradients)


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
def test_the_loss_is_taken_back_to_the_logits_in_their_own_format(name):
    gradient = operators.cross_entropy(CPU, name, 4)()
    assert gradient.shape == (4, operators.VOCABULARY)
    assert gradient.dtype == operators.FORMATS[name]
    assert gradient.float().sum(1).abs().max() < 0.1  # a softmax sums to one, and so does its target


def test_every_format_has_its_curves():
    told = []
    found, notes = operators.measure(CPU, budget_s=0.002, lengths=[32, 64], events=Events(told.append))
    assert not notes
    assert found["operator_overhead_s"] > 0
    expected = [
        (name, its, length) for name in operators.TRAINED_IN for length in (32, 64) for its in ("forward", "backward")
    ]
    keys = [(row["dtype"], row["pass"], row["sequence_length"]) for row in found["attention"]]
    assert set(keys) <= set(expected)
    assert {(name, "forward", 32) for name in operators.TRAINED_IN} <= set(keys)
    assert all(row["flops_per_s"] > 0 for row in found["attention"])
    assert {row["dtype"] for row in found["cross_entropy"]} == set(operators.TRAINED_IN)
    assert all(row["logits_per_s"] > 0 for row in found["cross_entropy"])
    assert [event.done for event in told if isinstance(event, Advanced)] == [1, 2, 3, 4, 5, 6]


def test_what_does_not_fit_is_left_out():
    found, _ = operators.measure(Device("cpu", None, 2**24, 2**22, 0, 1), budget_s=0.002, lengths=[64])
    assert found["attention"] == []
    assert [row["tokens"] for row in found["cross_entropy"]] == [32] * 3


def test_what_a_kernel_refuses_is_said_and_the_rest_measured(monkeypatch):
    def refused(device, name, size):
        if name == "fp16":
            raise RuntimeError("no kernel for Half\nand more")
        return real(device, name, size)

    real = operators.attention
    monkeypatch.setattr(operators, "attention", refused)
    found, notes = operators.measure(CPU, budget_s=0.002, lengths=[32])
    assert notes == ["cpu fp16: attention refused: no kernel for Half"]
    assert {row["dtype"] for row in found["attention"]} == {"fp32", "bf16"}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
def test_a_gpu_s_attention_and_loss_are_measured():
    gpu = devices(["cuda:0"], None, 0.2)[0]
    found, _ = operators.measure(gpu, budget_s=0.05, lengths=[512, 1024])
    assert {row["pass"] for row in found["attention"]} == {"forward", "backward"}
    assert {row["dtype"] for row in found["cross_entropy"]} >= {"fp32", "fp16"}

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from aictl.core import extras
from aictl.core.errors import BadRequest, ExtraMissing, MachineLacks
from aictl.core.events import silent
from aictl.training.float8 import convert, multiplies_float8
from aictl.training.loop import fit
from aictl.training.precision import Compute, choose
from aictl.training.spec import PrecisionSpec

needs_torchao = pytest.mark.skipif(find_spec("torchao") is None, reason="torchao is not installed")
CPU = torch.device("cpu")


def wide_model(vocabulary: int = 61) -> LlamaForCausalLM:
    """Of its layers those into the wide middle are large enough, and those out of it are not."""
    torch.manual_seed(1)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=32,
            intermediate_size=2048,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=64,
        )
    )


def test_it_takes_torchao_and_a_gpu_that_has_it(monkeypatch):
    if multiplies_float8(torch.device("cuda" if torch.cuda.is_available() else "cpu")):
        pytest.skip("this machine multiplies float8")
    monkeypatch.setitem(extras.EXTRAS, "float8", ("no_such_module",))
    with pytest.raises(ExtraMissing, match="float8"):
        choose(PrecisionSpec(precision="fp8"))
    monkeypatch.setitem(extras.EXTRAS, "float8", ("torch",))
    with pytest.raises(MachineLacks, match="compute capability 8.9"):
        choose(PrecisionSpec(precision="fp8"))


@pytest.mark.integration
@needs_torchao
def test_the_large_layers_alone_change_and_no_weight_does():
    model = wide_model(vocabulary=2048)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert convert(model) == 4
    changed = {name for name, module in model.named_modules() if type(module).__name__ == "Float8Linear"}
    assert changed == {f"model.layers.{layer}.mlp.{part}_proj" for layer in (0, 1) for part in ("gate", "up")}
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.integration
@needs_torchao
def test_a_model_without_a_large_layer_is_refused(job):
    with pytest.raises(BadRequest, match="no layer of this model is large enough"):
        fit(job(compute=Compute(CPU, "fp8")), silent)


@pytest.mark.integration
@needs_torchao
def test_it_learns_as_bf16_does(job, tmp_path):
    """torch has the product for CPUs too, if slowly."""
    losses = {}
    for precision in ("bf16", "fp8"):
        made = job(precision, model=wide_model(), max_steps=20, compute=Compute(CPU, precision))
        outcome = fit(made, silent)
        losses[precision] = outcome.held_out_after
        assert outcome.held_out_after < outcome.held_out_before - 1
    assert losses["fp8"] != losses["bf16"]
    assert losses["fp8"] == pytest.approx(losses["bf16"], rel=0.05)
    made.model.save_pretrained(tmp_path / "kept")
    kept = LlamaForCausalLM.from_pretrained(tmp_path / "kept")
    assert all(torch.equal(one, other) for one, other in zip(kept.parameters(), made.model.parameters(), strict=True))


@pytest.mark.gpu
@needs_torchao
@pytest.mark.parametrize("compiled", [False, True])
def test_a_gpu_learns_in_float8(job, compiled):
    if not (torch.cuda.is_available() and multiplies_float8(torch.device("cuda"))):
        pytest.skip("no GPU that multiplies float8")
    compute = replace(choose(PrecisionSpec(device="cuda", precision="fp8")), compiled=compiled)
    outcome = fit(job(model=wide_model(), max_steps=20, compute=compute), silent)
    assert outcome.held_out_after < outcome.held_out_before - 1

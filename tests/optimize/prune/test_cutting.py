"""A smaller network does what the larger would without the parts that are gone, in every kind that is known."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import transformers
from transformers import AutoConfig

from aictl.optimize.prune.anatomy import ANATOMIES, Body
from aictl.optimize.prune.cutting import Left, cut, left, rebuilt
from aictl.optimize.prune.importance import Importance
from aictl.optimize.prune.spec import CutSpec
from aictl.training import saving

SHAPES = {
    "gpt2": {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 32},
    "distilbert": {"dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 48},
    "vit": {"image_size": 16, "patch_size": 4},
}
USUAL = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
}
HEADS = {
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "gpt2"), "AutoModelForCausalLM"),
    "vit": "AutoModelForImageClassification",
}


def built(kind: str):
    shape = SHAPES[kind] if kind in ("gpt2", "distilbert") else USUAL | SHAPES.get(kind, {})
    if HEADS.get(kind) == "AutoModelForCausalLM" and kind != "gpt2":
        shape = shape | {"num_key_value_heads": 2, "head_dim": 8}
    special = {} if kind == "vit" else {"vocab_size": 50, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    if kind == "modernbert":
        special |= {"cls_token_id": 1, "sep_token_id": 2}
    torch.manual_seed(0)
    auto = getattr(transformers, HEADS.get(kind, "AutoModelForSequenceClassification"))
    return auto.from_config(AutoConfig.for_model(kind, **shape, **special)).eval(), auto


def answer(kind: str, model) -> torch.Tensor:
    torch.manual_seed(1)
    given = (
        {"pixel_values": torch.randn(2, 3, 16, 16)} if kind == "vit" else {"input_ids": torch.randint(3, 50, (2, 9))}
    )
    with torch.no_grad():
        return model(**given).logits


@pytest.mark.parametrize("kind", ANATOMIES)
def test_parts_that_do_nothing_are_cut_and_nothing_changes(kind, tmp_path):
    """Neurons and heads whose outputs no weight reads can go; and files say what the network in memory did."""
    model, auto = built(kind)
    body = Body(model)
    kept_neurons = torch.randperm(48 if kind != "gpt2" else 128)[:16].sort().values
    neurons = torch.zeros(3, body.neurons)
    neurons[:, kept_neurons] = 1.0
    groups = None
    if body.anatomy.output:
        groups = torch.zeros(3, body.groups)
        groups[:, 1] = 1.0
    with torch.no_grad():
        for number in range(3):
            leaves = body.part(number, body.anatomy.leaves)
            idle = torch.ones(body.neurons, dtype=torch.bool)
            idle[kept_neurons] = False
            if kind == "gpt2":
                leaves.weight[idle] = 0
            else:
                leaves.weight[:, idle] = 0
            if body.anatomy.output:
                width = body.head_width * body.heads // body.groups
                output = body.part(number, body.anatomy.output)
                output.weight[:, :width] = 0
                output.weight[:, 2 * width :] = 0
    heads = body.heads // body.groups if groups is not None else body.heads
    smaller = cut(body, Left(3, heads, 16), Importance(torch.ones(3), groups, neurons))
    assert torch.allclose(answer(kind, smaller), answer(kind, model), atol=1e-5)
    assert smaller.num_parameters() < model.num_parameters()
    saving.save(smaller, tmp_path)
    loaded, info = auto.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values())
    assert torch.equal(answer(kind, loaded.eval()), answer(kind, smaller))


@pytest.mark.parametrize("kind", ANATOMIES)
def test_layers_that_are_left_are_those_that_were_named(kind):
    model, _ = built(kind)
    body = Body(model)
    smaller = rebuilt(body, model.state_dict(), [0, 2])
    assert len(Body(smaller).layers) == 2
    for name, value in Body(smaller).layers[1].state_dict().items():
        assert torch.equal(value, body.layers[2].state_dict()[name])
    answer(kind, smaller)


def test_layers_of_several_kinds_keep_theirs():
    model, _ = built("modernbert")
    kinds = list(model.config.layer_types)
    assert len(set(kinds)) > 1
    smaller = rebuilt(Body(model), model.state_dict(), [0, 2])
    assert smaller.config.layer_types == [kinds[0], kinds[2]]


def test_a_first_layer_that_is_unlike_the_others_stays_however_little_it_does():
    body = Body(built("modernbert")[0])
    little = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    smaller = cut(body, Left(1, body.heads, body.neurons), Importance(little, None, torch.ones(3, 48)))
    assert torch.equal(Body(smaller).layers[0].mlp.Wi.weight, body.layers[0].mlp.Wi.weight)


def test_a_share_leaves_what_kernels_like():
    body = SimpleNamespace(
        layers=[0] * 4, heads=8, groups=4, neurons=300, anatomy=SimpleNamespace(output="o", bound=())
    )
    assert left(body, CutSpec(), 0.5) == Left(4, 4, 152)

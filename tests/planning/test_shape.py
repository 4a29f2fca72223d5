"""Shapes from configurations and from a few numbers: their sizes are those that the models are known by."""

from __future__ import annotations

import json

import pytest

from aictl.core.errors import BadInput, BadRequest
from aictl.planning.assumed import Given, assume
from aictl.planning.config_json import read_shape, shape_of

LLAMA = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": False,
}
KNOWN = {
    "Llama 3.1 8B": (LLAMA, 8.03e9),
    "Llama 3.1 405B": (
        LLAMA
        | {"hidden_size": 16384, "num_hidden_layers": 126, "num_attention_heads": 128, "intermediate_size": 53248},
        405.9e9,
    ),
    "SmolLM2 135M": (
        LLAMA
        | {
            "hidden_size": 576,
            "num_hidden_layers": 30,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "intermediate_size": 1536,
            "vocab_size": 49152,
            "tie_word_embeddings": True,
        },
        134.5e6,
    ),
    "GPT-2": (
        {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257, "n_positions": 1024},
        124.4e6,
    ),
    "Qwen2 7B": (
        LLAMA
        | {
            "model_type": "qwen2",
            "hidden_size": 3584,
            "num_hidden_layers": 28,
            "num_attention_heads": 28,
            "num_key_value_heads": 4,
            "intermediate_size": 18944,
            "vocab_size": 152064,
        },
        7.62e9,
    ),
    "Qwen3 0.6B": (
        LLAMA
        | {
            "model_type": "qwen3",
            "hidden_size": 1024,
            "num_hidden_layers": 28,
            "num_attention_heads": 16,
            "head_dim": 128,
            "intermediate_size": 3072,
            "vocab_size": 151936,
            "tie_word_embeddings": True,
        },
        596e6,
    ),
    "Mixtral 8x7B": (
        LLAMA | {"model_type": "mixtral", "vocab_size": 32000, "num_local_experts": 8, "num_experts_per_tok": 2},
        46.7e9,
    ),
    "OPT 175B": (
        {
            "model_type": "opt",
            "hidden_size": 12288,
            "num_hidden_layers": 96,
            "num_attention_heads": 96,
            "ffn_dim": 49152,
            "vocab_size": 50272,
            "max_position_embeddings": 2048,
        },
        174.6e9,
    ),
    "BLOOM 176B": (
        {"model_type": "bloom", "n_embed": 14336, "n_layer": 70, "num_attention_heads": 112, "vocab_size": 250880},
        176.2e9,
    ),
    "Falcon 7B": (
        {
            "model_type": "falcon",
            "hidden_size": 4544,
            "num_hidden_layers": 32,
            "num_attention_heads": 71,
            "multi_query": True,
            "vocab_size": 65024,
        },
        6.92e9,
    ),
    "DeepSeek-V3": (
        {
            "model_type": "deepseek_v3",
            "hidden_size": 7168,
            "num_hidden_layers": 61,
            "num_attention_heads": 128,
            "num_key_value_heads": 128,
            "intermediate_size": 18432,
            "moe_intermediate_size": 2048,
            "n_routed_experts": 256,
            "n_shared_experts": 1,
            "num_experts_per_tok": 8,
            "first_k_dense_replace": 3,
            "kv_lora_rank": 512,
            "q_lora_rank": 1536,
            "qk_rope_head_dim": 64,
            "qk_nope_head_dim": 128,
            "v_head_dim": 128,
            "vocab_size": 129280,
            "tie_word_embeddings": False,
        },
        671e9,
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_configuration_has_the_parameters_that_its_model_is_known_by(name):
    values, parameters = KNOWN[name]
    assert shape_of(values, "config.json").parameters.total == pytest.approx(parameters, rel=0.005)


def test_active_parameters_and_cache_of_mixtures_and_latent_attention():
    mixtral = shape_of(KNOWN["Mixtral 8x7B"][0], "config.json")
    assert mixtral.active_parameters == pytest.approx(12.9e9, rel=0.01)
    deepseek = shape_of(KNOWN["DeepSeek-V3"][0], "config.json")
    assert deepseek.active_parameters == pytest.approx(37e9, rel=0.03)
    assert deepseek.cache_bytes_per_token() == 61 * (512 + 64) * 2
    assert shape_of(LLAMA, "config.json").cache_bytes_per_token() == 2 * 32 * 8 * 128 * 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hidden_size": None}, "hidden_size"),
        ({"num_hidden_layers": 0}, "num_hidden_layers is 0"),
        ({"num_hidden_layers": -3}, "num_hidden_layers is -3"),
        ({"hidden_size": "wide"}, "hidden_size is 'wide'"),
        ({"hidden_size": 10**12}, "whole number from 1 to"),
        ({"vocab_size": 3.5}, "vocab_size is 3.5"),
        ({"num_attention_heads": 33}, "33 heads do not divide"),
        ({"num_key_value_heads": 5}, "5 key/value heads do not divide 32"),
        ({"num_local_experts": 4, "num_experts_per_tok": 9}, "9 of 4 experts"),
        ({"model_type": "t5"}, "an encoder with a decoder"),
        ({"model_type": "bert"}, "an encoder"),
        ({"model_type": "mamba"}, "state-space"),
    ],
)
def test_what_cannot_be_a_model_is_named(change, said):
    with pytest.raises(BadInput, match=said):
        shape_of({**LLAMA, **change}, "config.json")


@pytest.mark.parametrize("text", ["", "[]", "{", "7", '"x"', "\udcff"])
def test_a_file_that_is_no_configuration_is_bad_input(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInput, match=str(path)):
        read_shape(path)


def test_the_text_part_of_a_model_that_sees(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": "llava", "text_config": LLAMA}))
    assert read_shape(path).hidden == 4096


@pytest.mark.parametrize(
    ("parameters", "hidden", "layers"),
    [(125e6, 768, 12), (1.3e9, 2048, 24), (6.7e9, 4096, 32), (13e9, 5120, 40), (175e9, 12288, 96)],
)
def test_parameters_alone_give_the_shapes_of_gpt_3(parameters, hidden, layers):
    shape, assumed = assume(Given(parameters=parameters))
    assert (shape.hidden, shape.layers) == (hidden, layers)
    assert any("hidden size" in one for one in assumed)
    assert any("layers" in one for one in assumed)


LARGE = (7e9, 7e10, 4e11, 1e12)


@pytest.mark.parametrize(
    ("parameters", "more"),
    [
        *((size, {}) for size in (1e6, 3e8, *LARGE)),
        *((size, {"gated": True}) for size in (1e6, 3e8, *LARGE)),
        *((size, {"experts": 8}) for size in LARGE),
        *((size, {"key_value_heads": 8}) for size in LARGE),
    ],
)
def test_an_assumed_shape_has_about_the_parameters_asked_for(parameters, more):
    shape, _ = assume(Given(parameters=parameters, **more))
    rel = 0.6 if parameters < 1e8 else 0.2
    assert shape.parameters.total == pytest.approx(parameters, rel=rel)
    assert shape.hidden % shape.heads == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Given(), "no model"),
        (Given(layers=4), "no model"),
        (Given(parameters=3), "not the size of a language model"),
        (Given(parameters=1e30), "not the size of a language model"),
        (Given(layers=10**9, hidden=8), "--layers"),
        (Given(parameters=175e9, layers=12, hidden=768), "--params says 1.75e\\+11"),
        (Given(layers=12, hidden=768, heads=7), "7 heads do not divide"),
        (Given(layers=12, hidden=768, heads=12, key_value_heads=5), "5 key/value heads"),
        (Given(layers=12, hidden=768, experts=2, experts_per_token=3), "3 of 2 experts"),
    ],
)
def test_contradictions_are_named(given, said):
    with pytest.raises(BadRequest, match=said):
        assume(given)

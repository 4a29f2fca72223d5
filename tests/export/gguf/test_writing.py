"""A GGUF file says what PyTorch says, comes back as the model that it was, and is a gate."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from gguf import GGUFReader, dequantize
from safetensors.torch import load_file
from tests.export.gguf.conftest import ROWS, TEMPLATE, THETA, exported
from transformers import AutoModelForCausalLM, AutoTokenizer

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.gguf import FILE, Gguf
from aictl.core.artifact import InputRecord, Record, Source
from aictl.core.errors import BadInput, GateMissed, WorkFailed, WrongKind
from aictl.core.events import silent
from aictl.export.gguf import network, tensors
from aictl.model.add import add
from aictl.model.spec import AddSpec

TEXTS = ("The capital of France is", "Größe 1234 \n\n<|end_of_text|> it's  two")


@pytest.fixture(scope="module")
def made(write_model, tmp_path_factory) -> Gguf:
    return exported(write_model("llama"), tmp_path_factory.mktemp("gguf"), type="f32")


@pytest.mark.parametrize("name", ["llama", "llama3", "linear", "qwen2", "qwen3"])
def test_it_comes_back_as_the_model_that_it_was(write_model, name, tmp_path):
    model = write_model(name)
    back = tmp_path / "back"
    back.mkdir()
    made = exported(model, tmp_path, type="f32")
    made.check()
    assert made.metrics["parity"]["worst"] < 1e-4 and made.metrics["parity"]["same_choice"] == 1.0
    assert made.metrics["same_tokens"] > 1000

    added = add(Source(str(made.folder), made.folder, "0" * 64), AddSpec(), back, events=silent)
    here, there = load_file(back / "model.safetensors"), load_file(model.folder / "model.safetensors")
    assert here.keys() == there.keys()
    assert all(torch.equal(here[one], there[one]) for one in there)
    ids = torch.arange(200)[None]
    one, other = (AutoModelForCausalLM.from_pretrained(folder) for folder in (model.folder, back))
    with torch.inference_mode():
        assert torch.allclose(one(ids).logits, other(ids).logits, atol=1e-4)
    assert other.config.rope_parameters == pytest.approx(one.config.rope_parameters)
    mine, its = (AutoTokenizer.from_pretrained(folder) for folder in (model.folder, back))
    assert all(mine(text)["input_ids"] == its(text)["input_ids"] for text in TEXTS)
    assert (its.chat_template, its.bos_token, its.eos_token) == (TEMPLATE, mine.bos_token, mine.eos_token)
    assert added.context_length == model.context_length


def test_it_says_what_it_is(made, write_model):
    weights = sum(value.numel() for value in load_file(write_model("llama").folder / "model.safetensors").values())
    assert made.brief() == ("text-generation", "llama", weights, "f32", 256, None)
    assert made.metrics["parameters"] == weights and made.metrics["size_bytes"] > 4 * weights
    facts = made.facts
    assert (facts["vocabulary"], facts["pre_tokenizer"], facts["has_chat_template"]) == (ROWS, "gpt-2", True)
    assert made.header.metadata["llama.rope.freq_base"] == THETA
    assert made.header.metadata["tokenizer.ggml.add_bos_token"] is True
    # Embeddings that are tied are written once.
    assert "output.weight" not in made.tensors()


def test_narrow_numbers_are_half_or_a_quarter_as_large_and_further_off(made, write_model, tmp_path):
    worst = [made.metrics["parity"]["worst"]]
    sizes = [made.metrics["size_bytes"]]
    for narrow in ("f16", "q8_0"):
        other = exported(write_model("llama"), tmp_path / narrow, type=narrow)
        worst.append(other.metrics["parity"]["worst"])
        sizes.append(other.metrics["size_bytes"])
        assert other.metrics["tensors"] == {narrow: 15, "f32": 5}
        assert 0.8 < other.metrics["parity"]["same_choice"] < 1.0
        assert other.brief().precision == narrow
    assert worst[0] < worst[1] < worst[2]
    assert sizes[0] > sizes[1] > sizes[2]
    with pytest.raises(GateMissed, match=r"by up to .* of the next tokens are the same"):
        exported(write_model("llama"), tmp_path / "missed", type="q8_0", tolerance=0.01)


def test_an_adapter_is_merged(write_model, tmp_path):
    from peft import LoraConfig, get_peft_model

    base, tuned = write_model("qwen2"), tmp_path / "tuned"
    module = AutoModelForCausalLM.from_pretrained(base.folder)
    lora = LoraConfig(r=2, target_modules=["q_proj", "down_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(module, lora).save_pretrained(tuned)
    row = InputRecord(role="checkpoint", id="1", kind="checkpoint", object="checkpoint/1")
    record = Record(
        kind="adapter", id="2", key="", command="", revision=1, spec={}, inputs=(row,), files={}, metrics={},
        summary="", created="", seconds=0,
    )  # fmt: skip
    adapter = Adapter(tuned, record=record, name="tuned", open_input=lambda row: base)
    made = exported(adapter, tmp_path, type="bf16")
    assert made.metrics["parity"]["worst"] < made.metrics["parity"]["tolerance"]
    plain = load_file(base.folder / "model.safetensors")["model.layers.0.mlp.down_proj.weight"]
    written = next(one for one in GGUFReader(made.model_path).tensors if one.name == "blk.0.ffn_down.weight")
    assert np.abs(dequantize(written.data, written.tensor_type) - plain.numpy()).max() > 0.01


def as_it_is(name: str, weights: np.ndarray) -> np.ndarray:
    return weights


@pytest.mark.parametrize("kind", ["f32", "f16", "bf16", "q8_0"])
def test_one_wrong_weight_is_found(kind, tmp_path):
    rows = torch.linspace(-1, 1, 64 * 64).reshape(64, 64).numpy()
    tensor = tensors.Tensor("blk.0.ffn_up.weight", rows, tensors.NUMBERS[kind])
    path = tmp_path / FILE
    tensors.write(path, "llama", lambda writer: None, [tensor], as_it_is, events=silent)
    tensors.require_rounded(path, [tensor], as_it_is, events=silent)
    content = bytearray(path.read_bytes())
    content[-2] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(WorkFailed, match="1 of the weights of 'blk.0.ffn_up.weight' are not those of the model"):
        tensors.require_rounded(path, [tensor], as_it_is, events=silent)


def test_numbers_that_do_not_fit_name_their_tensor(tmp_path):
    rows = np.full((4, 32), 1e6, np.float32)
    for kind, wanted in (("f16", "which do not fit into f16"), ("q8_0", None), ("bf16", None)):
        tensor = [tensors.Tensor("output.weight", rows, tensors.NUMBERS[kind])]
        path = tmp_path / kind
        if wanted:
            with pytest.raises(WorkFailed, match=f"'output.weight' has numbers up to 1e.06, {wanted}") as caught:
                tensors.write(path, "llama", lambda writer: None, tensor, as_it_is, events=silent)
            assert caught.value.cure == "--type bf16"
        else:
            tensors.write(path, "llama", lambda writer: None, tensor, as_it_is, events=silent)
            tensors.require_rounded(path, tensor, as_it_is, events=silent)


def test_rows_that_are_no_whole_blocks_stay_in_f16(write_model):
    module = AutoModelForCausalLM.from_pretrained(write_model("qwen2").folder)
    module.lm_head.weight = torch.nn.Parameter(torch.ones(5, 48))
    kinds = {one.name: one.kind.name for one in tensors.tensors_of(module, "qwen2", "q8_0")}
    assert (kinds["output.weight"], kinds["token_embd.weight"]) == ("F16", "Q8_0")
    assert {kinds["blk.0.attn_q.bias"], kinds["output_norm.weight"]} == {"F32"}


REFUSED = {
    "an architecture": (
        {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]},
        "is a GPT2LMHeadModel, and aictl",
    ),
    "experts": ({"model_type": "qwen3_moe", "architectures": ["Qwen3MoeForCausalLM"]}, "is a Qwen3MoeForCausalLM"),
    "biases": ({"model_type": "llama", "attention_bias": True}, "has attention_bias True"),
    "windows": ({"model_type": "qwen2", "use_sliding_window": True}, "has use_sliding_window True"),
    "layers": ({"model_type": "qwen3", "layer_types": ["sliding_attention"]}, "has layers of sliding_attention"),
    "an activation": ({"model_type": "llama", "hidden_act": "gelu"}, "has hidden_act 'gelu'"),
    "yarn": (
        {"model_type": "qwen3", "rope_parameters": {"rope_type": "yarn", "factor": 4.0}},
        "rotary positions of the kind yarn with factor, which are not written: known are default, linear, llama3",
    ),
    "an old file": ({"model_type": "llama", "rope_scaling": {"type": "dynamic", "factor": 2.0}}, "of the kind dynamic"),
    "parts of heads": (
        {"model_type": "llama", "rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}},
        "default with partial_rotary_factor",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_networks_that_llama_cpp_would_reckon_otherwise_are_refused(case):
    config, says = REFUSED[case]
    with pytest.raises(WrongKind) as caught:
        network.require_known("mine", config)
    assert caught.value.message.startswith("'mine' ") and says in caught.value.message


@pytest.mark.parametrize(
    ("name", "there", "other", "says"),
    [
        ("linear", b"linear", b"longer", "stretches its positions in a way that is not read: longer"),
        # The factor of what turns slowest, which is the whole of it.
        ("llama3", np.float32(8).tobytes() * 2, np.float32([8, 5]).tobytes(), "by factors of up to 8, which are not"),
    ],
    ids=["a kind", "factors"],
)
def test_positions_that_are_not_known_are_not_read(write_model, name, there, other, says, tmp_path):
    """Read as if they were plain, such a file would be another model."""
    back = tmp_path / "back"
    back.mkdir()
    made = exported(write_model(name), tmp_path, type="f16")
    content = made.model_path.read_bytes()
    assert there in content
    made.model_path.write_bytes(content.replace(there, other, 1))
    with pytest.raises(BadInput, match=says):
        add(Source(str(made.folder), made.folder, "0" * 64), AddSpec(), back, events=silent)
    assert not list(back.iterdir())


def test_another_architecture_is_refused_before_anything_is_loaded(write_model, tmp_path):
    folder = shutil.copytree(write_model("llama").folder, tmp_path / "copy")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps(config | {"model_type": "gemma2", "architectures": ["Gemma2ForCausalLM"]})
    )
    with pytest.raises(WrongKind, match="is a Gemma2ForCausalLM"):
        exported(Checkpoint(folder, name="mine"), tmp_path)
    assert not list((tmp_path / "made").iterdir())

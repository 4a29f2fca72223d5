"""Tiny models in each format that can be brought in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from aictl.core.artifact import Source
from aictl.train import tokenizer as tokenizers

TEMPLATE = "{% for message in messages %}{{ message['content'] + eos_token }}{% endfor %}"
HEADS, KEY_VALUE_HEADS = 4, 2


@pytest.fixture(scope="session")
def folder_model(tmp_path_factory) -> Path:
    """A Hugging Face folder with safetensors."""
    folder = tmp_path_factory.mktemp("folder") / "model"
    folder.mkdir()
    tokenizer = tokenizers.learn(["The capital of France is Paris. "] * 20, 290)
    tokenizers.save(tokenizer, folder, 64)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": TEMPLATE}))
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=KEY_VALUE_HEADS,
        max_position_embeddings=64,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
        tie_word_embeddings=True,
        initializer_range=0.2,
        rope_parameters={"rope_type": "default", "rope_theta": 5000.0},
    )
    LlamaForCausalLM(shape).save_pretrained(folder)
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: mit\n---\n# A model\n")
    return folder


@pytest.fixture(scope="session")
def gguf_model(folder_model, tmp_path_factory) -> Path:
    """The same model as a GGUF file with 8-bit matrices."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.Q8_0.gguf"
    model = LlamaForCausalLM.from_pretrained(folder_model)
    saved = json.loads((folder_model / "tokenizer.json").read_text())
    tokens = sorted(saved["model"]["vocab"], key=saved["model"]["vocab"].__getitem__)
    special = {row["content"] for row in saved["added_tokens"]}
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("Tiny")
    writer.add_license("apache-2.0")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_block_count(2)
    writer.add_context_length(64)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(96)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_VALUE_HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(5000.0)
    writer.add_rope_dimension_count(16)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in special else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in saved["model"]["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_pad_token_id(2)
    writer.add_chat_template(TEMPLATE)
    for name, values in _tensors(model).items():
        if values.ndim == 2:
            quantized = gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q8_0)
            writer.add_tensor(name, quantized, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tensors(model: LlamaForCausalLM) -> dict[str, np.ndarray]:
    """Weights under GGUF's names, with queries and keys in its order of rotary pairs."""
    names = {
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
    }
    tensors = {
        "token_embd.weight": model.model.embed_tokens.weight.detach().numpy(),
        "output_norm.weight": model.model.norm.weight.detach().numpy(),
    }
    for number, layer in enumerate(model.model.layers):
        for ours, theirs in names.items():
            values = layer.get_submodule(ours).weight.detach().numpy()
            heads = {"attn_q": HEADS, "attn_k": KEY_VALUE_HEADS}.get(theirs)
            if heads:
                values = values.reshape(heads, 2, -1, values.shape[1]).swapaxes(1, 2).reshape(values.shape)
            tensors[f"blk.{number}.{theirs}.weight"] = np.ascontiguousarray(values)
    return tensors


@pytest.fixture
def source() -> Callable[[Path], Source]:
    return lambda path: Source(str(path), path, "0" * 64)


@pytest.fixture
def made(tmp_path) -> Path:
    """The empty folder that an artifact is written into."""
    folder = tmp_path / "made"
    folder.mkdir()
    return folder

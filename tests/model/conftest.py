"""Tiny models in each format that can be brought in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
from transformers import LlamaForCausalLM

from aictl.core.artifact import Source

TEMPLATE = "{% for message in messages %}{{ message['content'] + eos_token }}{% endfor %}"


@pytest.fixture(scope="session")
def folder_model(write_llama, tmp_path_factory) -> Path:
    """A Hugging Face folder with safetensors."""
    folder = tmp_path_factory.mktemp("folder") / "model"
    write_llama(folder, "The capital of France is Paris. ", TEMPLATE)
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: mit\n---\n# A model\n")
    return folder


@pytest.fixture(scope="session")
def gguf_model(folder_model, tmp_path_factory) -> Path:
    """The same model as a GGUF file with 8-bit matrices."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.Q8_0.gguf"
    model = LlamaForCausalLM.from_pretrained(folder_model)
    config = model.config
    saved = json.loads((folder_model / "tokenizer.json").read_text())
    tokens = sorted(saved["model"]["vocab"], key=saved["model"]["vocab"].__getitem__)
    special = {row["content"] for row in saved["added_tokens"]}
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("Tiny")
    writer.add_license("apache-2.0")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
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
    heads_of = {"attn_q": model.config.num_attention_heads, "attn_k": model.config.num_key_value_heads}
    for number, layer in enumerate(model.model.layers):
        for ours, theirs in names.items():
            values = layer.get_submodule(ours).weight.detach().numpy()
            if heads := heads_of.get(theirs):
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

"""A GGUF file as a torch module and its tokenizer, by transformers' reader.

What that reader leaves out is added: how wide heads are where that does not follow from the other sizes, how positions
are stretched, and digits that stand alone. Without it such a file would be read as another model, and nobody told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFReader
from tokenizers import pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, modeling_gguf_pytorch_utils
from transformers.integrations.gguf import read_gguf_metadata
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from aictl.artifacts.gguf import ROPE_FACTORS
from aictl.core.errors import BadInput

# Those whose reading is completed here; others are left to the library.
_COMPLETED = ("llama", "qwen2", "qwen3")
# Of these every digit is a word, and the rest is split as GPT-2 does (llama-vocab.cpp, LLAMA_VOCAB_PRE_TYPE_SMOLLM).
_DIGITS_APART = ("smollm", "starcoder", "refact", "codeshell")
# Llama 3 stretches what turns slower than once in the context that it was first trained with, and says so to llama.cpp
# by a tensor alone. The settings behind it are its models' own, but for that context (config.json of Llama 3.1 to 3.3).
_LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
_FIRST_CONTEXTS = tuple(2**power for power in range(4, 18))


def load_gguf(path: Path, unpacked: Callable[[int], None] = lambda tensors: None) -> Any:
    """The network in float32 on the CPU, its weights exactly those of the file. ``unpacked`` is told how many tensors
    are done.

    Raises :class:`BadInput` for positions that are stretched in a way that is not known, and whatever the reader of
    the file raises.
    """
    config = _completed(path)
    given = _place(path) if config is None else {**_place(path), "config": config}
    with _bar_told(unpacked):
        return AutoModelForCausalLM.from_pretrained(path.parent, dtype=torch.float32, **given).eval()


def load_gguf_tokenizer(path: Path) -> Any:
    """transformers' tokenizer, made of the file's metadata."""
    tokenizer = AutoTokenizer.from_pretrained(path.parent, **_place(path))
    stated, _ = read_gguf_metadata(str(path))
    if stated.get("tokenizer.ggml.pre") in _DIGITS_APART:
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
    return tokenizer


def _place(path: Path) -> dict[str, Any]:
    return {"gguf_file": path.name, "local_files_only": True, "trust_remote_code": False}


@contextmanager
def _bar_told(unpacked: Callable[[int], None]) -> Iterator[None]:
    """Tell of transformers' own progress bar over the tensors, where it still has one: it writes to stderr whatever
    its settings say."""

    def told(tensors: Iterable[Any], **_: Any) -> Iterator[Any]:
        for done, tensor in enumerate(tensors, 1):
            yield tensor
            unpacked(done)

    original = getattr(modeling_gguf_pytorch_utils, "tqdm", None)
    if original is None:
        yield
        return
    modeling_gguf_pytorch_utils.tqdm = told
    try:
        yield
    finally:
        modeling_gguf_pytorch_utils.tqdm = original


def _completed(path: Path) -> Any | None:
    """The configuration of a file with what its reader leaves out; None where nothing has to be added."""
    stated, names = read_gguf_metadata(str(path))
    architecture = stated["general.architecture"]
    if architecture not in _COMPLETED:
        return None
    config = AutoConfig.from_pretrained(path.parent, **_place(path))
    usual = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    width = int(stated.get(f"{architecture}.attention.key_length", usual))
    if width != usual:
        config.head_dim = width
    kind = stated.get(f"{architecture}.rope.scaling.type", "none")
    factor = stated.get(f"{architecture}.rope.scaling.factor")
    stretched: dict[str, Any] = {}
    if kind == "linear" and factor and ROPE_FACTORS not in names:
        stretched = {"rope_type": "linear", "factor": float(factor)}
    elif kind != "none":
        raise BadInput(
            f"{path} stretches its positions in a way that is not read: {kind}",
            cure="take the model as safetensors",
        )
    elif ROPE_FACTORS in names:
        found = next(one.data for one in GGUFReader(path).tensors if one.name == ROPE_FACTORS)
        stretched = _as_llama3(path, np.asarray(found, np.float64), config)
    if stretched:
        config.rope_parameters = {**config.rope_parameters, **stretched}
    return config


def _as_llama3(path: Path, factors: np.ndarray, config: Any) -> dict[str, Any]:
    """The settings that give these factors."""
    for context in _FIRST_CONTEXTS:
        rope = {"rope_type": "llama3", "factor": float(factors.max()), "original_max_position_embeddings": context}
        rope |= _LLAMA3
        tried = type(config)(**{**config.to_dict(), "rope_parameters": {**config.rope_parameters, **rope}})
        turns, _ = ROPE_INIT_FUNCTIONS["llama3"](tried, torch.device("cpu"))
        width = 2 * len(factors)
        plain = tried.rope_parameters["rope_theta"] ** -(np.arange(0, width, 2) / width)
        if len(turns) == len(factors) and np.allclose(plain / turns.double().numpy(), factors, rtol=1e-4):
            return rope
    raise BadInput(
        f"{path} stretches its positions by factors of up to {math.ceil(factors.max())}, which are not Llama 3's",
        cure="take the model as safetensors",
    )

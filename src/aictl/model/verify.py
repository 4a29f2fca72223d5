"""Proof that a model that was brought in works: it loads whole and gives out finite numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import AictlError, BadInput
from aictl.inference.generator import Sampling
from aictl.inference.load import load
from aictl.inference.quiet import quiet

PROMPT = "The capital of France is"
FEW = 8  # tokens are generated: enough to go through the cache


def verify(model: Checkpoint | OnnxModel) -> dict[str, Any]:
    """Generate a few tokens and return the number of parameters and the sample.

    Raises :class:`BadInput` if weights are missing or do not fit, if the model does not run, or if
    its logits are not finite.
    """
    facts: dict[str, Any] = {}
    if isinstance(model, Checkpoint):
        facts["parameters"] = _refuse_gaps(model)
    try:
        generator = load(model)
        prompt = generator.encode(PROMPT)
        logits = generator.logits(prompt)
        text = "".join(piece.text for piece in generator.generate(prompt, Sampling(max_tokens=FEW)))
        generator.close()
    except (AictlError, RuntimeError, ValueError, IndexError, TypeError, KeyError) as error:
        raise BadInput(f"the model does not run: {error}", cure="download it again, or take another version") from error
    if not np.isfinite(logits).all():
        raise BadInput("the model's logits are not finite: its weights are damaged", cure="download it again")
    return facts | {"sample": PROMPT + text}


def _refuse_gaps(model: Checkpoint) -> int:
    """transformers fills weights that a checkpoint lacks with random numbers and goes on; here
    that is an error. Returns the number of parameters."""
    try:
        with quiet():
            module, loaded = AutoModelForCausalLM.from_pretrained(
                model.folder,
                dtype="auto",
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                device_map=None,
            )
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, SafetensorError) as error:
        raise BadInput(f"the model cannot be loaded: {error}", cure="download it again") from error
    lacking = sorted(loaded["missing_keys"])
    if lacking:
        raise BadInput(
            f"the model lacks {len(lacking)} of its weights, such as {lacking[0]}", cure="download it again, whole"
        )
    if loaded.get("mismatched_keys"):
        raise BadInput("some of the model's weights do not have the shape that its configuration says")
    parameters = sum(weight.numel() for weight in module.parameters())
    del module
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return parameters

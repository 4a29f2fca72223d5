"""Proof that a model that was brought in works: it loads whole and gives out finite numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import AictlError, BadInput
from aictl.inference.generator import Sampling
from aictl.inference.load import load
from aictl.inference.quiet import quiet
from aictl.model.intact import AGAIN, one_line

PROMPT = "The capital of France is"
FEW = 8  # tokens are generated: enough to go through the cache


def verify(model: Checkpoint | OnnxModel, source: Path) -> dict[str, Any]:
    """Generate a few tokens and return the number of parameters and the sample.

    Raises :class:`BadInput` if weights are missing or do not fit, if the model does not run, or if
    its logits are not finite.
    """
    facts: dict[str, Any] = {}
    if isinstance(model, Checkpoint):
        facts["parameters"] = _refuse_gaps(model, source)
    try:
        generator = load(model)
        prompt = generator.encode(PROMPT)
        logits = generator.logits(prompt)
        text = "".join(piece.text for piece in generator.generate(prompt, Sampling(max_tokens=FEW)))
        generator.close()
    except (AictlError, RuntimeError, ValueError, IndexError, TypeError, KeyError) as error:
        # The library names the copy that was tried; what is wrong is wrong in the source.
        said = one_line(error).replace(str(model.folder), str(source))
        raise BadInput(f"{source}: the model does not run: {said}", cure=f"{AGAIN}, or take another version") from error
    if not np.isfinite(logits).all():
        raise BadInput(f"{source}: the model's logits are not finite, so its weights are damaged", cure=AGAIN)
    return facts | {"sample": PROMPT + text}


def _refuse_gaps(model: Checkpoint, source: Path) -> int:
    """transformers fills weights that a checkpoint lacks, or that have another shape, with random
    numbers and goes on; here that is an error. Returns the number of parameters."""
    try:
        with quiet():
            module, loaded = AutoModelForCausalLM.from_pretrained(
                model.folder,
                dtype="auto",
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
                device_map=None,
            )
    except MemoryError:
        raise
    except Exception as error:  # what comes out of so many models' code
        said = one_line(error).replace(str(model.folder), str(source))
        raise BadInput(f"{source}: the model cannot be loaded: {said}", cure=AGAIN) from error
    if lacking := sorted(loaded["missing_keys"]):
        raise BadInput(f"{source}: the model lacks {len(lacking)} of its weights, such as {lacking[0]}", cure=AGAIN)
    if other := sorted(loaded["mismatched_keys"]):
        name, there, wanted = other[0]
        raise BadInput(
            f"{source}: '{name}' is of shape {tuple(there)}, and config.json says {tuple(wanted)}",
            cure="take the config.json that belongs to these weights",
        )
    parameters = sum(weight.numel() for weight in module.parameters())
    del module
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return parameters

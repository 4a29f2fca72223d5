"""Proof that a model that was brought in works: it loads whole and gives out finite numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from aictl.artifacts.capability import ABILITIES, Capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import AictlError, BadInput, ExtraMissing
from aictl.inference.generator import Sampling
from aictl.inference.load import load
from aictl.inference.quiet import quiet
from aictl.model import trial
from aictl.model.intact import AGAIN, one_line

PROMPT = "The capital of France is"
FEW = 8  # tokens are generated: enough to go through the cache


def verify(model: Checkpoint | OnnxModel, source: Path) -> dict[str, Any]:
    """Run the model on real input, and return the number of parameters and what came out.

    Raises :class:`BadInput` if weights are missing or do not fit, if the model does not run, or if
    what comes out is not finite; :class:`ExtraMissing` if preparing its input needs a library that is not
    installed.
    """
    facts: dict[str, Any] = {}
    capability: Capability = "text-generation"
    module: Any = None
    sample: str | None
    if isinstance(model, Checkpoint):
        assert model.capability is not None
        capability = model.capability
        module = _load_whole(model, capability, source)
        facts["parameters"] = sum(weight.numel() for weight in module.parameters())
    try:
        if capability == "text-generation":
            module = None  # it is loaded again below, as it will be for others
            numbers, sample = _generate(model)
        else:
            assert isinstance(model, Checkpoint)
            numbers, sample = trial.run(model, module, capability)
    except ExtraMissing:
        raise
    except (AictlError, RuntimeError, ValueError, IndexError, TypeError, KeyError, AttributeError, OSError) as error:
        # The library names the copy that was tried; what is wrong is wrong in the source.
        said = one_line(error).replace(str(model.folder), str(source))
        raise BadInput(f"{source}: the model does not run: {said}", cure=f"{AGAIN}, or take another version") from error
    if not np.isfinite(numbers).all():
        raise BadInput(f"{source}: the model's logits are not finite, so its weights are damaged", cure=AGAIN)
    return facts | {"sample": sample}


def _generate(model: Checkpoint | OnnxModel) -> tuple[np.ndarray, str]:
    """The logits after a prompt, and the prompt with a few tokens more."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    generator = load(model)
    prompt = generator.encode(PROMPT)
    logits = generator.logits(prompt)
    text = "".join(piece.text for piece in generator.generate(prompt, Sampling(max_tokens=FEW)))
    generator.close()
    return logits, PROMPT + text


def _load_whole(model: Checkpoint, capability: Capability, source: Path) -> Any:
    """The module in float32. transformers fills weights that a checkpoint lacks, or that have another shape, with
    random numbers and goes on; here that is an error."""
    try:
        with quiet():
            module, loaded = getattr(transformers, ABILITIES[capability].auto_class).from_pretrained(
                model.folder,
                dtype="auto" if capability == "text-generation" else torch.float32,
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
    # Vectors are pooled from hidden states, whatever BERT's own pooler would make of them.
    needed = {name for name in loaded["missing_keys"] if not (capability == "embedding" and "pooler." in name)}
    if lacking := sorted(needed):
        raise BadInput(f"{source}: the model lacks {len(lacking)} of its weights, such as {lacking[0]}", cure=AGAIN)
    if other := sorted(loaded["mismatched_keys"]):
        name, there, wanted = other[0]
        raise BadInput(
            f"{source}: '{name}' is of shape {tuple(there)}, and config.json says {tuple(wanted)}",
            cure="take the config.json that belongs to these weights",
        )
    return module

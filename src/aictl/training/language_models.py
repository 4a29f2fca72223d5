"""The pretrained model that is tuned, and its tokenizer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import BadRequest, Damaged
from aictl.inference.quiet import quiet
from aictl.training.precision import Compute


def load(checkpoint: Checkpoint, compute: Compute) -> PreTrainedModel:
    """The checkpoint's model with every weight frozen, in as little memory as the number format allows.

    The matrices are kept in the format they are multiplied in: they never change, so rounding
    them once is the same as rounding them at every step. Norms and embeddings keep theirs.
    Raises :class:`Damaged` if the files cannot be loaded.
    """
    model = _read(checkpoint, torch.float32 if compute.precision == "fp32" else "auto")
    model.requires_grad_(False)
    head = model.get_output_embeddings()
    for module in model.modules():
        if isinstance(module, torch.nn.Linear) and module is not head:
            module.to(compute.dtype)
    return _unmapped(model, compute)


def load_trainable(checkpoint: Checkpoint, compute: Compute) -> PreTrainedModel:
    """The checkpoint's model with every weight in float32, to be trained. Raises :class:`Damaged`."""
    return _unmapped(_read(checkpoint, torch.float32), compute)


def _read(checkpoint: Checkpoint, dtype: torch.dtype | str) -> PreTrainedModel:
    checkpoint.check()
    with _damage(checkpoint.folder), quiet():
        model = AutoModelForCausalLM.from_pretrained(
            checkpoint.folder, dtype=dtype, local_files_only=True, use_safetensors=True, trust_remote_code=False
        )
    model.config.use_cache = False
    return model


def _unmapped(model: PreTrainedModel, compute: Compute) -> PreTrainedModel:
    if compute.device.type == "cpu":
        # What was not converted still lies in the mapped file, and one tensor holds all of its pages.
        for parameter in model.parameters():
            parameter.data = parameter.data.clone()
    return model.to(compute.device)


def load_tokenizer(checkpoint: Checkpoint) -> PreTrainedTokenizerBase:
    """The checkpoint's tokenizer. Raises :class:`BadRequest` if it cannot say which characters a
    token stands for."""
    with _damage(checkpoint.folder), quiet():
        tokenizer = AutoTokenizer.from_pretrained(checkpoint.folder, local_files_only=True, trust_remote_code=False)
    if not tokenizer.is_fast:
        raise BadRequest(
            f"checkpoint '{checkpoint.label}' has only a slow tokenizer",
            cure="add the model again with a tokenizer.json",
        )
    return tokenizer


def require_match(model: PreTrainedModel, last: int, checkpoint: Checkpoint) -> None:
    """Raise :class:`BadRequest` if the model has no embedding for ``last``, the largest token id that its tokenizer
    gave."""
    rows = model.get_input_embeddings().weight.shape[0]
    if last >= rows:
        raise BadRequest(
            f"checkpoint '{checkpoint.label}': its tokenizer gave token {last}, and its model embeds {rows}",
            cure="add the model again with the tokenizer that it was trained with",
        )


def end_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """The tokens at which generation ends."""
    named = model.generation_config.eos_token_id if model.generation_config else None
    if named is None:
        named = tokenizer.eos_token_id
    return set() if named is None else {named} if isinstance(named, int) else set(named)


@contextmanager
def _damage(folder: Path) -> Iterator[None]:
    """Turn what transformers raises over bad files into :class:`Damaged`."""
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise Damaged(f"{folder} cannot be loaded: {error}", cure="aictl artifact check NAME") from error

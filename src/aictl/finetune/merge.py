"""An adapter and its checkpoint as one model, proven to say what the two said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from peft import PeftModel
from safetensors import SafetensorError

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.capability import ABILITIES
from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import BadRequest, Damaged, GateMissed
from aictl.core.events import Events
from aictl.finetune.spec import MergeSpec
from aictl.finetune.weights import kept_dtype
from aictl.inference.quiet import quiet
from aictl.training import saving

SEQUENCES, LENGTH = 4, 64  # of random tokens, on which logits are compared
PIXELS = 224  # a side of a random picture, where the model names none


class Difference(NamedTuple):
    """Between two models' logits: the largest, as a share of the largest logit there is, and the share of
    positions at which both put the same token first."""

    worst: float
    agreement: float


def merge(
    adapter: Adapter, spec: MergeSpec, folder: Path, *, base: Checkpoint | None = None, events: Events
) -> Checkpoint:
    """Write the merged model into ``folder``.

    Raises :class:`BadRequest` for a ``base`` that is not the adapter's, :class:`NotFound` if that one was removed,
    :class:`Damaged` if their files do not fit together, :class:`GateMissed` if merging changes what the model says.
    """
    base = _base(adapter, base)
    base.check()
    adapter.check()
    events.started("merge")
    model = _model(base.folder, adapter, base)
    adapted = _adapted(model, adapter, base)
    prompts = _prompts(adapted, base)
    wanted = _logits(adapted, prompts)
    merged = adapted.merge_and_unload()
    exact = difference(_logits(merged, prompts), wanted)
    events.measured("logit difference, merged", exact.worst)
    if exact.worst > spec.max_difference:
        raise GateMissed(
            f"merging '{adapter.label}' changes logits by {exact.worst:.2g} of the largest, and --max-difference is "
            f"{spec.max_difference:g}",
            cure="train the adapter again, or raise --max-difference",
        )
    dtype = kept_dtype(spec.save_dtype, base)
    merged.config.use_cache = base.config.get("use_cache", True)
    saving.save(merged, folder, dtype)
    saving.copy_beside(base, folder)
    kept = difference(_logits(_model(folder, adapter, base), prompts), wanted)
    events.measured("logit difference, as kept", kept.worst)
    events.finished("merge")
    name = str(dtype).removeprefix("torch.")
    metrics = {
        "parameters": merged.num_parameters(),
        "dtype": name,
        "difference": {"merged": exact._asdict(), "kept": kept._asdict()},
    }
    return Checkpoint(folder, metrics=metrics, summary=f"{adapter.label} merged into {base.label}, {name}")


def difference(logits: Sequence[torch.Tensor], wanted: Sequence[torch.Tensor]) -> Difference:
    ours, theirs = torch.cat(list(logits)), torch.cat(list(wanted))
    worst = (ours - theirs).abs().max() / theirs.abs().max()
    return Difference(worst.item(), (ours.argmax(-1) == theirs.argmax(-1)).float().mean().item())


def _base(adapter: Adapter, given: Checkpoint | None) -> Checkpoint:
    """The adapter's checkpoint, by the id of what it holds."""
    row = next((row for row in adapter.record.inputs if row.role == "checkpoint"), None) if adapter.record else None
    if given is None:
        return adapter.base
    if row is not None and given.record is not None and row.id != given.record.id:
        raise BadRequest(
            f"adapter '{adapter.label}' belongs to a checkpoint with the id {row.id[:12]}, and '{given.label}' has "
            f"{given.record.id[:12]}",
            cure="leave out --base, or name the checkpoint that the adapter was trained on",
        )
    return given


def _model(folder: Path, adapter: Adapter, base: Checkpoint) -> Any:
    kind = base.capability or "text-generation"
    try:
        with quiet():
            auto_class = getattr(transformers, ABILITIES[kind].auto_class)
            return auto_class.from_pretrained(
                folder, dtype=torch.float32, local_files_only=True, use_safetensors=True, trust_remote_code=False
            ).eval()
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise Damaged(f"{folder} cannot be loaded: {error}", cure=f"aictl artifact check {adapter.label}") from error


def _adapted(model: Any, adapter: Adapter, base: Checkpoint) -> PeftModel:
    try:
        with quiet():
            return PeftModel.from_pretrained(model, adapter.folder, local_files_only=True).eval()
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise Damaged(
            f"adapter '{adapter.label}' does not fit checkpoint '{base.label}': {error}",
            cure=f"aictl artifact check {adapter.label}",
        ) from error


def _prompts(model: Any, base: Checkpoint) -> list[dict[str, torch.Tensor]]:
    """Random tokens, or random pictures of the size that the model was made for."""
    config, generator = model.config.get_text_config(), torch.Generator().manual_seed(0)
    if base.capability == "image-classification":
        side = getattr(config, "image_size", None) or PIXELS
        shape = (1, getattr(config, "num_channels", 3), side, side)
        return [{"pixel_values": torch.randn(shape, generator=generator)} for _ in range(SEQUENCES)]
    length = min(LENGTH, base.context_length)
    tokens = torch.randint(0, config.vocab_size, (SEQUENCES, 1, length), generator=generator)
    return [{"input_ids": row} for row in tokens]


def _logits(model: Any, prompts: Sequence[dict[str, torch.Tensor]]) -> list[torch.Tensor]:
    with torch.inference_mode():
        return [model(**prompt).logits.float().flatten(0, -2) for prompt in prompts]

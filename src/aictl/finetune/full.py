"""Full fine-tuning: every weight of a checkpoint learns from examples, but those that are frozen."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from transformers import PreTrainedModel

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.finetune import pretrained, supervised
from aictl.finetune.spec import FullSpec, SaveDtype
from aictl.training import precision, saving
from aictl.training.precision import DTYPES
from aictl.training.ranks.joining import join

_RANGE = re.compile(r"(.*\D|)(\d+)-(\d+)")


def finetune(
    checkpoint: Checkpoint, dataset: Dataset, spec: FullSpec, folder: Path, *, scratch: Path, events: Events
) -> Checkpoint:
    """Train ``checkpoint`` on and write what comes of it, with its tokenizer, into ``folder``.

    ``scratch`` holds the encoded examples and the state of the loop; a run that finds them goes on from there.
    Raises :class:`BadRequest` for options that do not fit the checkpoint, :class:`BadInput` for a dataset from which
    nothing can be learnt, :class:`WorkFailed` when training diverges.
    """
    compute = precision.choose(spec.precision)
    world = join(spec.parallel, compute, events)
    load = pretrained.load_trainable
    lesson = supervised.prepare(
        checkpoint, dataset, spec, compute, load=load, world=world, scratch=scratch, events=events
    )
    model = lesson.model
    frozen = freeze(model, spec.freeze)
    outcome = supervised.teach(model, lesson, spec, spec.optimizer, compute, scratch=scratch, events=events)
    saving.save(model, folder, kept_dtype(spec.save_dtype, checkpoint))
    saving.copy_beside(checkpoint, folder)
    outcome.leave(folder, events)
    metrics = supervised.metrics(outcome, lesson) | {
        "parameters": model.num_parameters(),
        "trained_parameters": model.num_parameters() - frozen,
    }
    before, after = outcome.held_out_before, outcome.held_out_after
    summary = f"{checkpoint.label} tuned in full, held-out loss {before:.3f} to {after:.3f}"
    return Checkpoint(folder, metrics=metrics, summary=summary)


def kept_dtype(wanted: SaveDtype, checkpoint: Checkpoint) -> torch.dtype:
    return saving.dtype_of(checkpoint) if wanted == "base" else DTYPES[wanted]


def freeze(model: PreTrainedModel, patterns: list[str]) -> int:
    """Freeze the weights that ``patterns`` name, and return how many values those have.

    ``embeddings`` and ``head`` are the model's; any other is parts of a name one after the other, such as
    ``layers.3.mlp``, of which one may be a range: ``layers.0-3``. Raises :class:`BadRequest` for one that names
    nothing, and where nothing would be left to train.
    """
    special = {"embeddings": model.get_input_embeddings(), "head": model.get_output_embeddings()}
    named = dict(model.named_parameters())
    frozen: set[str] = set()
    for pattern in patterns:
        if pattern in special and special[pattern] is not None:
            chosen = {id(parameter) for parameter in special[pattern].parameters()}
            found = {name for name, parameter in named.items() if id(parameter) in chosen}
        else:
            found = {name for name in named for one in _spread(pattern) if f".{one}." in f".{name}."}
        if not found:
            parts = sorted({name.rpartition(".")[0].split(".")[-1] for name in named})
            raise BadRequest(
                f"--freeze {pattern}: no weight's name has such a part; there are {', '.join(parts[:20])}",
                cure="--freeze embeddings, or --freeze layers.0-3",
            )
        frozen |= found
    if len(frozen) == len(named):
        raise BadRequest(f"--freeze {' '.join(patterns)}: nothing is left to train", cure="freeze fewer")
    for name in frozen:
        named[name].requires_grad_(False)
    return sum(named[name].numel() for name in frozen)


def _spread(pattern: str) -> list[str]:
    head, _, tail = pattern.partition("-")
    match = _RANGE.fullmatch(pattern)
    if not match or not head or not tail:
        return [pattern]
    before, first, last = match[1], int(match[2]), int(match[3])
    return [f"{before}{number}" for number in range(first, min(last, first + 10_000) + 1)]

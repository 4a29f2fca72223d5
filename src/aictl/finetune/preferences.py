"""Preferences as token ids, and what the reference says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from aictl.artifacts.dataset import Dataset
from aictl.core.events import Events
from aictl.training import examples
from aictl.training.dialogue import Dialogue, DialogueEncoder, Unusable
from aictl.training.precision import Compute
from aictl.training.preference import Preferences, log_probabilities
from aictl.training.state import disk


def encode(dataset: Dataset, split: str, encoder: DialogueEncoder, scratch: Path, events: Events) -> Preferences:
    """The preferences of a split, in a file of ``scratch`` that is taken if it is there. Of each conversation what
    comes after the prompt is learnt. Those that cannot be used are set aside and counted. Raises :class:`BadInput` if
    none can."""
    return Preferences(examples.encode(dataset, split, lambda document: _both(document, encoder), scratch, events))


def _both(document: Mapping[str, Any], encoder: DialogueEncoder) -> list[Dialogue]:
    prompt = document["prompt"]
    chosen, rejected = (
        encoder.encode([*prompt, *document[side]], first=len(prompt)) for side in ("chosen", "rejected")
    )
    if chosen.ids == rejected.ids:
        raise Unusable("what is chosen is what is rejected, as far as it is read")
    return [chosen, rejected]


def judge_by_reference(
    model: torch.nn.Module,
    preferences: Preferences,
    rows: Iterable[int],
    *,
    size: int,
    compute: Compute,
    path: Path,
    events: Events,
) -> None:
    """Compute what ``model`` says of the preferences of ``rows``, in batches of ``size``, and keep it in ``path``, from
    which it is taken if it is there."""
    if path.exists():
        preferences.reference[:] = load_file(path)["reference"]
        return
    lengths, wanted = preferences.lengths(), np.unique(np.fromiter(rows, np.int64))
    ordered = wanted[np.argsort(lengths[wanted], kind="stable")]
    task = f"reference of {path.stem}"
    events.started(task, len(ordered), examples.NOUNS["preference"])
    model = model.to(compute.device).eval()
    for first in range(0, len(ordered), size):
        chosen = ordered[first : first + size]
        preferences.reference[chosen] = _log_probabilities(model, preferences, chosen.tolist(), compute)
        events.advanced(task, first + len(chosen))
    events.finished(task)
    partial = path.with_suffix(".partial")
    with disk(path):
        save_file({"reference": preferences.reference}, partial)
    partial.replace(path)


def _log_probabilities(
    model: torch.nn.Module, preferences: Preferences, rows: Sequence[int], compute: Compute
) -> np.ndarray:
    found = []
    for part in preferences.batch(rows).parts(compute.tokens_at_once):
        with torch.no_grad(), compute.autocast():
            found.append(log_probabilities(model, part.to(compute.device).tokens).float().cpu())
    return torch.cat(found).numpy()

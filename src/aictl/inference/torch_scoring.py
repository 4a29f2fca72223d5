"""Stretches of tokens scored by PyTorch, many at once, padded to one length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from aictl.inference.scoring import Scored, Stretch

BATCH_TOKENS = 8192  # padding included
LOGITS_BYTES = 256 * 2**20  # of a batch; a single stretch may take more
_PART_TOKENS = 256  # whose logits are turned into losses at once


def score(module: Any, device: str, stretches: Sequence[Stretch]) -> list[Scored]:
    """What each stretch costs, in their order. Stretches of like length are run together."""
    found: list[Scored | None] = [None] * len(stretches)
    for rows in _batches(stretches, int(module.config.get_text_config().vocab_size)):
        for row, scored in zip(rows, _batch(module, device, [stretches[row] for row in rows]), strict=True):
            found[row] = scored
    return [one for one in found if one is not None]


def _batches(stretches: Sequence[Stretch], vocabulary: int) -> Iterator[list[int]]:
    """Rows that run together; the longest first, so that memory runs out at once if it does."""
    order = sorted(range(len(stretches)), key=lambda row: (-len(stretches[row].ids), -stretches[row].predicted))
    rows: list[int] = []
    kept = 0  # positions from the end whose logits are needed
    for row in order:
        width = len(stretches[rows[0] if rows else row].ids) - 1
        kept = max(kept, width - (stretches[row].start - 1))
        full = (len(rows) + 1) * width > BATCH_TOKENS or (len(rows) + 1) * kept * vocabulary * 4 > LOGITS_BYTES
        if rows and full:
            yield rows
            rows, kept = [], stretches[row].predicted
        rows.append(row)
    if rows:
        yield rows


def _batch(module: Any, device: str, stretches: Sequence[Stretch]) -> Iterator[Scored]:
    """Padded on the right, where a causal model does not look."""
    width = max(len(one.ids) for one in stretches) - 1
    first = min(one.start for one in stretches) - 1
    ids = torch.zeros((len(stretches), width), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, one in enumerate(stretches):
        ids[row, : len(one.ids) - 1] = torch.tensor(one.ids[:-1])
        mask[row, : len(one.ids) - 1] = 1
    with torch.inference_mode():
        logits = module(
            input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False, logits_to_keep=width - first
        ).logits
        for row, one in enumerate(stretches):
            wanted = logits[row, one.start - 1 - first : len(one.ids) - 1 - first]
            yield _scored(wanted, torch.tensor(one.ids[one.start :], device=device))


def _scored(logits: torch.Tensor, targets: torch.Tensor) -> Scored:
    losses, likeliest = [], []
    for part, wanted in zip(logits.split(_PART_TOKENS), targets.split(_PART_TOKENS), strict=True):
        losses.append(torch.nn.functional.cross_entropy(part.float(), wanted, reduction="none").double())
        likeliest.append(part.argmax(dim=1) == wanted)
    return Scored(torch.cat(losses).cpu().numpy(), torch.cat(likeliest).cpu().numpy())

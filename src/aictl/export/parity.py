"""Does the graph say what PyTorch says? Compared on real prompts in the three situations that
serving meets: a fresh prompt, tokens after a cache, and prompts of unequal length in one batch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
import torch

from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import GateMissed
from aictl.core.events import Events
from aictl.inference.onnx_engine import open_session

PROMPTS = (
    "The capital of France is",
    "How do I read a JSON file in Python? Open it and pass the file to json.load.",
    "Once upon a time there was a small robot who wanted to learn to play the violin. Every evening it",
    "def add(a, b):\n    return a + b\n\nprint(add(2, 40))  # prints",
    "Dear customer, thank you for your message of 14 March. We are sorry to hear that your order arrived late, and",
)
DECODED = 4  # tokens of each prompt that are run one by one on a filled cache


def compare(module: Any, exported: OnnxModel, prompts: Sequence[Sequence[int]], events: Events) -> dict[str, float]:
    """Worst absolute difference of any logit in each situation.

    The reference is always PyTorch's forward pass over one whole prompt without cache or padding.
    """
    session = open_session(exported, device="cpu")
    references = [_reference(module, prompt) for prompt in prompts]
    differences = {"empty_cache": 0.0, "full_cache": 0.0, "left_padding": 0.0}
    events.started("compare with PyTorch", total=len(prompts) + 1, unit="prompts")
    for count, (prompt, reference) in enumerate(zip(prompts, references, strict=True), 1):
        whole, _ = _run(session, np.array([prompt]), [0])
        differences["empty_cache"] = max(differences["empty_cache"], _worst(whole[0], reference))
        differences["full_cache"] = max(differences["full_cache"], _token_by_token(session, prompt, reference))
        events.advanced("compare with PyTorch", count)
    differences["left_padding"] = _padded(session, prompts, references)
    for name, value in differences.items():
        events.measured(f"logit difference, {name.replace('_', ' ')}", value)
    events.finished("compare with PyTorch")
    return differences


def require_parity(differences: Mapping[str, float], tolerance: float) -> float:
    """The worst of the differences. Raises :class:`GateMissed` if it is more than ``tolerance``, or no number."""
    case = max(differences, key=lambda name: (not math.isfinite(differences[name]), differences[name]))
    worst = differences[case]
    if not worst <= tolerance:
        raise GateMissed(
            f"what the exported graph gives differs from PyTorch's by up to {worst:.3g} ({case.replace('_', ' ')}), "
            f"and --tolerance is {tolerance:.3g}",
            cure="raise --tolerance if such a difference does not matter to you",
        )
    return worst


def _reference(module: Any, prompt: Sequence[int]) -> np.ndarray:
    with torch.inference_mode():
        return module(input_ids=torch.tensor([list(prompt)]), use_cache=False).logits[0].numpy()


def _token_by_token(session: onnxruntime.InferenceSession, prompt: Sequence[int], reference: np.ndarray) -> float:
    """Fill the cache with all but the last tokens, then run those one at a time."""
    split = max(1, len(prompt) - DECODED)
    logits, past = _run(session, np.array([prompt[:split]]), [0])
    worst = _worst(logits[0], reference[:split])
    for position in range(split, len(prompt)):
        logits, past = _run(session, np.array([[prompt[position]]]), [0], past)
        worst = max(worst, _worst(logits[0], reference[position : position + 1]))
    return worst


def _padded(
    session: onnxruntime.InferenceSession, prompts: Sequence[Sequence[int]], references: Sequence[np.ndarray]
) -> float:
    """All prompts in one batch, the shorter ones padded on the left; the last token of each is
    then run on the batch's cache."""
    longest = max(len(prompt) for prompt in prompts)
    padding = [longest - len(prompt) for prompt in prompts]
    ids = np.array([[0] * pad + list(prompt) for pad, prompt in zip(padding, prompts, strict=True)])
    if longest < 2:
        return 0.0
    logits, past = _run(session, ids[:, :-1], padding)
    last, _ = _run(session, ids[:, -1:], padding, past)
    together = np.concatenate([logits, last], axis=1)
    return max(_worst(row[pad:], reference) for row, pad, reference in zip(together, padding, references, strict=True))


def _run(
    session: onnxruntime.InferenceSession,
    ids: np.ndarray,
    padding: Sequence[int],
    past: dict[str, np.ndarray] | None = None,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """One step over ``ids`` (batch, length); returns the logits and what is past for the next."""
    nodes = [node for node in session.get_inputs() if node.name.startswith("past_key_values.")]
    if past is None:
        past = {n.name: np.zeros((len(ids), n.shape[1], 0, n.shape[3]), np.float32) for n in nodes}
    done = next(iter(past.values())).shape[2]
    mask = np.ones((len(ids), done + ids.shape[1]), np.int64)
    for row, pad in zip(mask, padding, strict=True):
        row[:pad] = 0
    positions = np.maximum(mask.cumsum(1) - 1, 0)[:, done:]
    given = {"input_ids": ids.astype(np.int64), "attention_mask": mask, "position_ids": positions, **past}
    taken = {node.name for node in session.get_inputs()}
    names = ["logits", *(node.name.replace("past_key_values.", "present.") for node in nodes)]
    logits, *present = session.run(names, {name: value for name, value in given.items() if name in taken})
    return logits, dict(zip(past, present, strict=True))


def _worst(got: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.abs(got - wanted).max())

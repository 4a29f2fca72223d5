"""Does a language model's graph say what it should? Compared on real prompts in the three situations that serving
meets: a fresh prompt, tokens after a cache, and prompts of unequal length in one batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aictl.core.events import Events
from aictl.export.loaded import Loaded
from aictl.export.parity import Parity

DECODED = 4  # tokens of each prompt that are run one by one on a filled cache
PAST = "past_key_values."  # before the number of a layer
_OUTPUT = "logits"
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


def references(graph: Loaded, prompts: Sequence[Sequence[int]]) -> list[np.ndarray]:
    """A graph's own logits (length, vocabulary) over each whole prompt, with an empty cache and no padding."""
    return [step(graph, np.array([prompt]), [0])[0][0] for prompt in prompts]


def compare(
    graph: Loaded,
    prompts: Sequence[Sequence[int]],
    wanted: Sequence[np.ndarray],
    parity: Parity,
    events: Events,
) -> None:
    """Hold every logit of a graph against those that are ``wanted``, in each situation."""
    task = f"compare with {parity.against}"
    events.started(task, total=len(prompts) + 1, unit="prompts")
    for count, (prompt, reference) in enumerate(zip(prompts, wanted, strict=True), 1):
        whole, _ = step(graph, np.array([prompt]), [0])
        parity.saw("empty_cache", _OUTPUT, whole[0], reference)
        _token_by_token(graph, prompt, reference, parity)
        events.advanced(task, count)
    _padded(graph, prompts, wanted, parity)
    events.finished(task)


def _token_by_token(graph: Loaded, prompt: Sequence[int], reference: np.ndarray, parity: Parity) -> None:
    """Fill the cache with all but the last tokens, then run those one at a time."""
    split = max(1, len(prompt) - DECODED)
    logits, past = step(graph, np.array([prompt[:split]]), [0])
    parity.saw("full_cache", _OUTPUT, logits[0], reference[:split])
    for position in range(split, len(prompt)):
        logits, past = step(graph, np.array([[prompt[position]]]), [0], past)
        parity.saw("full_cache", _OUTPUT, logits[0], reference[position : position + 1])


def _padded(
    graph: Loaded,
    prompts: Sequence[Sequence[int]],
    references: Sequence[np.ndarray],
    parity: Parity,
) -> None:
    """All prompts in one batch, the shorter ones padded on the left; the last token of each is
    then run on the batch's cache."""
    longest = max(len(prompt) for prompt in prompts)
    padding = [longest - len(prompt) for prompt in prompts]
    ids = np.array([[0] * pad + list(prompt) for pad, prompt in zip(padding, prompts, strict=True)])
    if longest < 2:
        return
    logits, past = step(graph, ids[:, :-1], padding)
    last, _ = step(graph, ids[:, -1:], padding, past)
    together = np.concatenate([logits, last], axis=1)
    for row, pad, reference in zip(together, padding, references, strict=True):
        parity.saw("left_padding", _OUTPUT, row[pad:], reference)


def step(
    graph: Loaded,
    ids: np.ndarray,
    padding: Sequence[int],
    past: dict[str, np.ndarray] | None = None,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """One step over ``ids`` (batch, length); returns the logits and what is past for the next."""
    given, names = fed(graph, ids, padding, past)
    logits, *present = graph.run(names, given)
    return logits, dict(zip((name.replace("present.", PAST) for name in names[1:]), present, strict=True))


def fed(
    graph: Loaded,
    ids: np.ndarray,
    padding: Sequence[int],
    past: dict[str, np.ndarray] | None = None,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """What goes into one step over ``ids`` (batch, length), and the names of what comes out, the logits first."""
    nodes = [node for node in graph.get_inputs() if node.name.startswith(PAST)]
    if past is None:
        past = {n.name: np.zeros((len(ids), n.shape[1], 0, n.shape[3]), _TYPES[n.type]) for n in nodes}
    done = next(iter(past.values())).shape[2]
    mask = np.ones((len(ids), done + ids.shape[1]), np.int64)
    for row, pad in zip(mask, padding, strict=True):
        row[:pad] = 0
    positions = np.maximum(mask.cumsum(1) - 1, 0)[:, done:]
    given = {"input_ids": ids.astype(np.int64), "attention_mask": mask, "position_ids": positions, **past}
    taken = {node.name for node in graph.get_inputs()}
    names = [_OUTPUT, *(node.name.replace(PAST, "present.") for node in nodes)]
    return {name: value for name, value in given.items() if name in taken}, names

"""Shape profiles: for which batches, prompts and caches an engine is optimised.

A language model runs in two ways: the whole prompt at once, onto an empty cache, and then one token
at a time, onto what came before. The attention mask covers ``past + sequence`` positions. Of at
most N positions:

    prefill    sequence 1..N    past 0         total 1..N
    decode     sequence 1       past 1..N-1    total 2..N
    whole      sequence 1..N    past 0..N-1    total 1..2N-1

TensorRT chooses kernels for each profile, so it gets *prefill* and *decode*. TensorRT-RTX compiles
kernels for the shapes it meets while it runs, and stores the weights once for each profile (a model
of 538 MB became 1,006 MB with two), so it gets *whole*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aictl.core.errors import BadInput

Shape = tuple[int, ...]
DYNAMIC = -1  # how both builders write an extent that is known only when the engine runs

# Which extents of an input vary, by the names that `aictl export onnx` gives: axis -> what it counts.
_TOKENS = {0: "batch", 1: "sequence"}
_MASK = {0: "batch", 1: "total"}
_CACHE = {0: "batch", 2: "past"}
_AXES: Mapping[str, Mapping[int, str]] = {
    "input_ids": _TOKENS,
    "position_ids": _TOKENS,
    "attention_mask": _MASK,
    "past_key_values": _CACHE,
}


@dataclass(frozen=True)
class Range:
    """The least, the usual and the largest shape of one input."""

    least: Shape
    usual: Shape
    largest: Shape


@dataclass(frozen=True)
class Profile:
    """One way of running: a range of shapes for every input that has one."""

    name: str
    ranges: Mapping[str, Range]


def profiles(inputs: Mapping[str, Shape], max_batch: int, max_sequence: int, *, apart: bool) -> list[Profile]:
    """The profiles of a model whose ``inputs`` have these shapes: prefill and decode ``apart``, or
    the whole in one.

    Raises :class:`BadInput` for an input that varies in a way no profile covers.
    """
    half = max(1, max_sequence // 2)
    last = max_sequence - 1
    middle = min(half, last)
    batch = (1, 1, max_batch)
    if apart:
        ways = {
            "prefill": _sizes(batch, sequence=(1, half, max_sequence), past=(0, 0, 0)),
            "decode": _sizes(batch, sequence=(1, 1, 1), past=(1, middle, last)),
        }
    else:
        # The largest total is never met; it is there because the extents of a point must agree.
        ways = {"whole": _sizes(batch, sequence=(1, 1, max_sequence), past=(0, middle, last))}
    return [
        Profile(name, {one: _range(one, shape, sizes) for one, shape in inputs.items() if DYNAMIC in shape})
        for name, sizes in ways.items()
    ]


def _sizes(batch: Iterable[int], sequence: Iterable[int], past: Iterable[int]) -> list[dict[str, int]]:
    return [
        {"batch": b, "sequence": s, "past": p, "total": p + s} for b, s, p in zip(batch, sequence, past, strict=True)
    ]


def _range(name: str, shape: Shape, sizes: list[dict[str, int]]) -> Range:
    axes = _AXES.get(name.partition(".")[0], {})
    for axis, extent in enumerate(shape):
        if extent == DYNAMIC and axis not in axes:
            raise BadInput(
                f"input '{name}' of shape {list(shape)} varies along axis {axis}, for which there is no profile",
                cure="export the model with `aictl export onnx`, whose inputs are known",
            )
    least, usual, largest = (
        tuple(size[axes[axis]] if extent == DYNAMIC else extent for axis, extent in enumerate(shape)) for size in sizes
    )
    return Range(least, usual, largest)

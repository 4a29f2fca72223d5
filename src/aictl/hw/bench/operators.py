"""Rates of what a training step does besides matrix products: attention, the loss, and the cost of any operator.

Attention is causal and torch's own choice of kernel, forward and backward apart, counted as ``4 ·
sequence_length² · head_width`` operations a head, the masked ones too, and two and a half times that
backward (https://arxiv.org/abs/2205.14135). The loss is the cross-entropy of logits in the number format in which
a head puts them out, turned into their own gradient where they lie, as `aictl train` does it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from aictl.core.events import Events, silent
from aictl.hw.bench.devices import Device, sample_of
from aictl.hw.bench.gemm import FORMATS, formats
from aictl.hw.bench.repeat import LEAST, Figure, repeat
from aictl.training.head import loss_in_place

HEAD_WIDTH = 64
BACKWARD = 2.5  # operations of the backward pass for each of the forward pass
VOCABULARY = 8192
TRAINED_IN = ("fp32", "bf16", "fp16")  # products may run in fewer bits, activations do not


def measure(
    device: Device, *, budget_s: float, lengths: Sequence[int] | None = None, events: Events = silent
) -> tuple[dict[str, Any], list[str]]:
    """The device's ``operator_overhead_s``, ``attention`` and ``cross_entropy``, and a note of each format that
    a kernel refuses. ``lengths`` are those of the sequences."""
    names = [one for one in formats(device) if one in TRAINED_IN]
    lengths = lengths or ([128, 512, 2048] if device.is_cpu else [512, 2048, 8192])
    found: dict[str, Any] = {
        "operator_overhead_s": overhead_s(device, budget_s),
        "attention": [],
        "cross_entropy": [],
    }
    notes = []
    task = f"attention and loss on {device.name}"
    events.started(task, total=2 * len(names), unit="curves")
    for number, name in enumerate(names):
        for part, rows in (
            ("attention", _attention(device, name, lengths, budget_s)),
            ("cross_entropy", _cross_entropy(device, name, budget_s)),
        ):
            try:
                found[part] += rows
            except (RuntimeError, NotImplementedError) as error:
                notes.append(f"{device.name} {name}: {part} refused: {str(error).splitlines()[0][:120]}")
            events.advanced(task, 2 * number + (1 if part == "attention" else 2))
    events.finished(task)
    return found, notes


def overhead_s(device: Device, budget_s: float) -> float:
    """What one operator costs besides its work: an addition to a single element, asked for from Python.

    On a GPU the calls are queued, so this is the rate at which operators can be handed to it.
    """
    one = torch.ones(1, device=device.name)

    def sample(count: int) -> float:
        start = time.perf_counter()
        for _ in range(count):
            one.add_(1.0)
        if not device.is_cpu:
            torch.cuda.synchronize(device.name)
        return time.perf_counter() - start

    return repeat(sample, budget_s=budget_s).seconds


def _attention(device: Device, name: str, lengths: Sequence[int], budget_s: float) -> Iterator[dict[str, Any]]:
    """Both passes at every length, with so many tokens that every core or unit has heads to work on."""
    heads = max(4, device.threads) if device.is_cpu else 16
    tokens = max(2048 if device.is_cpu else 16384, *lengths)
    best = 0.0
    for length in lengths:
        batch = tokens // length
        operations = 4 * batch * heads * length**2 * HEAD_WIDTH
        if best and LEAST * BACKWARD * operations / best > 8 * budget_s:
            return
        size = (batch, heads, length, HEAD_WIDTH)
        if 8 * 4 * batch * heads * length * HEAD_WIDTH > device.usable_bytes:
            return
        forward, backward = attention(device, name, size)
        for part, call, work in (("forward", forward, operations), ("backward", backward, BACKWARD * operations)):
            figure = repeat(sample_of(device, call), budget_s=budget_s)
            best = max(best, figure.rate(work))
            yield {
                "dtype": name,
                "pass": part,
                "sequence_length": length,
                "heads": heads,
                "head_width": HEAD_WIDTH,
                "flops_per_s": figure.rate(work),
                **_certainty(figure),
            }


def attention(
    device: Device, name: str, size: tuple[int, int, int, int]
) -> tuple[Callable[[], object], Callable[[], object]]:
    """The forward and the backward pass of causal attention over queries, keys and values of ``size``
    (batch, heads, length, head width)."""
    kind = FORMATS[name]
    queries, keys, values = (torch.randn(size, device=device.name).to(kind).requires_grad_() for _ in range(3))

    def forward() -> torch.Tensor:
        return F.scaled_dot_product_attention(queries, keys, values, is_causal=True)

    out = forward()
    gradient = torch.randn_like(out)

    def backward() -> object:
        return torch.autograd.grad(out, (queries, keys, values), gradient, retain_graph=True)

    return forward, backward


def _cross_entropy(device: Device, name: str, budget_s: float) -> Iterator[dict[str, Any]]:
    """From logits that stay in a cache to those of a whole batch."""
    for tokens in (32, 256, 2048, 8192) if device.is_cpu else (256, 2048, 16384):
        logits = tokens * VOCABULARY
        if 16 * logits > device.usable_bytes:
            return
        figure = repeat(sample_of(device, cross_entropy(device, name, tokens)), budget_s=budget_s)
        yield {
            "dtype": name,
            "tokens": tokens,
            "vocabulary": VOCABULARY,
            "logits_per_s": figure.rate(logits),
            **_certainty(figure),
        }


def cross_entropy(device: Device, name: str, tokens: int) -> Callable[[], object]:
    """The loss of ``tokens`` rows of logits and its gradient by them, as `aictl train` works them out."""
    logits = torch.randn(tokens, VOCABULARY, device=device.name).to(FORMATS[name])
    targets = torch.randint(0, VOCABULARY, (tokens,), device=device.name)

    def call() -> torch.Tensor:
        loss_in_place(logits, targets)
        return logits

    return call


def _certainty(figure: Figure) -> dict[str, Any]:
    return {"spread": figure.spread, "repeats": figure.repeats}

"""The two kernels of the training loop beside torch's own, CPU milliseconds on one thread, forward and backward:
``python -m tests.bench.kernels``. The ways are run in turn; each figure is the median of 15."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from types import SimpleNamespace

os.environ["OMP_NUM_THREADS"] = "1"

import torch
import torch.nn.functional as F

from aictl.training.causal_blocks import attend
from aictl.training.head import cross_entropy

ROUNDS = 15
ROWS, WIDTH, VOCABULARY = 1024, 384, 16_384
HEADS = (4, 6, 256, 64)  # sequences, heads, tokens, width of a head
MODULE = SimpleNamespace(is_causal=True)


def losses() -> dict[str, Callable[[], torch.Tensor]]:
    head = torch.nn.Linear(WIDTH, VOCABULARY, bias=False)
    hidden = torch.randn(ROWS, WIDTH, requires_grad=True)
    targets = torch.randint(0, VOCABULARY, (ROWS,))

    def plain() -> torch.Tensor:
        return F.cross_entropy(head(hidden).float(), targets, reduction="sum")

    return {"plain": plain, "in place": lambda: cross_entropy(hidden, head, targets)}


def attentions() -> dict[str, Callable[[], torch.Tensor]]:
    query, key, value = (torch.randn(HEADS, dtype=torch.bfloat16, requires_grad=True) for _ in range(3))

    def flash() -> torch.Tensor:
        return F.scaled_dot_product_attention(query, key, value, is_causal=True).float().sum()

    def blocks() -> torch.Tensor:
        return attend(MODULE, query, key, value, None)[0].float().sum()

    return {"flash kernel": flash, "blocks": blocks, "blocks, compiled": torch.compile(blocks)}


def measured(ways: dict[str, Callable[[], torch.Tensor]]) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS + 2):
        for name, way in ways.items():
            began = time.process_time()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                made = way()
            made.backward()
            if number >= 2:  # compiling, allocating
                taken[name].append(time.process_time() - began)
    return {name: 1e3 * statistics.median(values) for name, values in taken.items()}


def main() -> None:
    torch.set_num_threads(1)
    print("| what | way | ms |\n|---|---|---|")
    for what, ways in (
        (f"head and loss, {ROWS:,} tokens of {VOCABULARY:,}", losses()),
        ("attention, 4 x 6 heads of 256 tokens", attentions()),
    ):
        for name, value in measured(ways).items():
            print(f"| {what} | {name} | {value:.1f} |")


if __name__ == "__main__":
    main()

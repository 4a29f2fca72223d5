"""The kernels of the training loop beside torch's own, CPU milliseconds on one thread, forward and backward:
``python -m tests.bench.operations``. The ways are run in turn; each figure is the median of 15."""

from __future__ import annotations

import copy
import os
import statistics
import time
from collections.abc import Callable
from types import SimpleNamespace

os.environ["OMP_NUM_THREADS"] = "1"

import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model

from aictl.finetune import low_rank
from aictl.training.attention import attend as by_documents
from aictl.training.attention import documents_of
from aictl.training.head import cross_entropy
from aictl.training.short_rows import attend

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


def documents(count: int, length: int) -> dict[str, Callable[[], torch.Tensor]]:
    """Attention of SmolLM2-135M's shape over a row of ``count`` documents, each of ``length`` positions."""
    shape = SimpleNamespace(config=SimpleNamespace(model_type="llama"), is_causal=True)
    size = count * length
    query = torch.randn(1, 9, size, 64, dtype=torch.bfloat16, requires_grad=True)
    key, value = (torch.randn(1, 3, size, 64, dtype=torch.bfloat16, requires_grad=True) for _ in range(2))
    starts = (torch.arange(size) // length * length)[None]
    apart = documents_of(starts, torch.device("cpu"))
    mask = (starts[:, :, None] == starts[:, None]) & torch.ones(size, size, dtype=torch.bool).tril()

    def masked() -> torch.Tensor:
        made = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, enable_gqa=True)
        return made.float().sum()

    def by_document() -> torch.Tensor:
        return by_documents(shape, query, key, value, None, documents=apart)[0].float().sum()

    return {"mask over the row": masked, "by document": by_document}


def layers() -> dict[str, Callable[[], torch.Tensor]]:
    """An adapted layer of 576 by 1,536 as peft has it, and as one operation."""
    base = torch.nn.Sequential(torch.nn.Linear(576, 1536, bias=False)).to(torch.bfloat16)
    inputs = torch.randn(512, 576, requires_grad=True)
    ways = {}
    for name in ("as peft has it", "as one operation"):
        torch.manual_seed(0)
        adapted = get_peft_model(copy.deepcopy(base), LoraConfig(r=16, lora_alpha=32, target_modules=["0"]))
        if name == "as one operation":
            assert low_rank.install(adapted) == 1
        ways[name] = lambda adapted=adapted: adapted(inputs).float().sum()
    return ways


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
        ("attention, 26 documents of 39 positions", documents(26, 39)),
        ("attention, 8 documents of 128 positions", documents(8, 128)),
        ("attention, 4 documents of 256 positions", documents(4, 256)),
        ("adapted layer, 576 by 1,536, 512 tokens", layers()),
    ):
        for name, value in measured(ways).items():
            print(f"| {what} | {name} | {value:.1f} |")


if __name__ == "__main__":
    main()

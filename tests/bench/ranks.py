"""What training by two processes costs beside training by one: ``python -m tests.bench.ranks``.

The same batches, of the preset tiny's shape, go through one process with one thread, and through two of them by DDP
and by FSDP2. Compared is the CPU time of the steps, of all processes together, so that it does not matter who else uses
the machine: the scaling efficiency is one process's time over that of two. On two free cores they are twice that much
faster, less what they wait for one another.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

STEPS, WARM, ROWS, LENGTH, VOCABULARY = 7, 1, 8, 256, 4096
WORLDS: dict[str, dict[str, Any] | None] = {"one process": None, "DDP": {}, "FSDP2": {"shard": "full"}}


def trained(place: dict[str, str], parallel: dict[str, Any], scratch: Path, said: Any) -> None:
    """Train, and say the CPU seconds of the steps after the first ones."""
    os.environ.update(place)
    import numpy as np
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from aictl.core.command import Followed
    from aictl.core.events import Advanced, Events
    from aictl.training.loop import Job, fit
    from aictl.training.precision import Compute
    from aictl.training.ranks.joining import join
    from aictl.training.spec import LoopSpec, OptimizerSpec, ParallelSpec
    from aictl.training.tokens import PackedBatches, held_out

    torch.set_num_threads(1)
    clock: dict[int, float] = {}

    def sink(event: object) -> None:
        if isinstance(event, Advanced) and event.task == "train":
            clock[int(event.done)] = time.process_time()

    compute = Compute(torch.device("cpu"), "fp32")
    world = join(ParallelSpec(**parallel), compute, Events(sink))
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=LENGTH,
        tie_word_embeddings=True,
    )
    tokens = np.random.default_rng(0).integers(VOCABULARY, size=60_000).astype(np.uint16)
    job = Job(
        model=LlamaForCausalLM(config),
        batches=PackedBatches(tokens, ROWS, LENGTH, seed=0),
        held_out=held_out(tokens, 1, LENGTH, most=LENGTH + 1),
        max_steps=STEPS + WARM,
        peak_rate=1e-3,
        optimizer=OptimizerSpec(),
        loop=LoopSpec(evaluate_every=1000, checkpoint_every=1000),
        compute=compute,
        scratch=scratch,
        world=world,
    )
    with suppress(Followed):
        fit(job, Events(sink))
    said.put(clock[STEPS + WARM - 1] - clock[WARM])


def seconds(parallel: dict[str, Any] | None) -> float:
    """CPU seconds of one run of the steps, of all its processes."""
    context = multiprocessing.get_context("spawn")
    said: Any = context.Queue()
    ranks = 1 if parallel is None else 2
    with socket.socket() as one:
        one.bind(("localhost", 0))
        port = one.getsockname()[1]
    group = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port), "WORLD_SIZE": str(ranks)}
    with tempfile.TemporaryDirectory() as scratch:
        processes = [
            context.Process(target=trained, args=(group | {"RANK": str(rank)}, parallel or {}, Path(scratch), said))
            for rank in range(ranks)
        ]
        for process in processes:
            process.start()
        total = sum(said.get() for _ in processes)
        for process in processes:
            process.join()
    return total


def main(rounds: int) -> None:
    found: dict[str, list[float]] = {name: [] for name in WORLDS}
    for _ in range(rounds):
        for name, parallel in WORLDS.items():
            found[name].append(seconds(parallel))
            print(f"{name}: {found[name][-1]:.2f} s", file=sys.stderr, flush=True)
    alone = found["one process"]
    for name, times in found.items():
        efficiencies = [one / other for one, other in zip(alone, times, strict=True)]
        row = {
            "world": name,
            "cpu_s": [round(value, 2) for value in times],
            "tokens_per_cpu_s": round((STEPS - 1) * ROWS * LENGTH / statistics.median(times)),
            "efficiency": round(statistics.median(efficiencies), 3),
        }
        print(json.dumps(row))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)

"""Pretraining beside Hugging Face Trainer, litgpt and a loop written by hand: the same shape and tokens, in turn."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench import peers
from tests.bench.training_runs import LENGTH, SEQUENCES, TOKENS, VOCABULARY

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "training.md"
ROOT = Path(__file__).parents[2]
STEPS = int(os.environ.get("AICTL_BENCH_STEPS", "12"))
ROUNDS = int(os.environ.get("AICTL_BENCH_ROUNDS", "3"))

HEAD = """# Pretraining beside its peers

Written by `make bench` (alone: `python -m tests.bench training`), in one run on {machine}; load {load:.1f} when it
began.

A Llama of 16.9M parameters (width 384, 6 layers, 16,384 tokens) trained in bf16 on {sequences} sequences of {length}
tokens a step, real text (Python's own sources), fused AdamW (litgpt takes the plain one). Everybody is timed by when
it asks its data for the next batch: CPU seconds of the whole process, median over {steps} steps without the first
ones; figures are medians over {rounds} rounds in turn, the ratio is of the two in one round, with the lowest and the
highest.

| threads | ours | peer | tokens / CPU-s | peer's | ours / peer's | goal |
|---|---|---|---|---|---|---|
"""


class Row(NamedTuple):
    """One of our ways beside one of the peers'."""

    ours: str
    peer: str
    goal: str


NAMES = {
    "ours": "as it comes",
    "ours-compiled": "`--compile`",
    "trainer": "HF Trainer as it comes",
    "trainer-compiled": "HF Trainer, torch_compile",
    "litgpt": "litgpt pretrain",
    "hand": "hand-written loop, compiled",
}
ROWS = (
    Row("ours", "trainer", "1.25"),
    Row("ours-compiled", "trainer-compiled", "1.05"),
    Row("ours-compiled", "litgpt", "1.15"),
    Row("ours-compiled", "hand", "1"),
)


def run(who: str, threads: int, place: Path) -> dict[str, Any] | str:
    """What a run says of itself, or why it could not."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "src"), *([str(peers.folder("train"))] if who == "litgpt" else [])])
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "PYTHONPATH": path,
        "OMP_NUM_THREADS": str(threads),
        "HF_HUB_OFFLINE": "1",
    }
    command = [sys.executable, "-m", "tests.bench.training_runs", who, str(threads), str(STEPS), str(place)]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        return said[-1] if said else f"exit status {done.returncode}"
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def write(place: Path, machine: str) -> None:
    missing = peers.install("train")
    place = place / "training"
    place.mkdir(parents=True, exist_ok=True)
    tokens(place)
    head = HEAD.format(
        machine=machine, load=os.getloadavg()[0], sequences=SEQUENCES, length=LENGTH, steps=STEPS, rounds=ROUNDS
    )
    lines, extra = [head.rstrip("\n")], []
    for threads in (1, 2):
        found: dict[str, list[dict[str, Any] | str]] = {who: [] for who in NAMES}
        for _ in range(ROUNDS):
            for who, runs in found.items():
                runs.append(missing if who == "litgpt" and missing else run(who, threads, place))
                print(threads, who, str(runs[-1])[:100], flush=True)
        lines += [_row(threads, row, found) for row in ROWS]
        extra += _more(threads, found)
    PAGE.write_text("\n".join([*lines, "", *extra]) + "\n", "utf-8")


def _row(threads: int, row: Row, found: dict[str, list[dict[str, Any] | str]]) -> str:
    ours, theirs = found[row.ours], found[row.peer]
    named = f"| {threads} | {NAMES[row.ours]} | {NAMES[row.peer]} |"
    if reason := next((one for one in [*ours, *theirs] if isinstance(one, str)), None):
        return f"{named} – | – | {reason} | at least {row.goal} |"
    pairs = [(a["tokens_per_cpu_s"], b["tokens_per_cpu_s"]) for a, b in zip(ours, theirs, strict=True)]  # type: ignore[index]
    ratios = sorted(a / b for a, b in pairs)
    middle = statistics.median(ratios)
    speeds = [f"{statistics.median(column):,.0f}" for column in zip(*pairs, strict=True)]
    spread = f"**{middle:.2f}** ({ratios[0]:.2f}–{ratios[-1]:.2f})"
    return f"{named} {speeds[0]} | {speeds[1]} | {spread} | at least {row.goal} |"


def _more(threads: int, found: dict[str, list[dict[str, Any] | str]]) -> list[str]:
    def of(who: str, name: str) -> float | None:
        values = [one[name] for one in found[who] if isinstance(one, dict) and one.get(name)]
        return statistics.median(values) if values else None

    lines = []
    peak, flops = of("ours", "peak_flops"), of("ours", "flops_per_token")
    speeds = {who: of(who, "tokens_per_cpu_s") for who in ("ours", "ours-compiled")}
    if peak and flops and all(speeds.values()):
        shares = {who: (speed or 0) * threads * flops / peak for who, speed in speeds.items()}
        lines.append(
            f"On {threads} thread{'s' * (threads > 1)}, model FLOPs utilisation is {shares['ours']:.0%} as it comes "
            f"and {shares['ours-compiled']:.0%} compiled, of {peak / 1e9:.0f} GFLOP/s that a large bf16 product "
            f"reaches (goal: at least 65%), at {flops / 1e6:.0f} MFLOP a token."
        )
    first, theirs = of("ours", "first_step_cpu_s"), of("trainer", "first_step_cpu_s")
    if first and theirs:
        lines.append(
            f"From the start of the process to the end of the first step: {first:.1f} CPU seconds, HF Trainer "
            f"{theirs:.1f}: **{first / theirs:.2f}** (goal: at most 0.7). Ours has then evaluated a held-out "
            "batch too."
        )
    return [*lines, ""]


def tokens(place: Path) -> None:
    """Python's own sources, as the ids of a tokenizer that was learnt from them."""
    import numpy as np

    from aictl.tokenizing.byte_bpe import learn

    if (place / TOKENS).exists():
        return
    texts = [path.read_text("utf-8", errors="ignore") for path in sorted(_library().glob("*.py"))]
    tokenizer = learn(texts, VOCABULARY)
    ids: Sequence[int] = [one for text in tokenizer.encode_batch(texts) for one in text.ids]
    np.save(place / TOKENS, np.asarray(ids, np.uint16))


def _library() -> Path:
    return Path(json.__path__[0]).parent

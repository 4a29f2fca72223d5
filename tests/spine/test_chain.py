"""The whole chain, from raw files to an app, and what the commands say of it afterwards."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.spine.conftest import CHAIN, INT8, TINY, aictl, before, environment, prepare, program

pytestmark = pytest.mark.slow


def test_every_step_is_whole_and_fresh(chain):
    listed = json.loads(aictl(chain, "artifact", "ls", "--json").stdout)
    assert {f"{row['kind']}/{row['name']}" for row in listed} == {f"{step.name}@1" for step in CHAIN}
    assert {row["state"] for row in listed} == {"fresh"}
    assert aictl(chain, "artifact", "check").returncode == 0


def test_again_everything_is_up_to_date(chain):
    stores = {path: path.stat().st_mtime_ns for path in (chain / ".aictl").rglob("*")}
    for step in CHAIN:
        assert json.loads(aictl(chain, *step.words, "--json").stdout)["up_to_date"], step.name
    assert {path: path.stat().st_mtime_ns for path in (chain / ".aictl").rglob("*")} == stores


def test_lineage_of_the_app_reaches_the_raw_files(chain):
    text = aictl(chain, "artifact", "lineage", "helpbot").stdout
    for artifact in ("onnx\tsupport-q", "onnx\tsupport-onnx", "adapter\tsupport", "checkpoint\tchatty"):
        assert artifact in text
    assert "topics.py" in text and "chats.jsonl" in text
    assert "stale" not in text


def test_training_learned_and_says_how_well(chain):
    metrics = json.loads(aictl(chain, "artifact", "show", "base", "--get", "metrics", "--json").stdout)
    assert metrics["held_out"]["loss_after"] < metrics["held_out"]["loss_before"]
    assert metrics["perplexity"] > 1
    lora = json.loads(aictl(chain, "artifact", "show", "support", "--get", "metrics.held_out", "--json").stdout)
    assert {"loss_before", "loss_after"} <= set(lora)


def test_the_model_answers_from_the_shell_and_over_http(chain):
    answered = aictl(chain, "generate", "support-q", "Tell me about lists.", "--max-tokens", "8", "--json")
    assert answered.returncode == 0 and json.loads(answered.stdout)["text"], answered.stderr
    ask = (
        "from openai import OpenAI; "
        "print(OpenAI().chat.completions.create(model='support-q', max_tokens=8, "
        "messages=[{'role': 'user', 'content': 'Tell me about lists.'}]).usage.completion_tokens)"
    )
    served = aictl(chain, "serve", "support-q", "--port", "0", "--run", program()[0], "-c", ask)
    assert served.returncode == 0 and 1 <= int(served.stdout) <= 8, served.stderr
    failing = aictl(chain, "serve", "support-q", "--port", "0", "--run", "sh", "-c", "exit 37")
    assert failing.returncode == 37


def test_piped_from_end_to_end(chain):
    """The chain as one line, each command reading the last one's path."""
    docs = aictl(chain, "artifact", "path", "docs").stdout
    trained = aictl(chain, "train", "-", *TINY, "--seed", "1", input=docs)
    assert trained.returncode == 0, trained.stderr
    exported = aictl(chain, "export", "onnx", "-", input=trained.stdout)
    assert exported.returncode == 0, exported.stderr
    quantised = aictl(chain, "optimize", "quantize", "-", *INT8, input=exported.stdout)
    assert quantised.returncode == 0, quantised.stderr


def test_an_edited_app_is_edited_and_not_damaged(chain):
    readme = chain / "helpbot" / "README.md"
    kept = readme.read_text()
    readme.write_text(kept + "\nMine.\n")
    try:
        checked = aictl(chain, "artifact", "check", "helpbot")
        assert checked.returncode == 0 and "edited" in checked.stdout and "README.md" in checked.stdout
    finally:
        readme.write_text(kept)


def test_a_kind_that_is_not_taken_says_what_is(chain):
    done = aictl(chain, "train", "base")
    assert done.returncode == 2 and "is of kind checkpoint" in done.stderr and "takes dataset" in done.stderr


def test_killed_at_every_stage_the_chain_still_comes_to_the_same(chain, tmp_path):
    """kill -9 at a random instant of every step: nothing under its name, and then the whole."""
    place = tmp_path / "w"
    prepare(place)
    chance = random.Random(7)
    for step in CHAIN:
        before(place, step)
        kind, name = step.name.split("/")
        for longest in (0.4, 4.0):
            process = subprocess.Popen(
                program(*step.words), cwd=place, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            time.sleep(chance.uniform(0.1, longest))
            process.send_signal(signal.SIGKILL)
            if process.wait() == -signal.SIGKILL:
                whole_or_none(place, kind, name)
        done = aictl(place, *step.words)
        assert done.returncode == 0, f"{step.name}: {done.stderr}"
    assert aictl(place, "artifact", "check").returncode == 0
    assert not list((place / ".aictl/making").iterdir())
    for step in CHAIN:
        if step.name.startswith(("dataset", "checkpoint", "adapter")):
            ids = {(one / "artifacts" / f"{step.name}.ref").read_text() for one in (place, chain)}
            assert len(ids) == 1, f"{step.name} came out differently after it was killed"
    shutil.rmtree(place)


def whole_or_none(place: Path, kind: str, name: str) -> None:
    for link in (place / "artifacts" / kind).glob(f"{name}@*"):
        record = json.loads((link / "artifact.json").read_text())
        for path, entry in record["files"].items():
            assert (link / path).stat().st_size == entry["size"]

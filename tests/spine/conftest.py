"""The chain on small real input: Python's own documentation, a tiny model, short conversations."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

LIB = Path(sysconfig.get_path("stdlib"))
# The plain layout in which small chat models are taught: a role, what was said, an end mark.
TEMPLATE = (
    "{% for m in messages %}{{ '<' + m['role'] + '>' + m['content'] + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}"
)
TINY = ["--max-steps", "6", "--batch-size", "4", "--sequence-length", "128", "--vocab-size", "512"]
SHORT = ["--max-steps", "4", "--batch-size", "4"]
INT8 = ["--method", "int8", "--max-quality-loss", "0.5"]


@dataclass(frozen=True)
class Step:
    """One command of the chain, and the name under which its artifact is kept."""

    name: str
    words: Sequence[str]


# Kinds and names are the tutorial's; sizes are small enough for a test.
CHAIN = [
    Step("dataset/docs", ["data", "prep", str(LIB / "json"), str(LIB / "pydoc_data/topics.py"), "--name", "docs"]),
    Step("checkpoint/base", ["train", "docs", *TINY, "--name", "base"]),
    Step("checkpoint/chatty", ["model", "add", "chatty", "--name", "chatty"]),
    Step("dataset/chats", ["data", "prep", "chats.jsonl", "--format", "chat", "--name", "chats"]),
    Step("adapter/support", ["finetune", "lora", "chatty", "chats", *SHORT, "--name", "support"]),
    Step("onnx/support-onnx", ["export", "onnx", "support", "--name", "support-onnx"]),
    Step("onnx/support-q", ["optimize", "quantize", "support-onnx", *INT8, "--name", "support-q"]),
    Step("app/helpbot", ["app", "scaffold", "customer-service", "helpbot", "--model", "support-q", "--docs", "docs"]),
]  # fmt: skip


def program(*words: str) -> list[str]:
    return [sys.executable, "-m", "aictl", *words]


def environment() -> dict[str, str]:
    return {**os.environ, "HF_HUB_OFFLINE": "1"}


def aictl(place: Path, *words: str, **more) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        program(*words), cwd=place, capture_output=True, text=True, env=environment(), check=False, timeout=600, **more
    )


def prepare(place: Path) -> None:
    """A workspace with raw conversations in it."""
    assert aictl(place.parent, "init", place.name).returncode == 0
    topics = ("lists", "files", "loops", "modules", "strings", "numbers", "errors", "classes")
    with (place / "chats.jsonl").open("w", encoding="utf-8") as file:
        for number in range(60):
            topic = topics[number % len(topics)]
            turns = [
                {"role": "user", "content": f"Question {number}: tell me about {topic}."},
                {"role": "assistant", "content": f"The documentation has a page about {topic}, number {number}."},
            ]
            file.write(json.dumps({"messages": turns}) + "\n")


def before(place: Path, step: Step) -> None:
    """What a person would do by hand before a step: give the model they trained a chat template."""
    if step.name == "checkpoint/chatty" and not (place / "chatty").exists():
        folder = aictl(place, "artifact", "path", "base").stdout.strip()
        half = place / "chatty.half"
        shutil.copytree(folder, half)
        (half / "artifact.json").unlink()
        (half / "chat_template.jinja").write_text(TEMPLATE)
        half.rename(place / "chatty")


@pytest.fixture(scope="session")
def chain(tmp_path_factory) -> Path:
    """A workspace in which the whole chain was run, each step once."""
    place = tmp_path_factory.mktemp("chain") / "w"
    prepare(place)
    for step in CHAIN:
        before(place, step)
        done = aictl(place, *step.words)
        assert done.returncode == 0, f"{step.name}: {done.stderr}"
        assert done.stdout.strip() == f"{place}/artifacts/{step.name}@1"
    return place

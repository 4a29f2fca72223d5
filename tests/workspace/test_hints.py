"""Refs that miss, and artifacts of the wrong kind: the error says what would have been right."""

from __future__ import annotations

import subprocess
import sys

import pytest

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset, DatasetWriter
from aictl.artifacts.probe import Probe
from aictl.core import doors
from aictl.core.command import Command, NoOptions, Takes
from aictl.core.errors import NotFound, WrongKind
from aictl.workspace import hints
from aictl.workspace.refs import resolve
from aictl.workspace.run import Request
from aictl.workspace.store import Store


def prepare(work) -> Dataset:
    with DatasetWriter(work.folder, "text") as writer:
        writer.add("train", {"text": "a document"})
    return Dataset(work.folder)


@pytest.fixture
def store(bench, write) -> Store:
    """probe here@1 and here@2, probe support and a dataset of that name, dataset documents."""
    bench.count(write("a.txt", "one"), name="here")
    bench.count(write("a.txt", "one two"), name="here")
    bench.count(write("b.txt", "one two three"), name="support")
    runner = bench.runner()
    for name in ("support", "documents"):
        runner.run(Request("prepare", Command(run=prepare, makes=(Dataset,)), NoOptions(), name=name))
    return Store(bench.project)


@pytest.mark.parametrize(
    ("ref", "message", "cure"),
    [
        ("hree", "no artifact is called 'hree'", "perhaps here?"),
        ("Support", "no artifact is called 'Support'", "perhaps support?"),
        ("docu", "no artifact is called 'docu'", "perhaps documents?"),
        ("here@x", "no artifact is called 'here@x'", "perhaps here?"),
        ("hree@1", "no artifact is called 'hree@1'", "perhaps here?"),
        ("dataset/documnets", "no artifact is called 'dataset/documnets'", "perhaps documents?"),
        ("dataset/here", "no dataset is called 'here'", "there is probe/here"),
        ("onnx/support", "no onnx is called 'support'", "there are dataset/support and probe/support"),
        ("porbe/here", "no artifact is called 'porbe/here'", "there is probe/here"),
        ("here@7", "'here' has no version 7", "there are here@1 and here@2"),
        ("probe/here@7", "'probe/here' has no version 7", "there are probe/here@1 and probe/here@2"),
        ("dataset/here@7", "no dataset is called 'here'", "there is probe/here"),
        ("zzz", "no artifact is called 'zzz'", "aictl artifact ls shows what there is"),
        ("no/such/path", "no artifact is called 'no/such/path'", "aictl artifact ls shows what there is"),
    ],
)
def test_a_ref_that_misses(store, ref, message, cure):
    with pytest.raises(NotFound) as caught:
        resolve(store, ref)
    assert (caught.value.message, caught.value.cure) == (message, cure)


def test_names_of_a_kind_that_is_taken_come_before_others(bench, store, write):
    bench.count(write("c.txt", "c"), name="document")
    for kind, near in ((Dataset, "documents"), (Probe, "document")):
        with pytest.raises(NotFound) as caught:
            resolve(Store(bench.project), "documentz", [kind])
        assert caught.value.cure == f"perhaps {near}?"


STEPS = {
    ("dataset", "checkpoint"): [
        "aictl train x",
        "aictl finetune full CHECKPOINT x",
        "aictl optimize distill TEACHER x",
    ],
    ("dataset", "adapter"): [
        "aictl finetune lora CHECKPOINT x",
        "aictl finetune qlora CHECKPOINT x",
        "aictl finetune dpo CHECKPOINT x",
    ],
    ("checkpoint", "adapter"): [
        "aictl finetune lora x DATASET",
        "aictl finetune qlora x DATASET",
        "aictl finetune dpo x DATASET",
    ],
    ("checkpoint", "onnx"): ["aictl export onnx x", "aictl optimize quantize x"],
    ("adapter", "onnx"): ["aictl export onnx x", "aictl optimize quantize x"],
    ("onnx", "app"): ["aictl app scaffold TEMPLATE NAME --model x --docs DOCS"],
    ("dataset", "app"): ["aictl app scaffold TEMPLATE NAME --model MODEL --docs x"],
}


@pytest.mark.parametrize(("given", "taken"), STEPS)
def test_the_step_that_lacks_is_named_by_the_commands_themselves(project, given, taken):
    said = hints.next_step(Store(project), "x", f"{given}/object", [taken])
    assert said.removeprefix("first: ").split(", or ") == STEPS[given, taken]


def test_a_step_that_needs_nothing_else_comes_first(project):
    said = hints.next_step(Store(project), "my notes/x", "dataset/object", ["onnx", "adapter", "checkpoint"])
    assert said.startswith("first: aictl train 'my notes/x', or aictl finetune lora CHECKPOINT 'my notes/x', or ")


PLUGIN = """
from aictl.artifacts.onnx import OnnxModel
from aictl.artifacts.probe import Probe
from aictl.core.command import Command, Takes

command = Command(run=lambda work: None, takes=[Takes("probe", (Probe,), "the machine")], makes=(OnnxModel,))
"""


def test_a_plugins_step_is_named_too_and_a_broken_one_is_passed_over(project, tmp_path, monkeypatch):
    info = tmp_path / "site" / "weights-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "entry_points.txt").write_text(
        "[aictl.commands]\nhw.weigh = weighing:command\nhw.break = no_module:command\n"
    )
    (tmp_path / "site" / "weighing.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path / "site")
    doors.doors.cache_clear()
    try:
        said = hints.next_step(Store(project), "here", "probe/object", ["onnx"])
    finally:
        doors.doors.cache_clear()
    assert said == "first: aictl hw weigh here"


def test_where_no_step_leads_there_what_it_was_made_from_is_named(bench, store):
    command = Command(run=prepare, takes=[Takes("probe", (Probe,), "it")], makes=(Dataset,))
    bench.run(command, ["here"], name="late", path="late")
    with pytest.raises(WrongKind, match="'late' is of kind dataset, and this command takes probe") as caught:
        resolve(Store(bench.project), "late", [Probe])
    assert caught.value.cure == "it was made from probe 'here', which can be given"


def test_or_else_those_there_are(store):
    with pytest.raises(WrongKind) as caught:
        resolve(store, "here", [Dataset])
    assert caught.value.cure == "there are dataset/documents and dataset/support"
    with pytest.raises(WrongKind) as caught:
        resolve(store, "here", [Checkpoint])
    assert caught.value.cure == "aictl artifact ls shows what there is"


def test_a_ref_that_is_found_loads_no_command(store):
    script = """
import sys
from pathlib import Path
from aictl.workspace.project import Project
from aictl.workspace.refs import resolve
from aictl.workspace.store import Store
assert resolve(Store(Project(Path(sys.argv[1]))), "here").name == "here"
print([name for name in sys.modules if name.startswith("aictl.commands.") or name == "aictl.workspace.hints"])
"""
    words = [sys.executable, "-c", script, str(store.project.root)]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "[]\n"

from __future__ import annotations

import json

import pytest

from aictl.artifacts.onnx import OnnxModel, Signature, Tensor, write_facts
from aictl.core.errors import Damaged, WrongKind

SIGNATURE = Signature(
    inputs=(Tensor("image", "float32", ("batch", 8, 8, 1)),), outputs=(Tensor("scores", "float32", ("batch", 10)),)
)


@pytest.fixture
def classifier(tmp_path) -> OnnxModel:
    """A graph that is no language model: its bytes do not matter here."""
    (tmp_path / "model.onnx").write_bytes(b"graph")
    facts = {"layout": "standard", "precision": "fp32", "opset": 18}
    write_facts(tmp_path, **facts, capability="image-classification", signature=SIGNATURE)
    return OnnxModel(tmp_path)


def edit(model: OnnxModel, **changes: object) -> OnnxModel:
    path = model.folder / "export.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return OnnxModel(model.folder)


def test_any_graph_says_what_it_can_do_and_what_it_takes_and_gives(classifier):
    classifier.check()
    assert classifier.capability == "image-classification"
    assert classifier.signature == SIGNATURE


def test_nobody_need_have_said_what_a_graph_can_do(classifier):
    unsaid = edit(classifier, capability=None)
    unsaid.check()
    assert unsaid.capability is None


def test_a_graph_of_which_nothing_was_said_is_that_of_a_language_model(classifier):
    (classifier.folder / "export.json").write_text('{"layout": "standard", "precision": "fp32", "opset": 20}')
    assert OnnxModel(classifier.folder).capability == "text-generation"
    with pytest.raises(Damaged, match=r"genai_config\.json"):
        OnnxModel(classifier.folder).check()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"signature": None}, "does not say what the graph takes"),
        ({"signature": {"inputs": []}}, "the signature lacks 'outputs'"),
        ({"signature": {"inputs": [{"name": "x"}], "outputs": []}}, "the signature lacks 'type'"),
        ({"signature": 3}, "the signature lacks"),
        ({"capability": "telepathy"}, "'telepathy' is none of"),
    ],
)
def test_what_a_graph_says_of_itself_has_to_be_whole(classifier, changes, says):
    with pytest.raises(Damaged, match=says):
        edit(classifier, **changes).check()


def test_a_graph_for_something_else_generates_no_text(classifier):
    load = pytest.importorskip("aictl.inference.load", reason="generating needs the extra serve").load
    with pytest.raises(WrongKind, match="is for image-classification"):
        load(classifier)
    with pytest.raises(WrongKind, match="is for something that is not known here"):
        load(edit(classifier, capability=None))

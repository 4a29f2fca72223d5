from __future__ import annotations

import json

import pytest

from aictl.artifacts.onnx import OnnxModel, Signature, Tensor, write_facts
from aictl.core.errors import Damaged, WrongKind

onnx = pytest.importorskip("onnx", reason="writing a graph needs the extra export")
SIGNATURE = Signature(
    inputs=(Tensor("image", "float32", ("batch", 8, 8, 1)),), outputs=(Tensor("scores", "float32", ("batch", 10)),)
)


def write_graph(path, input: Tensor, output: Tensor) -> None:
    """A graph that takes and gives that: what it does in between does not matter here."""
    sides = [
        onnx.helper.make_tensor_value_info(one.name, onnx.TensorProto.FLOAT, list(one.shape)) for one in (input, output)
    ]
    node = onnx.helper.make_node("Own", [input.name], [output.name], domain="me")
    graph = onnx.helper.make_graph([node], "g", sides[:1], sides[1:])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)]), path)


@pytest.fixture
def classifier(tmp_path) -> OnnxModel:
    """A graph that is no language model."""
    write_graph(tmp_path / "model.onnx", *SIGNATURE.inputs, *SIGNATURE.outputs)
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
        ({"signature": {"inputs": [], "outputs": []}}, "takes or gives something else"),
        ({"graphs": []}, "no table of names"),
        ({"graphs": {"../model": {}}}, "no table of names"),
        ({"graphs": {"text": {"inputs": [], "outputs": []}}}, r"text\.onnx is missing"),
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


@pytest.fixture
def dual(tmp_path) -> OnnxModel:
    """Two graphs that are used apart."""
    halves = {
        name: Signature((Tensor(given, "float32", ("batch", 4)),), (Tensor(f"{name}_embeds", "float32", ("batch", 2)),))
        for name, given in (("text", "input_ids"), ("image", "pixel_values"))
    }
    for name, one in halves.items():
        write_graph(tmp_path / f"{name}.onnx", *one.inputs, *one.outputs)
        (tmp_path / f"{name}.onnx.data").write_bytes(bytes(100))
    write_facts(
        tmp_path, layout="standard", precision="fp32", opset=18, capability="image-text", graphs=halves,
        scoring={"scale": 2.0, "bias": 0.0},
    )  # fmt: skip
    return OnnxModel(tmp_path)


def test_a_model_may_have_two_graphs(dual):
    dual.check()
    assert list(dual.graphs) == list(dual.signatures) == ["text", "image"]
    assert dual.signature is None
    assert dual.facts["scoring"]["scale"] == 2.0
    assert [one.name for one in dual.header.signature.outputs] == ["text_embeds", "image_embeds"]
    assert dual.header.operators == {"Own": 2}
    assert dual.weights_bytes == sum(path.stat().st_size for path in dual.folder.glob("*.onnx*"))
    (dual.folder / "image.onnx").unlink()
    with pytest.raises(Damaged, match=r"image\.onnx is missing"):
        dual.check()


def test_a_graph_that_was_changed_or_cut_is_damaged(classifier):
    whole = classifier.model_path.read_bytes()
    classifier.model_path.write_bytes(whole.replace(b"scores", b"SCORES"))
    with pytest.raises(Damaged, match="takes or gives something else"):
        OnnxModel(classifier.folder).check()
    classifier.model_path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Damaged, match="is not a whole ONNX file"):
        OnnxModel(classifier.folder).check()

"""A model in onnxruntime's own format that is not whole is found without onnxruntime."""

from __future__ import annotations

import json

import pytest

from aictl.artifacts.mobile import OPERATORS, MobileModel
from aictl.core.errors import Damaged

FACTS = MobileModel.facts_file
CONTENT = b"\x14\0\0\0ORTM" + bytes(56)
STATED = {"precision": "int8", "version": "1.32.0", "capability": "image-text"}
STATED |= {"graphs": {name: {"size_bytes": 64} for name in ("text", "image")}}


@pytest.fixture
def model(tmp_path) -> MobileModel:
    (tmp_path / FACTS).write_text(json.dumps(STATED))
    (tmp_path / OPERATORS).write_text("ai.onnx;13;MatMul\n")
    for name in STATED["graphs"]:
        (tmp_path / f"{name}.ort").write_bytes(CONTENT)
    return MobileModel(tmp_path)


def test_one_that_is_whole(model):
    model.check()
    assert model.weights_bytes == 128
    assert model.brief()[:4] == ("image-text", None, None, "int8")


@pytest.mark.parametrize(
    ("content", "says"),
    [(CONTENT[:-1], "has 63 bytes, and mobile.json says 64"), (bytes(64), "own format"), (b"", "has 0 bytes")],
)
def test_a_graph_that_is_not_whole(model, content, says):
    (model.folder / "image.ort").write_bytes(content)
    with pytest.raises(Damaged, match=says):
        model.check()


@pytest.mark.parametrize("name", ["text.ort", OPERATORS, FACTS])
def test_a_file_that_is_missing(model, name):
    (model.folder / name).unlink()
    with pytest.raises(Damaged, match=name):
        model.check()


@pytest.mark.parametrize(
    "stated",
    [
        {name: value for name, value in STATED.items() if name != "version"},
        {**STATED, "graphs": {}},
        {**STATED, "graphs": {"../../etc": {"size_bytes": 64}}},
        {**STATED, "graphs": {"text": {"size_bytes": "many"}}},
        {**STATED, "capability": "flying"},
        {**STATED, "capability": ["text"]},
        [],
    ],
)
def test_facts_that_are_none(model, stated):
    (model.folder / FACTS).write_text(json.dumps(stated))
    with pytest.raises(Damaged, match=FACTS):
        model.check()

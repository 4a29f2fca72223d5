"""A model for OpenVINO that is not whole is found by reading what describes it; OpenVINO is not needed for that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aictl.core.errors import Damaged
from aictl_openvino.artifact import OpenVinoModel

FACTS = OpenVinoModel.facts_file
DESCRIBED = '<net><layers><layer type="Const"><data offset="{offset}" size="{size}"/></layer></layers></net>'
WHOLE = DESCRIBED.format(offset=16, size=48)
STATED = {"precision": "fp16", "version": "2026.4.1", "capability": "image-text"}
STATED |= {"graphs": {name: {"size_bytes": len(WHOLE) + 64} for name in ("text", "image")}}


@pytest.fixture
def model(tmp_path: Path) -> OpenVinoModel:
    (tmp_path / FACTS).write_text(json.dumps(STATED))
    for name in STATED["graphs"]:
        path = tmp_path / OpenVinoModel.files_of(name)[0]
        path.write_text(WHOLE)
        path.with_suffix(".bin").write_bytes(bytes(64))
    return OpenVinoModel(tmp_path)


def test_one_that_is_whole(model: OpenVinoModel) -> None:
    model.check()
    assert model.weights_bytes == sum(one.stat().st_size for one in model.folder.glob("openvino_*"))
    assert model.brief()[:4] == ("image-text", None, None, "fp16")
    assert [path.name for path in model.graphs.values()] == ["openvino_text_model.xml", "openvino_image_model.xml"]
    assert OpenVinoModel.files_of("model") == ("openvino_model.xml", "openvino_model.bin")


BOMB = '<!DOCTYPE net [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><net><layer>&b;</layer></net>'


@pytest.mark.parametrize(
    ("described", "says"),
    [
        (DESCRIBED.format(offset=32, size=48), "has 64 bytes, and the weights that .* names end at 80"),
        (DESCRIBED.format(offset=16, size=-1), "weights at 16 of -1 bytes"),
        (DESCRIBED.format(offset=16, size="many"), "invalid literal"),
        (WHOLE.replace("Const", "Constant"), "have 152 bytes, and openvino.json says 149"),
        (WHOLE[:60], "does not describe a graph"),
        ("<net></net>", "it has no layers"),
        (BOMB, "declares a document type"),
        ("", "no element found"),
    ],
    ids=["short", "negative", "word", "longer", "torn", "nothing", "bomb", "empty"],
)
def test_a_description_that_is_not_of_these_weights(model: OpenVinoModel, described: str, says: str) -> None:
    (model.folder / OpenVinoModel.files_of("image")[0]).write_text(described)
    with pytest.raises(Damaged, match=says):
        model.check()


def test_weights_that_are_missing(model: OpenVinoModel) -> None:
    (model.folder / "openvino_text_model.bin").unlink()
    with pytest.raises(Damaged, match="is missing"):
        model.check()


@pytest.mark.parametrize(
    "stated",
    [
        {name: value for name, value in STATED.items() if name != "version"},
        {**STATED, "graphs": {}},
        {**STATED, "graphs": {"../../etc": {}}},
        {**STATED, "capability": "flying"},
        {**STATED, "capability": ["text"]},
        [],
    ],
)
def test_facts_that_are_none(model: OpenVinoModel, stated: object) -> None:
    (model.folder / FACTS).write_text(json.dumps(stated))
    with pytest.raises(Damaged, match=FACTS):
        model.check()

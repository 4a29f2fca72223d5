"""What MODEL may be: a configuration, a folder with one, an artifact, or a graph that says only its widths."""

from __future__ import annotations

import json

import pytest
from tests.hw.plan.test_serve import SMALL
from tests.planning.test_benched import MACHINE

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.onnx import OnnxModel
from aictl.core.artifact import Source
from aictl.core.errors import BadInput, BadRequest
from aictl.hw.plan.model import model_of
from aictl.hw.plan.spec import ModelSpec
from aictl.testing.workspace import Bench

DECODER = {
    "head_size": 64,
    "hidden_size": 256,
    "num_attention_heads": 4,
    "num_hidden_layers": 4,
    "num_key_value_heads": 2,
}
WEIGHTS = 4 * (256 * 256 * 2 + 2 * 256 * 128 + 3 * 256 * 768) + 4096 * 256  # what such a model has, embedding included


def source(path):
    return Source(str(path), path, "0" * 64)


def test_a_file_and_a_folder_with_a_configuration(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(SMALL))
    of_file = model_of(source(tmp_path / "config.json"), ModelSpec())
    of_folder = model_of(source(tmp_path), ModelSpec())
    assert of_file == of_folder
    assert of_file.shape.hidden == 256
    assert of_file.assumed == []
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"holds no config\.json"):
        model_of(source(tmp_path / "empty"), ModelSpec())


def test_a_shape_of_its_own_takes_no_numbers(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(SMALL))
    with pytest.raises(BadRequest, match="--layers, --gated"):
        model_of(source(tmp_path), ModelSpec(layers=4, gated=True))


def test_a_graph_says_its_widths_and_its_weights_the_rest(tmp_path):
    config = {
        "model": {"decoder": DECODER, "context_length": 256, "vocab_size": 4096},
        "search": {"past_present_share_buffer": True},
    }
    (tmp_path / "genai_config.json").write_text(json.dumps(config))
    (tmp_path / "export.json").write_text(json.dumps({"layout": "fused", "precision": "fp32", "opset": 20}))
    (tmp_path / "model.onnx").write_bytes(bytes(4 * WEIGHTS))
    found = model_of(OnnxModel(tmp_path), ModelSpec())
    assert (found.shape.layers, found.shape.hidden, found.shape.key_value_heads) == (4, 256, 2)
    assert found.shape.feed_forward == 768
    assert (found.stored, found.stored_bytes) == ("fp32", 4 * WEIGHTS)
    (tmp_path / "export.json").write_text(json.dumps({"layout": "fused", "precision": "int8", "opset": 20}))
    assert model_of(OnnxModel(tmp_path), ModelSpec()).stored == "int8"


def test_an_adapter_is_its_checkpoint(tmp_path, monkeypatch):
    bench = Bench(tmp_path / "w")
    from aictl.artifacts.checkpoint import Checkpoint

    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    made = bench.folder("made")
    (made / "config.json").write_text(json.dumps(SMALL))
    (made / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    base = bench.keep(Checkpoint(made), "base")
    adapter = Adapter(tmp_path, name="mine")
    monkeypatch.setattr(Adapter, "base", base)
    found = model_of(adapter, ModelSpec())
    assert found.shape.hidden == 256
    assert found.origin == f"adapter on checkpoint {base.record.id[:12]}"


def test_a_plan_is_the_same_wherever_it_is_made(aictl, tmp_path):
    ids = []
    for place in ("here", "there/too"):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(SMALL))
        (folder / "benchmark.json").write_text(json.dumps(MACHINE))
        words = (
            "hw",
            "plan",
            "train",
            "config.json",
            "--machine",
            "benchmark.json",
            "--tokens",
            "1e6",
            "--json",
        )
        assert aictl("init", "w", cwd=folder).returncode == 0
        words = tuple(f"../{word}" if word.endswith(".json") else word for word in words)
        ids.append(json.loads(aictl(*words, cwd=folder / "w").stdout)["id"])
    assert ids[0] == ids[1]

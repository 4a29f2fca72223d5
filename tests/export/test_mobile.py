"""A model in onnxruntime's own format says what its graph says, needs what it says that it needs, and is a gate."""

from __future__ import annotations

import json
import logging
import shutil

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.tools.reduced_build_config_parser import parse_config
from tests.model.networks import write

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.mobile import OPERATORS, MobileModel
from aictl.artifacts.onnx import OnnxModel
from aictl.artifacts.onnx_header import read_header
from aictl.core.errors import BadInput, BadRequest, Damaged, GateMissed, WrongKind
from aictl.core.events import silent
from aictl.export import mobile
from aictl.export.converted import CAPABILITIES
from aictl.export.forms import FORMS
from aictl.export.onnx import export
from aictl.export.spec import MobileSpec, OnnxSpec

KINDS = ("text-classification", "image-text")


@pytest.fixture(scope="module")
def models(write_llama, tmp_path_factory):
    """Graphs of networks and of a language model, by what they are for."""
    place = tmp_path_factory.mktemp("models")
    write_llama(place / "text-generation", "the capital of france is paris", "{{ messages[0].content }}")
    made = {}
    for kind in ("text-generation", *KINDS):
        folder = place / kind if kind == "text-generation" else write(place / kind, kind)
        (place / f"{kind}-onnx").mkdir()
        export(Checkpoint(folder), OnnxSpec(), place / f"{kind}-onnx", events=silent)
        made[kind] = OnnxModel(place / f"{kind}-onnx", name=f"my-{kind}")
    return made


def converted(model: OnnxModel, folder, **options) -> MobileModel:
    folder.mkdir(exist_ok=True)
    return mobile.export(model, MobileSpec(**options), folder, events=silent)


@pytest.fixture(scope="module")
def made(models, tmp_path_factory) -> MobileModel:
    return converted(models["text-generation"], tmp_path_factory.mktemp("made"))


def changed(model: OnnxModel, folder, **facts) -> OnnxModel:
    """A copy with other facts in its export.json."""
    shutil.copytree(model.folder, folder)
    (folder / "export.json").write_text(json.dumps({**model.facts, **facts}))
    return OnnxModel(folder, name=folder.name)


def test_a_language_model_goes_on_with_its_cache_as_in_its_graph(made, models):
    model = models["text-generation"]
    made.check()
    ours, theirs = (
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        for path in (made.folder / "model.ort", model.model_path)
    )
    filled = np.random.default_rng(0).normal(size=(2, 2, 4, 16)).astype(np.float32)
    given = {one.name: filled for one in theirs.get_inputs() if "past" in one.name}
    given |= {"input_ids": np.array([[5], [80]]), "attention_mask": np.ones((2, 5), np.int64)}
    given["position_ids"] = np.full((2, 1), 4)
    for one, wanted in zip(ours.run(None, given), theirs.run(None, given), strict=True):
        assert one == pytest.approx(wanted, abs=1e-4)
    assert {*made.metrics["parity"]} >= {"empty_cache", "full_cache", "left_padding"}
    assert made.metrics["parity"]["worst"] < made.metrics["parity"]["tolerance"]
    assert (made.folder / "genai_config.json").read_bytes() == (model.folder / "genai_config.json").read_bytes()


def test_the_record_says_how_large_it_is(made, models):
    model = models["text-generation"]
    assert made.metrics["size_bytes"] == (made.folder / "model.ort").stat().st_size
    assert made.metrics["parent"]["size_bytes"] == model.weights_bytes
    assert made.brief()[:4] == ("text-generation", None, model.brief().parameters, "fp32")
    speed = made.metrics["speedup"]
    assert 0 < speed["low"] <= speed["ratio"] <= speed["high"]


def test_a_table_that_is_shared_is_written_once(made, models, tmp_path):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "folded.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(models["text-generation"].model_path, options, providers=["CPUExecutionProvider"])
    config = json.loads((models["text-generation"].folder / "genai_config.json").read_text())["model"]
    table = 4 * config["vocab_size"] * config["decoder"]["hidden_size"]
    assert (tmp_path / "folded.ort").stat().st_size - made.metrics["size_bytes"] > 0.9 * table
    assert sorted(path.name for path in made.folder.glob("model*")) == ["model.ort"]


def test_the_operators_are_those_that_onnxruntime_is_left_with(made, models, tmp_path):
    """Held against what it writes as ONNX when it optimises alike: its head shares the table of the tokens, so that
    constants are not folded."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    onnxruntime.InferenceSession(
        models["text-generation"].model_path,
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=["NchwcTransformer", "ConstantFolding"],
    )
    graph = onnx.load(tmp_path / "optimised.onnx", load_external_data=False).graph
    wanted = {(node.domain or "ai.onnx", node.op_type) for node in graph.node}
    path = made.folder / OPERATORS
    assert path.read_text().startswith("# What model.ort needs of onnxruntime 1.")
    found, _ = parse_config(str(path))  # as a build of onnxruntime reads it
    assert {(domain, name) for domain, ones in found.items() for names in ones.values() for name in names} == wanted
    assert made.metrics["operators"] == len(wanted)


def test_the_halves_of_a_dual_encoder_are_a_file_each(models, tmp_path):
    two = converted(models["image-text"], tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.ort")) == ["image.ort", "text.ort"]
    assert two.facts["scoring"] == models["image-text"].facts["scoring"]
    assert two.metrics["parity"]["worst"] < 1e-5 and (tmp_path / "preprocessor_config.json").is_file()


def test_whole_numbers_stay_whole(models, tmp_path):
    model = models["text-classification"]
    small = changed(model, tmp_path / "small", precision="int8")
    quantize_dynamic(model.model_path, small.model_path, per_channel=True, weight_type=QuantType.QInt8)
    plain, rounded = converted(model, tmp_path / "plain"), converted(OnnxModel(small.folder), tmp_path / "rounded")
    assert rounded.brief().precision == "int8"
    assert rounded.metrics["parity"]["worst"] < 1e-5
    assert "MatMulInteger" in (rounded.folder / OPERATORS).read_text()
    assert "MatMulInteger" not in (plain.folder / OPERATORS).read_text()
    assert json.loads((rounded.folder / "config.json").read_text())["id2label"] == {"0": "dull", "1": "fine"}


def test_nothing_is_said(models, tmp_path, capfd):
    handlers = list(logging.getLogger().handlers)
    converted(models["text-classification"], tmp_path)
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger().handlers == handlers


def test_a_difference_beyond_the_tolerance_is_no_model(models, tmp_path):
    with pytest.raises(GateMissed, match=r"differs from onnxruntime's by up to .* \(logits, .* is accepted"):
        converted(models["text-generation"], tmp_path, tolerance=1e-30)


def test_what_is_refused_says_what_to_do(models, tmp_path):
    model = models["text-classification"]
    for precision in ("fp16", "bf16"):
        with pytest.raises(WrongKind, match=f"is in {precision}, which onnxruntime widens") as caught:
            converted(changed(model, tmp_path / precision, precision=precision), tmp_path / "made")
        assert "aictl optimize quantize" in caught.value.cure
    with pytest.raises(WrongKind, match="is of layout fused") as caught:
        converted(changed(model, tmp_path / "fused", layout="fused"), tmp_path / "made")
    assert "aictl export onnx" in caught.value.cure
    with pytest.raises(WrongKind, match="is for text-to-text"):
        converted(changed(model, tmp_path / "other", capability="text-to-text"), tmp_path / "made")
    assert not list((tmp_path / "made").iterdir())


def test_one_that_is_too_large_for_the_format_is_refused(models, tmp_path):
    model = changed(models["text-classification"], tmp_path / "large")
    with (model.folder / "model.onnx.data").open("r+b") as file:
        file.truncate(2**31)  # of holes: it takes no room
    with pytest.raises(BadRequest, match="has 2 GiB, and a file of this format holds 2 GiB at most"):
        converted(model, tmp_path / "made")


def test_what_was_edited_by_hand_is_not_converted(models, tmp_path):
    cut = changed(models["text-classification"], tmp_path / "cut")
    cut.model_path.write_bytes(cut.model_path.read_bytes()[:2000])
    with pytest.raises(Damaged):
        converted(cut, tmp_path / "made")
    model = models["text-classification"]
    stated = json.loads(json.dumps(model.facts["signature"]).replace("attention_mask", "mask"))
    with pytest.raises(Damaged, match="takes or gives something else"):
        converted(changed(model, tmp_path / "renamed", signature=stated), tmp_path / "made")
    untold = changed(model, tmp_path / "untold")
    (untold.folder / "config.json").write_text("{")
    with pytest.raises(Damaged, match=r"config\.json cannot be read"):
        converted(untold, tmp_path / "made")


def test_a_graph_with_other_inputs_is_refused(models, tmp_path):
    """One for texts may ask for their types, which are all alike; of nothing else is it known what to give."""
    for name, says in (("token_type_ids", None), ("speaker", "takes input_ids, attention_mask, speaker, and is no")):
        model = changed(models["text-classification"], tmp_path / name)
        graph = onnx.load(model.model_path)
        graph.graph.input.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64, ["batch", "length"]))
        (model.folder / "model.onnx.data").unlink()
        onnx.save(graph, model.model_path)
        stated = read_header(model.model_path).signature.to_json()
        (model.folder / "export.json").write_text(json.dumps({**model.facts, "signature": stated}))
        if says is None:
            assert converted(OnnxModel(model.folder), tmp_path / "made").metrics["parity"]["worst"] < 1e-5
        else:
            with pytest.raises(BadInput, match=says):
                converted(OnnxModel(model.folder), tmp_path / "made")


def test_what_is_converted_is_what_is_exported_but_encoder_decoders():
    assert {*CAPABILITIES} == {"text-generation", *FORMS}

"""What is written for OpenVINO says what the graph says, and is a gate."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import BadRequest, Damaged, GateMissed, WorkFailed, WrongKind
from aictl.core.events import silent
from aictl_openvino.artifact import OpenVinoModel
from aictl_openvino.spec import OpenVinoSpec

pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install openvino")
pytestmark = pytest.mark.slow  # tracing the models that are converted takes some seconds


def converted(model: OnnxModel, folder: Path, **options: Any) -> OpenVinoModel:
    from aictl_openvino.convert import convert

    folder.mkdir(exist_ok=True)
    return convert(model, OpenVinoSpec(**options), folder, events=silent)


def changed(model: OnnxModel, folder: Path, edit: Callable[[Any], None] | None = None, **facts: Any) -> OnnxModel:
    """A copy with another graph, or other facts in its export.json."""
    import onnx

    shutil.copytree(model.folder, folder)
    (folder / "export.json").write_text(json.dumps({**model.facts, **facts}))
    if edit is not None:
        graph = onnx.load(folder / "model.onnx")
        edit(graph.graph)
        (folder / "model.onnx.data").unlink(missing_ok=True)
        onnx.save(graph, folder / "model.onnx")
    return OnnxModel(folder, name=folder.name)


@pytest.fixture(scope="module")
def made(language: OnnxModel, tmp_path_factory: pytest.TempPathFactory) -> OpenVinoModel:
    return converted(language, tmp_path_factory.mktemp("made"))


def test_a_language_model_says_in_openvino_what_it_says_in_onnxruntime(
    made: OpenVinoModel, language: OnnxModel
) -> None:
    """By OpenVINO's own interface, as somebody would run it who has the folder alone."""
    import onnxruntime
    import openvino

    compiled = openvino.Core().compile_model(
        made.folder / "openvino_model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    session = onnxruntime.InferenceSession(language.model_path, providers=["CPUExecutionProvider"])
    assert {one.get_any_name() for one in compiled.inputs} == {one.name for one in session.get_inputs()}
    feeds: dict[str, Any] = {
        "input_ids": np.array([[5, 80, 7]]), "attention_mask": np.ones((1, 3), np.int64),
        "position_ids": np.arange(3)[None],
    }  # fmt: skip
    rng = np.random.default_rng(0)
    empty = {one.name: np.zeros((1, 2, 0, 8), np.float32) for one in session.get_inputs() if "past" in one.name}
    filled = {name: rng.normal(size=(1, 2, 4, 8)).astype(np.float32) for name in empty}
    for past in (empty, filled):
        length = 3 + next(iter(past.values())).shape[2]
        given = {**feeds, **past, "attention_mask": np.ones((1, length), np.int64)}
        theirs = compiled(given)
        for one, values in zip(session.get_outputs(), session.run(None, given), strict=True):
            assert theirs[one.name] == pytest.approx(values, abs=1e-4), one.name


def test_the_record_says_how_far_how_large_and_how_fast(made: OpenVinoModel, language: OnnxModel) -> None:
    made.check()
    parity = made.metrics["parity"]
    assert 0 < parity["worst"] == max(parity[name] for name in ("empty_cache", "full_cache", "left_padding")) < 1e-4
    assert made.metrics["size_bytes"] == sum(one.stat().st_size for one in made.folder.glob("openvino_model.*"))
    assert made.metrics["parent"]["size_bytes"] == language.weights_bytes
    speed = made.metrics["speedup"]
    assert 0 < speed["low"] <= speed["ratio"] <= speed["high"]
    assert made.brief()[:4] == ("text-generation", None, language.metrics["parameters"], "fp32")
    for name in ("tokenizer.json", "tokenizer_config.json", "genai_config.json"):
        assert (made.folder / name).read_bytes() == (language.folder / name).read_bytes()


def test_fp16_is_half_as_large_and_further_off(made: OpenVinoModel, language: OnnxModel, tmp_path: Path) -> None:
    half = converted(language, tmp_path, precision="fp16")
    sizes = [(one.folder / "openvino_model.bin").stat().st_size for one in (half, made)]
    assert 0.45 < sizes[0] / sizes[1] < 0.55
    assert made.metrics["parity"]["worst"] < half.metrics["parity"]["worst"] < half.metrics["parity"]["tolerance"]
    assert half.brief().precision == "fp16"
    with pytest.raises(GateMissed, match="differs from onnxruntime's by up to"):
        converted(language, tmp_path / "missed", precision="fp16", tolerance=1e-5)


def test_the_same_model_twice_is_the_same_files(made: OpenVinoModel, language: OnnxModel, tmp_path: Path) -> None:
    again = converted(language, tmp_path)
    for one in made.folder.iterdir():
        assert (again.folder / one.name).read_bytes() == one.read_bytes(), one.name


def test_networks_take_along_what_prepares_their_inputs(texts: OnnxModel, pictures: OnnxModel, tmp_path: Path) -> None:
    one, other = converted(texts, tmp_path / "texts"), converted(pictures, tmp_path / "pictures")
    assert (one.facts["precision"], other.facts["precision"]) == ("fp32", "fp16")
    assert one.metrics["parity"]["worst"] < 1e-5
    assert {*one.metrics["parity"]} >= {"alone", "in_batch"}
    assert json.loads((one.folder / "config.json").read_text())["id2label"] == {"0": "dull", "1": "fine"}
    assert (other.folder / "preprocessor_config.json").is_file()
    assert other.facts["graphs"]["model"]["outputs"] == [{"name": "logits", "type": "float32", "shape": ["batch", 2]}]


def test_nobody_is_told_what_is_converted(texts: OnnxModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import openvino_telemetry

    class Told(BaseException):
        pass

    def tell(*_: object, **__: object) -> None:
        raise Told

    for name in ("__init__", "send_event", "start_session"):
        monkeypatch.setattr(openvino_telemetry.Telemetry, name, tell)
    converted(texts, tmp_path)


def test_numbers_that_fp16_does_not_hold_are_no_model(language: OnnxModel, tmp_path: Path) -> None:
    import onnx

    def one_is_large(graph: Any) -> None:
        head = next(node for node in graph.node if "logits" in node.output).input[1]
        tensor = next(one for one in graph.initializer if one.name == head)
        weights = onnx.numpy_helper.to_array(tensor).copy()
        weights[3, 5] = 1e6
        tensor.CopyFrom(onnx.numpy_helper.from_array(weights, head))

    large = changed(language, tmp_path / "large", one_is_large)
    with pytest.raises(GateMissed, match=r"logits, .* is accepted"):
        converted(large, tmp_path / "made", precision="fp16")
    with pytest.raises(GateMissed, match="by up to nan"):
        converted(changed(language, tmp_path / "nan", _no_numbers), tmp_path / "made")


def _no_numbers(graph: Any) -> None:
    import onnx

    for tensor in graph.initializer:
        if len(tensor.dims) == 2:
            weights = onnx.numpy_helper.to_array(tensor) * np.float32("nan")
            tensor.CopyFrom(onnx.numpy_helper.from_array(weights, tensor.name))


def test_an_operator_that_openvino_does_not_know_is_named(language: OnnxModel, tmp_path: Path) -> None:
    def by_chance(graph: Any) -> None:
        next(node for node in graph.node if node.op_type == "Sigmoid").op_type = "Bernoulli"

    with pytest.raises(WorkFailed, match="No conversion rule found for operations: Bernoulli") as caught:
        converted(changed(language, tmp_path / "chance", by_chance), tmp_path / "made")
    assert caught.value.exit_code == 1


def test_what_was_edited_by_hand_is_not_opened(texts: OnnxModel, tmp_path: Path) -> None:
    def outside(graph: Any) -> None:
        tensor = next(one for one in graph.initializer if len(one.dims) == 2)
        tensor.ClearField("raw_data")
        tensor.data_location = 1
        del tensor.external_data[:]
        tensor.external_data.add(key="location", value="../../passwd")

    with pytest.raises(Damaged, match="outside of its folder"):
        converted(changed(texts, tmp_path / "outside", outside), tmp_path / "made")
    cut = changed(texts, tmp_path / "cut")
    cut.model_path.write_bytes(cut.model_path.read_bytes()[:200])
    with pytest.raises(Damaged):
        converted(cut, tmp_path / "made")
    assert not list((tmp_path / "made").iterdir())


def test_what_cannot_be_converted_is_told_what_can(texts: OnnxModel, pictures: OnnxModel, tmp_path: Path) -> None:
    with pytest.raises(WrongKind, match="is in int8") as caught:
        converted(changed(texts, tmp_path / "int8", precision="int8"), tmp_path / "made")
    assert "aictl artifact lineage int8" in str(caught.value.cure)
    with pytest.raises(WrongKind, match="is for text-to-text"):
        converted(changed(texts, tmp_path / "other", capability="text-to-text"), tmp_path / "made")
    with pytest.raises(BadRequest, match="is in fp16 already"):
        converted(pictures, tmp_path / "made", precision="fp32")

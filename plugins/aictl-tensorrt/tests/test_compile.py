"""Real engines, built by TensorRT-RTX without a GPU; run where there is one."""

from __future__ import annotations

import ctypes.util
import json
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from aictl.artifacts.engine import Engine
from aictl.artifacts.onnx import OnnxModel
from aictl.core.artifact import Artifact, InputRecord, Record
from aictl.core.errors import BadRequest, Damaged, GateMissed, MachineLacks, WorkFailed, WrongKind
from aictl.core.events import Advanced, Event, Events, Finished, Noted, Started, silent
from aictl_tensorrt.compile import compile_engine
from aictl_tensorrt.spec import TrtSpec

rtx = pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed: pip install 'aictl-tensorrt[rtx]'")
pytestmark = pytest.mark.slow  # tracing the model that they build takes some seconds
SPEC = TrtSpec(builder="rtx", max_batch=2, max_sequence=32)


@pytest.fixture(scope="module")
def engine(exported: OnnxModel, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tmp_path_factory.mktemp("engine")
    return compile_engine(exported, SPEC, folder, scratch=tmp_path_factory.mktemp("scratch"), events=silent)


def changed(exported: OnnxModel, folder: Path, **facts: Any) -> OnnxModel:
    """A copy of the export with other facts in its export.json."""
    shutil.copytree(exported.folder, folder)
    (folder / "export.json").write_text(json.dumps({**exported.facts, **facts}))
    return OnnxModel(folder)


def spoilt(exported: OnnxModel, folder: Path, operator: str, into: str) -> OnnxModel:
    """A copy of the export in which the first node of one operator became another."""
    model = changed(exported, folder)
    graph = onnx.load(str(model.model_path))
    next(node for node in graph.graph.node if node.op_type == operator).op_type = into
    onnx.save(graph, str(model.model_path))
    return model


def test_engine_says_what_built_it_and_for_which_shapes(engine: Engine, exported: OnnxModel) -> None:
    engine.check()
    facts = engine.facts
    assert (facts["builder"], facts["distribution"], facts["version"]) == ("rtx", "tensorrt-rtx-cu13", rtx.__version__)
    assert (facts["precision"], facts["max_sequence"], facts["targets"]) == ("tf32", 32, [])
    assert [one["name"] for one in facts["profiles"]] == ["whole"]
    assert facts["profiles"][0]["ranges"]["past_key_values.1.value"]["largest"] == [2, 2, 31, 8]
    assert engine.metrics["size_bytes"] == engine.engine_path.stat().st_size > exported.model_path.stat().st_size
    for name in ("tokenizer.json", "tokenizer_config.json", "genai_config.json"):
        assert (engine.folder / name).read_bytes() == (exported.folder / name).read_bytes()


def test_engine_is_made_again_only_when_its_builder_has_changed(engine: Engine, tmp_path: Path) -> None:
    assert engine.in_place()
    for version, distribution, expected in (("0.1", None, False), ("0.1", "no-such-builder", True)):
        folder = tmp_path / f"{version}-{distribution}"
        shutil.copytree(engine.folder, folder)
        facts = {**engine.facts, "version": version, "distribution": distribution or engine.facts["distribution"]}
        (folder / "engine.json").write_text(json.dumps(facts))
        assert Engine(folder).in_place() is expected


def test_progress_and_the_builders_words_are_told_in_order(
    exported: OnnxModel, tmp_path: Path, told: list[Event], events: Events
) -> None:
    threads = set()
    heard = Events(lambda event: (threads.add(threading.current_thread()), told.append(event))[0])
    compile_engine(exported, SPEC, tmp_path, scratch=tmp_path, events=heard)
    (started,) = (event for event in told if isinstance(event, Started))
    steps = [event.done for event in told if isinstance(event, Advanced)]
    assert steps == list(range(1, len(steps) + 1))
    assert 0 < len(steps) <= (started.total or 0)
    assert sum(isinstance(event, Finished) for event in told) == 1
    assert any(event.level == "detail" for event in told if isinstance(event, Noted))
    assert threads == {threading.main_thread()}  # a sink need not know about threads


def test_targets_are_set_and_a_wrong_one_lists_those_there_are(exported: OnnxModel, tmp_path: Path) -> None:
    spec = SPEC.model_copy(update={"compute_capability": ["sm89", "SM80"]})
    made = compile_engine(exported, spec, tmp_path, scratch=tmp_path, events=silent)
    assert made.facts["targets"] == ["sm80", "sm89"]
    with pytest.raises(BadRequest, match="'sm12'") as caught:
        wrong = SPEC.model_copy(update={"compute_capability": ["sm12"]})
        compile_engine(exported, wrong, tmp_path, scratch=tmp_path, events=silent)
    assert "sm89" in str(caught.value.cure)


def test_fp16_halves_the_cache_and_keeps_the_comparison(exported: OnnxModel, tmp_path: Path) -> None:
    folder, scratch = tmp_path / "made", tmp_path / "scratch"
    folder.mkdir()
    spec = SPEC.model_copy(update={"precision": "fp16"})
    made = compile_engine(exported, spec, folder, scratch=scratch, events=silent)
    half = onnx.load(str(scratch / "fp16" / "model.onnx"))
    types = {one.name: one.type.tensor_type.elem_type for one in half.graph.input}
    assert types["past_key_values.0.key"] == onnx.TensorProto.FLOAT16
    assert types["input_ids"] == onnx.TensorProto.INT64
    compared = made.metrics["fp16"]
    assert 0 < compared["worst_probability_difference"] < 1e-3
    assert compared["same_first_choice"] > 0.9


def test_fp16_that_overflows_is_no_engine(exported: OnnxModel, tmp_path: Path) -> None:
    """Embeddings that fp32 holds and fp16 does not, below logits that are far apart."""
    model = changed(exported, tmp_path / "huge")
    graph = onnx.load(str(model.model_path))
    gather = next(node for node in graph.graph.node if node.op_type == "Gather")
    head = next(node for node in graph.graph.node if "logits" in node.output)
    for tensor in graph.graph.initializer:
        factor = {gather.input[0]: 1e7, head.input[1]: 100.0}.get(tensor.name)
        if factor:
            larger = onnx.numpy_helper.to_array(tensor) * np.float32(factor)
            tensor.CopyFrom(onnx.numpy_helper.from_array(larger, tensor.name))
    (model.folder / "model.onnx.data").unlink()
    onnx.save(graph, str(model.model_path))
    with pytest.raises(GateMissed, match="is allowed"):
        spec = SPEC.model_copy(update={"precision": "fp16"})
        compile_engine(model, spec, tmp_path, scratch=tmp_path / "scratch", events=silent)
    assert not (tmp_path / "model.engine").exists()


def test_fp16_of_a_quantised_model_is_refused(exported: OnnxModel, tmp_path: Path) -> None:
    model = changed(exported, tmp_path / "int8", precision="int8")
    with pytest.raises(BadRequest, match="int8"):
        spec = SPEC.model_copy(update={"precision": "fp16"})
        compile_engine(model, spec, tmp_path, scratch=tmp_path, events=silent)


def test_engine_is_never_longer_than_the_models_context(
    exported: OnnxModel, tmp_path: Path, told: list[Event], events: Events
) -> None:
    made = compile_engine(exported, TrtSpec(builder="rtx"), tmp_path, scratch=tmp_path, events=events)
    assert made.facts["max_sequence"] == exported.context_length == 64
    assert any("64 tokens" in event.message for event in told if isinstance(event, Noted))


def test_a_fused_model_points_to_the_export_it_came_from(exported: OnnxModel, tmp_path: Path) -> None:
    fused = changed(exported, tmp_path / "fused", layout="fused")
    with pytest.raises(WrongKind, match="layout fused") as caught:
        compile_engine(fused, SPEC, tmp_path, scratch=tmp_path, events=silent)
    assert "aictl export onnx" in str(caught.value.cure)

    row = InputRecord("model", "0" * 64, kind="onnx", object="onnx/1", name="support-onnx")
    record = Record("onnx", "1" * 64, "2" * 64, "optimize.quantize", 1, {}, (row,), {}, {}, "", "", 0.0)
    parents: dict[str | None, Artifact] = {"onnx/1": OnnxModel(exported.folder, name="support-onnx")}
    child = OnnxModel(fused.folder, record=record, open_input=lambda one: parents[one.object])
    with pytest.raises(WrongKind) as caught:
        compile_engine(child, SPEC, tmp_path, scratch=tmp_path, events=silent)
    assert caught.value.cure == "aictl optimize trt support-onnx"


def test_an_operator_that_the_parser_does_not_know_is_named(exported: OnnxModel, tmp_path: Path) -> None:
    model = spoilt(exported, tmp_path / "unknown", "Sigmoid", into="Sigmoyd")
    with pytest.raises(WorkFailed, match="Sigmoyd"):
        compile_engine(model, SPEC, tmp_path, scratch=tmp_path, events=silent)
    assert not (tmp_path / "model.engine").exists()


def test_a_damaged_file_is_no_engine(exported: OnnxModel, tmp_path: Path) -> None:
    model = changed(exported, tmp_path / "cut")
    whole = model.model_path.read_bytes()
    model.model_path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Damaged, match="not a whole ONNX file"):
        compile_engine(model, SPEC, tmp_path, scratch=tmp_path, events=silent)


def test_a_build_that_gives_nothing_fails_with_the_builders_words(exported: OnnxModel, tmp_path: Path) -> None:
    """Turing multiplies no fp32 matrices in TensorRT-RTX: the builder returns None and raises nothing."""
    spec = SPEC.model_copy(update={"compute_capability": ["sm75"]})
    with pytest.raises(WorkFailed, match="SM75") as caught:
        compile_engine(exported, spec, tmp_path, scratch=tmp_path, events=silent)
    assert caught.value.exit_code == 1
    assert not list(tmp_path.iterdir())


def test_an_interruption_ends_the_build(exported: OnnxModel, tmp_path: Path, told: list[Event]) -> None:
    class Stop(BaseException):
        pass

    def stopping(event: Event) -> None:
        told.append(event)
        if isinstance(event, Started):
            raise Stop

    with pytest.raises(Stop):
        compile_engine(exported, SPEC, tmp_path, scratch=tmp_path, events=Events(stopping))
    assert not (tmp_path / "model.engine").exists()
    assert not [event for event in told if isinstance(event, Finished)]
    assert not [thread for thread in threading.enumerate() if thread.name == "engine build"]


def test_tensorrt_without_its_libraries_or_gpu_exits_with_5(exported: OnnxModel, tmp_path: Path) -> None:
    if _has_gpu():
        pytest.skip("this machine has an NVIDIA driver, so TensorRT may well build")
    with pytest.raises(MachineLacks) as caught:
        compile_engine(exported, TrtSpec(builder="tensorrt"), tmp_path, scratch=tmp_path, events=silent)
    assert "TensorRT" in caught.value.message and "pip install 'aictl-tensorrt[" in str(caught.value.cure)


def _has_gpu() -> bool:
    return ctypes.util.find_library("cuda") is not None


def _engine_of(built: Engine) -> Any:
    """Deserialised. A builder of another version, or a machine without a GPU, gives None."""
    return rtx.Runtime(rtx.Logger(rtx.Logger.ERROR)).deserialize_cuda_engine(built.engine_path.read_bytes())


@pytest.mark.gpu
def test_engine_computes_what_onnxruntime_does(engine: Engine, exported: OnnxModel) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no GPU that torch can use")
    import onnxruntime

    loaded = _engine_of(engine)
    assert loaded is not None, "the engine was refused; the builder says why on stderr"
    count = 7
    sides = [f"past_key_values.{layer}.{side}" for layer in (0, 1) for side in ("key", "value")]
    feeds = {
        "input_ids": np.arange(count, dtype=np.int64)[None],
        "attention_mask": np.ones((1, count), np.int64),
        "position_ids": np.arange(count, dtype=np.int64)[None],
        **{name: np.zeros((1, 2, 0, 8), np.float32) for name in sides},
    }
    expected = onnxruntime.InferenceSession(str(exported.model_path)).run(["logits"], feeds)[0]

    context = loaded.create_execution_context()
    stream = torch.cuda.Stream()
    context.set_optimization_profile_async(0, stream.cuda_stream)
    # An address must not be null even where nothing lies, as in an empty cache.
    held = {
        name: torch.from_numpy(value).cuda() if value.size else torch.zeros(1).cuda() for name, value in feeds.items()
    }
    for name, value in feeds.items():
        context.set_input_shape(name, value.shape)
        context.set_tensor_address(name, held[name].data_ptr())
    for index in range(loaded.num_io_tensors):
        name = loaded.get_tensor_name(index)
        if name not in feeds:
            held[name] = torch.zeros(tuple(context.get_tensor_shape(name)), device="cuda")
            context.set_tensor_address(name, held[name].data_ptr())
    assert context.execute_async_v3(stream.cuda_stream)
    stream.synchronize()
    np.testing.assert_allclose(held["logits"].cpu().numpy(), expected, atol=1e-2)

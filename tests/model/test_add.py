from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import gguf
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.artifact import Source
from aictl.core.errors import BadInput
from aictl.core.events import Advanced, Events, silent
from aictl.model.add import add
from aictl.model.spec import AddSpec


def bring(source, path: Path, made: Path):
    artifact = add(source(path), AddSpec(), made, events=silent)
    artifact.check()
    return artifact


def logits(folder: Path) -> torch.Tensor:
    with torch.no_grad():
        return AutoModelForCausalLM.from_pretrained(folder)(input_ids=torch.arange(3, 40)[None]).logits


def rounded(weights: torch.Tensor) -> torch.Tensor:
    """What 8-bit blocks keep of a matrix; vectors are kept whole."""
    kind = gguf.GGMLQuantizationType.Q8_0
    if weights.dim() == 1:
        return weights
    return torch.from_numpy(gguf.quants.dequantize(gguf.quants.quantize(weights.numpy(), kind), kind))


@pytest.fixture
def copy(folder_model, tmp_path) -> Path:
    """A copy of the folder to spoil."""
    shutil.copytree(folder_model, tmp_path / "copy")
    return tmp_path / "copy"


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_folder_is_taken_as_it_is(source, folder_model, made):
    artifact = bring(source, folder_model, made)
    assert isinstance(artifact, Checkpoint)
    assert (made / "model.safetensors").read_bytes() == (folder_model / "model.safetensors").read_bytes()
    assert artifact.metrics["license"] == "mit"
    assert artifact.metrics["dtype"] == "F32"
    assert artifact.metrics["sample"].startswith("The capital of France is")
    assert artifact.config["rope_theta"] == 5000.0
    assert AutoTokenizer.from_pretrained(made).chat_template
    assert torch.equal(logits(made), logits(folder_model))
    json.dumps(artifact.metrics, allow_nan=False)


def test_sharded_weights_are_taken_whole(source, folder_model, made, tmp_path):
    sharded = tmp_path / "sharded"
    shutil.copytree(folder_model, sharded, ignore=shutil.ignore_patterns("*.safetensors"))
    AutoModelForCausalLM.from_pretrained(folder_model).save_pretrained(sharded, max_shard_size="100KB")
    assert len(list(sharded.glob("*.safetensors"))) > 1
    (sharded / "consolidated.safetensors").write_bytes(b"the same again in another layout")
    bring(source, sharded, made)
    assert torch.equal(logits(made), logits(folder_model))
    next(sharded.glob("model-*.safetensors")).unlink()
    with pytest.raises(BadInput, match="which is not there"):
        bring(source, sharded, made)


def test_a_gguf_file_becomes_plain_weights_with_tokenizer_and_template(source, gguf_model, folder_model, made):
    told: list[object] = []
    artifact = add(source(gguf_model), AddSpec(), made, events=Events(told.append))
    artifact.check()
    metrics = artifact.metrics
    assert (metrics["quantization"], metrics["license"], metrics["format"]) == ("Q8_0", "apache-2.0", "gguf")
    assert metrics["parameters"] == sum(
        value.numel() for value in load_file(folder_model / "model.safetensors").values()
    )
    assert any(isinstance(event, Advanced) for event in told)

    here = load_file(made / "model.safetensors")
    for name, value in load_file(folder_model / "model.safetensors").items():
        assert torch.equal(here[name], rounded(value)), name  # the 8-bit values, exactly
    one, other = AutoTokenizer.from_pretrained(folder_model), AutoTokenizer.from_pretrained(made)
    for text in ("The capital of France", "Größe 123 \n\n<|end_of_text|>"):
        assert one(text, add_special_tokens=False)["input_ids"] == other(text, add_special_tokens=False)["input_ids"]
    assert one.chat_template == other.chat_template
    assert (one.eos_token, one.bos_token) == (other.eos_token, other.bos_token)
    assert artifact.config["rope_theta"] == 5000.0
    assert artifact.context_length == 64
    assert "quantization_config" not in artifact.config
    assert str(gguf_model.parent) not in "".join(path.read_text() for path in made.glob("*.json"))


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.999])
def test_a_gguf_file_that_is_cut_short_is_refused(source, gguf_model, made, tmp_path, kept):
    content = gguf_model.read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(BadInput, match="empty|not a whole GGUF file"):
        bring(source, cut, made)


def test_a_file_that_only_calls_itself_gguf_is_refused(source, made, tmp_path):
    (tmp_path / "no.gguf").write_text("this is no model at all, but it is long enough to look like one\n" * 20)
    with pytest.raises(BadInput, match="GGUF"):
        bring(source, tmp_path / "no.gguf", made)


def test_cut_safetensors_are_refused(source, copy, made):
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-64])
    with pytest.raises(BadInput, match="header promises"):
        bring(source, copy, made)


def test_garbage_for_safetensors_is_refused(source, copy, made):
    (copy / "model.safetensors").write_bytes(b"\x10" * 5000)
    with pytest.raises(BadInput, match="not a whole safetensors file"):
        bring(source, copy, made)


def test_weights_that_are_not_finite_are_refused(source, copy, made):
    tensors = load_file(copy / "model.safetensors")
    tensors["model.norm.weight"][3] = float("nan")
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInput, match="not finite"):
        bring(source, copy, made)


def test_a_model_that_lacks_a_weight_is_refused(source, copy, made):
    tensors = load_file(copy / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInput, match=r"lacks 1 of its weights, such as model\.layers\.1"):
        bring(source, copy, made)


def test_weights_of_another_shape_are_refused(source, copy, made):
    edit(copy / "config.json", intermediate_size=128)
    with pytest.raises(BadInput):
        bring(source, copy, made)


def test_a_broken_configuration_is_refused(source, copy, made):
    (copy / "config.json").write_text("{")
    with pytest.raises(BadInput, match=r"config\.json"):
        bring(source, copy, made)


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path("/tmp/aictl-pickle-was-run"),))


def test_a_pickle_is_refused_and_not_read(source, copy, made):
    (copy / "model.safetensors").unlink()
    (copy / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(BadInput, match="pickles"):
        bring(source, copy, made)
    assert not Path("/tmp/aictl-pickle-was-run").exists()


def test_a_model_that_needs_its_own_code_is_refused_and_the_code_not_run(source, copy, made):
    marker = copy.parent / "was-run"
    (copy / "modeling_own.py").write_text(f"import pathlib; pathlib.Path({str(marker)!r}).touch()\nclass C: pass\n")
    edit(copy / "config.json", model_type="own", auto_map={"AutoModelForCausalLM": "modeling_own.C"})
    with pytest.raises(BadInput, match="such code is never run"):
        bring(source, copy, made)
    assert not marker.exists()


def test_where_transformers_knows_the_model_its_own_code_is_left_behind(source, copy, made):
    marker = copy.parent / "was-run"
    (copy / "modeling_own.py").write_text(f"import pathlib; pathlib.Path({str(marker)!r}).touch()\nclass C: pass\n")
    edit(copy / "config.json", auto_map={"AutoModelForCausalLM": "modeling_own.C"})
    edit(copy / "tokenizer_config.json", auto_map={"AutoTokenizer": ["modeling_own.C", None]})
    artifact = bring(source, copy, made)
    assert not marker.exists()
    assert "auto_map" not in artifact.config
    assert "auto_map" not in (made / "tokenizer_config.json").read_text()
    assert not list(made.glob("*.py"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model_type": "unheard-of"}, "not known"),
        ({"architectures": ["LlamaForTokenClassification"]}, "what LlamaForTokenClassification is for is not known"),
        ({"architectures": ["LlamaForImageClassification"]}, "no llama model for image-classification"),
        ({"quantization_config": {"quant_method": "gptq"}}, "gptq"),
    ],
)
def test_configurations_that_cannot_be_used_are_refused(source, copy, made, changes, says):
    edit(copy / "config.json", **changes)
    with pytest.raises(BadInput, match=says):
        bring(source, copy, made)


def test_a_model_without_a_tokenizer_is_refused(source, copy, made):
    for path in copy.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(BadInput, match="tokenizer"):
        bring(source, copy, made)


def test_the_licence_of_a_package_counts_where_the_model_states_none(copy, made):
    (copy / "README.md").unlink()
    packaged = Source("pkg:somebody==1", copy, "0" * 64, facts={"license": "BSD-3-Clause"})
    assert add(packaged, AddSpec(), made, events=silent).metrics["license"] == "BSD-3-Clause"


@pytest.mark.slow
def test_an_onnx_model_is_taken_with_its_driving(source, folder_model, made, tmp_path):
    from aictl.export.onnx import export
    from aictl.export.spec import OnnxSpec

    exported = tmp_path / "exported"
    exported.mkdir()
    export(Checkpoint(folder_model), OnnxSpec(), exported, events=silent)
    (exported / "export.json").unlink()
    artifact = bring(source, exported, made)
    assert isinstance(artifact, OnnxModel)
    assert artifact.facts["layout"] == "standard"
    assert artifact.facts["precision"] == "fp32"
    assert artifact.metrics["sample"].startswith("The capital of France is")

    cut = tmp_path / "cut"
    shutil.copytree(exported, cut)
    (cut / "model.onnx").write_bytes((cut / "model.onnx").read_bytes()[:500])
    again = tmp_path / "again"
    again.mkdir()
    with pytest.raises(BadInput):
        bring(source, cut, again)

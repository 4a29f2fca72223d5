from __future__ import annotations

from pathlib import Path

import pytest

from aictl.core.errors import BadInput, BadRequest, NotFound
from aictl.model.recognise import choose


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


@pytest.mark.parametrize(
    ("names", "format", "name"),
    [
        (["config.json", "model.safetensors", "tokenizer.json"], "folder", "."),
        (["deep/er/config.json", "deep/er/model-00001-of-00002.safetensors"], "folder", "deep/er"),
        (["package/model.Q4_1.gguf", "package/readme.txt"], "gguf", "package/model.Q4_1.gguf"),
        (["genai_config.json", "model.onnx"], "onnx", "."),
        (["checkpoint-9/adapter_config.json", "checkpoint-9/adapter_model.safetensors"], "adapter", "checkpoint-9"),
        (["config.json", "model.safetensors", "adapter_config.json", "adapter_model.safetensors"], "folder", "."),
        (["config.json", "model.safetensors", "model.gguf", "onnx/genai_config.json", "onnx/a.onnx"], "folder", "."),
    ],
)
def test_the_model_is_found_wherever_it_lies(tmp_path, source, names, format, name):
    chosen = choose(source(fill(tmp_path, *names)), None)
    assert (chosen.format, chosen.name) == (format, name)


def test_a_lone_gguf_file_is_a_model(tmp_path, source):
    path = fill(tmp_path, "model.GGUF") / "model.GGUF"
    assert choose(source(path), None).path == path


def test_several_models_have_to_be_told_apart(tmp_path, source):
    folder = fill(tmp_path, "a.Q4.gguf", "b.Q8.gguf")
    with pytest.raises(BadRequest, match="2 models: a.Q4.gguf, b.Q8.gguf") as raised:
        choose(source(folder), None)
    assert raised.value.cure == "--file a.Q4.gguf"
    assert choose(source(folder), "b.Q8.gguf").name == "b.Q8.gguf"
    with pytest.raises(NotFound, match="c.gguf"):
        choose(source(folder), "c.gguf")


@pytest.mark.parametrize("asked", ["two", "two/model.safetensors", "two/"])
def test_a_folder_is_chosen_by_its_name_or_its_weights(tmp_path, source, asked):
    fill(tmp_path, *(f"{place}/{name}" for place in ("one", "two") for name in ("config.json", "model.safetensors")))
    assert choose(source(tmp_path), asked).path == tmp_path / "two"


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["config.json", "pytorch_model.bin"], "pickles"),
        (["model.pth"], "pickles"),
        (["model.safetensors"], "no config.json"),
        (["adapter_config.json", "adapter_model.bin"], "adapter"),
        (["model.onnx"], "no genai_config.json"),
        (["notes.txt"], "holds no model"),
    ],
)
def test_what_is_no_model_is_refused_with_the_reason_and_a_cure(tmp_path, source, names, says):
    with pytest.raises(BadInput, match=says) as raised:
        choose(source(fill(tmp_path, *names)), None)
    assert raised.value.cure

"""Models whose files are not what their names say: the error names the file, what is wrong with it, and
what to do, before anything is copied."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from aictl.core.errors import BadInput
from aictl.core.events import silent
from aictl.model import gguf
from aictl.model.folder import bring
from aictl.model.intact import number_formats

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12345\n"
PAGE = b"<!DOCTYPE html><html>Not found</html>"


@pytest.fixture
def copy(folder_model, tmp_path) -> Path:
    """A copy of the folder to spoil."""
    shutil.copytree(folder_model, tmp_path / "copy")
    return tmp_path / "copy"


def refused(made: Path, call: Callable[[], object]) -> BadInput:
    with pytest.raises(BadInput) as caught:
        call()
    assert not list(made.iterdir()), "something was copied"
    assert caught.value.cure and "\n" not in caught.value.message
    return caught.value


def safetensors(header: object, content: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content


def tensor(dtype: object = "F32", shape: object = (2,), end: int = 8) -> bytes:
    return safetensors({"a": {"dtype": dtype, "shape": shape, "data_offsets": [0, end]}}, b"\0" * end)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "is empty"), (LFS, "is Git LFS's note"), (PAGE, "is a web page")],
    ids=["none", "lfs", "page"],
)
def test_what_stands_where_a_file_should(copy, made, name, content, says):
    (copy / name).write_bytes(content)
    error = refused(made, lambda: bring(copy, made, silent))
    assert error.message.startswith(f"{copy / name} {says}")
    assert ("git lfs pull" in error.cure) == (content == LFS)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"abc", "it has 3 bytes"),
        (b"\0" * 100, "its header is no JSON"),
        (b"\x10" * 500, "the header claims"),
        (safetensors([1]), "its header is no JSON object"),
        (safetensors({"a": {"data_offsets": [0, 0]}}), "not a whole safetensors file"),
        (tensor(dtype=3), "no type or shape"),
        (safetensors({}), "holds no weights"),
        (tensor(dtype="F99"), "'a' is of a number format that is not known: F99"),
        (tensor(shape=[3]), "'a' needs 12 bytes and has 8"),
        (tensor()[:-1], "its header promises"),
    ],
)
def test_safetensors_that_are_none(copy, made, content, says):
    (copy / "model.safetensors").write_bytes(content)
    error = refused(made, lambda: bring(copy, made, silent))
    assert str(copy / "model.safetensors") in error.message and says in error.message


@pytest.mark.parametrize("dtype", ["F4", "F8_E4M3", "BF16", "F32", "C64"])
def test_every_number_format_has_its_size(tmp_path, dtype):
    bits = {"F4": 4, "F8_E4M3": 8, "BF16": 16, "F32": 32, "C64": 64}[dtype]
    (tmp_path / "a.safetensors").write_bytes(tensor(dtype, [2, 4], bits))
    assert number_formats([tmp_path / "a.safetensors"]) == {dtype}


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("config.json", "{}", "names no model_type"),
        ("config.json", "[]", "is no JSON object"),
        ("config.json", '{"model_type": "llama", "hidden_size": "x"}', "describes no llama model"),
        (
            "config.json",
            '{"model_type": "llama", "architectures": 3}',
            "architectures is 3, and a list of names is expected",
        ),
        ("config.json", '{"model_type": "llama", "quantization_config": 3}', "the weights are quantised (3)"),
        ("model.safetensors.index.json", '{"weight_map": []}', "names no weights"),
        ("model.safetensors.index.json", '{"weight_map": {"a": 3}}', "names 3, which is not there"),
        ("tokenizer.json", "{", "is no whole tokenizer"),
        ("tokenizer.json", "{}", "is no whole tokenizer"),
        ("tokenizer_config.json", "{", "is no whole JSON"),
    ],
)
def test_configurations_that_are_none(copy, made, name, content, says):
    (copy / name).write_text(content)
    error = refused(made, lambda: bring(copy, made, silent))
    assert error.message.startswith(str(copy / name)) and says in error.message


def test_a_folder_without_a_tokenizer(copy, made):
    (copy / "tokenizer.json").unlink()
    error = refused(made, lambda: bring(copy, made, silent))
    assert error.message == f"{copy} holds no tokenizer (tokenizer.json)" and "add the tokenizer.json" in error.cure


def test_an_older_tokenizer_that_cannot_be_read_is_named(copy, made):
    (copy / "tokenizer.json").unlink()
    (copy / "tokenizer.model").write_bytes(b"junk" * 10)
    with pytest.raises(BadInput) as caught:
        bring(copy, made, silent)
    assert f"{copy} has no tokenizer.json, and none can be made of its tokenizer.model: " in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda content: b"", "is empty"),
        (lambda content: LFS, "is Git LFS's note"),
        (lambda content: b"no model" * 99, "is no GGUF file: it begins with b'no m'"),
        (lambda content: content[:4] + bytes([99, 0, 0, 0]) + content[8:], "is GGUF of version 99"),
        (lambda content: content[: len(content) // 3], "bytes do not hold what its header promises"),
        (lambda content: content[:-1], "bytes do not hold what its header promises"),
        (lambda content: content.replace(b"ggml.tokens", b"ggml.tokenz"), "holds no tokenizer"),
        (lambda content: content.replace(b"llama", b"lambs"), "architecture lambs is not supported"),
    ],
)
def test_gguf_files_that_are_none(gguf_model, made, tmp_path, spoil, says):
    path = tmp_path / "spoiled.gguf"
    path.write_bytes(spoil(gguf_model.read_bytes()))
    error = refused(made, lambda: gguf.bring(path, made, silent))
    assert error.message.startswith(str(path)) and says in error.message

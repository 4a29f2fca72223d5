"""What is taken and what is refused, before any of TensorFlow is needed."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from aictl.core.errors import BadInput, BadRequest
from aictl_tensorflow.recognise import MOST_CONFIG, recognise


def write_keras(path: Path, config: object, *, name: str = "config.json") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, config if isinstance(config, str) else json.dumps(config))
    return path


def layers(*more: dict[str, object]) -> dict[str, object]:
    plain = {"module": "keras.layers", "class_name": "Dense", "config": {"name": "dense"}}
    return {"module": "keras", "class_name": "Sequential", "config": {"layers": [plain, *more]}}


def test_a_saved_model_is_found_wherever_it_lies(tmp_path, source):
    (tmp_path / "export/1").mkdir(parents=True)
    (tmp_path / "export/1/saved_model.pb").write_bytes(b"x")
    assert recognise(source(tmp_path)) == ("savedmodel", tmp_path / "export/1")


def test_a_keras_file_is_one_by_itself_or_in_a_folder(tmp_path, source):
    path = write_keras(tmp_path / "m.keras", layers())
    assert recognise(source(path)) == recognise(source(tmp_path)) == ("keras", path)


def test_several_models_have_to_be_told_apart(tmp_path, source):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").write_bytes(b"x")
    with pytest.raises(BadRequest, match="holds 2 models: a, b"):
        recognise(source(tmp_path))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("model.h5", "layers may hold code"),
        ("model.tflite", "TensorFlow Lite"),
        ("frozen.pb", "frozen graph"),
        ("weights.ckpt", "without a network"),
        ("model.pkl", "can run code"),
        ("model.txt", "neither a .keras file nor"),
    ],
)
def test_other_forms_are_refused_with_the_way_to_save_again(tmp_path, source, name, says):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(BadInput, match=says) as caught:
        recognise(source(tmp_path / name))
    assert caught.value.cure
    if name != "model.txt":
        with pytest.raises(BadInput, match=says):
            recognise(source(tmp_path))


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        ({"module": "keras.layers", "class_name": "Lambda", "config": {"name": "plus"}}, "'plus' holds code"),
        ({"module": "builtins", "class_name": "__lambda__", "config": {"value": "…"}}, "holds code"),
        ({"module": "somebody.layers", "class_name": "Own", "config": {}}, r"somebody\.layers\.Own is none of Keras'"),
        ({"module": "os", "class_name": "system", "config": {}}, r"os\.system"),
        (
            {"module": "keras.layers", "class_name": "TimeDistributed", "config": {"layer": {"class_name": "Lambda"}}},
            "code",
        ),
    ],
)
def test_layers_that_are_code_are_refused_unread(tmp_path, source, layer, says):
    with pytest.raises(BadInput, match=says):
        recognise(source(write_keras(tmp_path / "m.keras", layers(layer))))


@pytest.mark.parametrize("content", ["{", "[" * 100_000, "nonsense"])
def test_a_configuration_that_is_none_is_refused(tmp_path, source, content):
    with pytest.raises(BadInput, match=r"no whole \.keras file"):
        recognise(source(write_keras(tmp_path / "m.keras", content)))


def test_a_file_without_configuration_and_one_that_is_no_archive_are_refused(tmp_path, source):
    with pytest.raises(BadInput, match="no whole"):
        recognise(source(write_keras(tmp_path / "m.keras", {}, name="other.json")))
    (tmp_path / "n.keras").write_bytes(b"no archive")
    with pytest.raises(BadInput, match="no whole"):
        recognise(source(tmp_path / "n.keras"))


def test_a_configuration_that_unpacks_without_end_is_not_unpacked(tmp_path, source):
    with zipfile.ZipFile(tmp_path / "m.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * (MOST_CONFIG + 1))
    with pytest.raises(BadInput, match="at most"):
        recognise(source(tmp_path / "m.keras"))

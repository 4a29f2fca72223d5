"""Real models through real TensorFlow and onnxruntime."""

from __future__ import annotations

import json
import venv
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from aictl.core.errors import AictlError, BadInput, BadRequest, ExtraMissing, GateMissed, NotFound, WorkFailed
from aictl.core.events import Events, Noted
from aictl.inference.load import load
from aictl_tensorflow.bring import bring
from aictl_tensorflow.spec import TensorflowSpec

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
def take(models, python, source, tmp_path):
    """Brings a model in by its name; ``told`` holds the events."""
    told: list[object] = []

    def take(name, samples=None, **options):
        folder, scratch = tmp_path / "made", tmp_path / "scratch"
        folder.mkdir(exist_ok=True)
        scratch.mkdir(exist_ok=True)
        spec = TensorflowSpec(python=Path(python), **options)
        given = source(models / samples) if samples else None
        made = bring(source(models / name), given, spec, folder, scratch=scratch, events=Events(told.append))
        made.check()
        return made

    take.told = told  # type: ignore[attr-defined]
    return take


@pytest.mark.parametrize("name", ["digits.keras", "digits"])
def test_a_trained_model_says_the_same_on_real_pictures(take, models, name):
    made = take(name, "held_out.npz", can="image-classification")
    parity = made.metrics["parity"]
    assert parity["worst"] < 1e-5 and parity["same_choice"] == 1.0 and not parity["random"]
    assert parity["samples"] in (100, 256)  # all there are, or as many as are compared
    assert made.capability == "image-classification"
    (image,) = made.signature.inputs
    assert (image.name, image.type, image.shape) == ("image", "float32", ("batch", 8, 8, 1))
    # It is as good as what was trained, on labels that TensorFlow is not asked about.
    pictures = np.load(models / "held_out.npz")["image"]
    labels = np.load(models / "labels.npz")["labels"]
    (scores,) = onnxruntime.InferenceSession(made.model_path).run(None, {"image": pictures})
    assert (scores.argmax(1) == labels).mean() > 0.8
    assert set(made.metrics["converted_by"]) == {"python", "tensorflow", "keras", "tf2onnx", "onnx"}


def test_outputs_are_called_as_keras_calls_them(take):
    assert [one.name for one in take("digits.keras", "held_out.npy").signature.outputs] == ["digit"]


def test_several_inputs_and_outputs_of_free_lengths(take):
    made = take("two.keras", "two.npz")
    assert {one.name: (one.type, one.shape) for one in made.signature.inputs} == {
        "words": ("int32", ("batch", "words_1")),
        "seen": ("float32", ("batch", 3)),
    }
    assert {one.name for one in made.signature.outputs} == {"score", "kind"}
    assert set(made.metrics["parity"]["outputs"]) == {"score", "kind"}


def test_the_same_model_twice_is_the_same_bytes(take):
    first = take("digits.keras", "held_out.npz").model_path.read_bytes()
    assert take("digits.keras", "held_out.npz").model_path.read_bytes() == first


def test_without_samples_the_record_and_a_warning_say_so(take):
    made = take("digits.keras")
    assert made.metrics["parity"]["random"] is True
    assert "random inputs" in made.summary
    assert any("no --samples" in one.message for one in take.told if isinstance(one, Noted))


def test_a_signature_is_chosen_by_its_name(take):
    made = take("signatures", signature="double")
    assert [one.name for one in made.signature.outputs] == ["doubled", "value_out"]
    with pytest.raises(BadRequest, match="no signature 'serving_default'; there are: double"):
        take("signatures")


def test_what_does_not_agree_is_not_kept(take):
    with pytest.raises(GateMissed, match="differs from TensorFlow's by up to"):
        take("digits.keras", "held_out.npz", tolerance=1e-12)


def test_an_operator_that_writes_files_is_refused_and_not_run(take, models):
    with pytest.raises(BadInput, match="reach out of the model, and such are never run: WriteFile"):
        take("writes")
    assert not list(models.rglob("was-run"))


@pytest.mark.parametrize(
    ("name", "samples", "error", "says"),
    [
        ("unknown", None, WorkFailed, "cannot be written as ONNX"),
        ("texts", None, BadInput, "takes text, and no text is made up"),
        ("digits.keras", "other.npz", BadInput, "is .*, and the model takes any × 8 × 8 × 1"),
        ("two.keras", "held_out.npz", BadInput, "have no 'words'"),
        ("two.keras", "held_out.npy", BadInput, "one array, and the model takes words, seen"),
    ],
)
def test_what_cannot_be_done_says_why(take, name, samples, error, says):
    with pytest.raises(error, match=says):
        take(name, samples)


def test_a_model_that_is_cut_short_is_refused(models, python, source, tmp_path):
    for name, content in {
        "saved_model.pb": (models / "digits/saved_model.pb").read_bytes()[:2000],
        "half.keras": (models / "digits.keras").read_bytes()[:2000],
    }.items():
        place = tmp_path / name.partition(".")[0]
        place.mkdir()
        (place / name).write_bytes(content)
        with pytest.raises(BadInput, match="no whole"):
            spec = TensorflowSpec(python=Path(python))
            bring(source(place), None, spec, place, scratch=tmp_path, events=Events(lambda event: None))


def test_a_python_without_tensorflow_says_how_to_get_it(take, models, source, tmp_path):
    with pytest.raises(AictlError) as caught:
        spec = TensorflowSpec(python=Path("/usr/bin/env").parent / "no-such-python")
        bring(source(models / "digits"), None, spec, tmp_path, scratch=tmp_path, events=Events(lambda event: None))
    assert isinstance(caught.value, NotFound)
    bare = tmp_path / "bare"
    venv.create(bare, with_pip=False)
    with pytest.raises(ExtraMissing, match="tensorflow cannot be imported by") as missing:
        spec = TensorflowSpec(python=bare / "bin/python")
        bring(source(models / "digits"), None, spec, tmp_path, scratch=tmp_path, events=Events(lambda event: None))
    assert "tf/bin/pip install" in str(missing.value.cure)


def test_a_graph_that_is_no_language_model_generates_no_text(take):
    from aictl.core.errors import WrongKind

    with pytest.raises(WrongKind, match="is for something that is not known here"):
        load(take("digits.keras"))


def test_nothing_of_the_machine_is_in_the_graph(take, models):
    made = take("digits", "held_out.npz")
    assert str(models).encode() not in made.model_path.read_bytes()
    json.dumps(made.metrics, allow_nan=False)

"""Detectors and dual encoders, on coloured squares."""

from __future__ import annotations

import dataclasses
import signal

import numpy as np
import pytest
import torch
from tests.training.tasks.conftest import COLOURS, file_of, scene
from transformers import AutoImageProcessor, AutoModel, AutoModelForObjectDetection, AutoTokenizer

from aictl.artifacts.capability import capability_of
from aictl.core.errors import BadInput, BadRequest, Interrupted
from aictl.core.events import Advanced, Events, silent
from aictl.train import duals, pictures
from aictl.train.spec import TrainSpec
from aictl.train.train import train
from aictl.training.spec import LoopSpec, PictureSpec, PrecisionSpec

SPEC = TrainSpec(
    max_steps=40,
    batch_size=20,
    precision=PrecisionSpec(precision="fp32", device="cpu"),
    loop=LoopSpec(evaluate_every=20),
)
DUAL = SPEC.model_copy(update={"task": "image-text", "vocab_size": 270})


@pytest.fixture(autouse=True)
def smaller_recipes(monkeypatch):
    """The real code on shapes that a test can afford."""
    detector = dataclasses.replace(
        pictures.DETECTORS["tiny"],
        resolution=32,
        widths=(16, 32),
        depths=(1, 1),
        hidden_size=64,
        layers=1,
        queries=5,
        learning_rate=2e-3,
    )
    monkeypatch.setitem(pictures.DETECTORS, "tiny", detector)
    dual = dataclasses.replace(
        duals.DUALS["tiny"],
        resolution=32,
        patch=8,
        hidden_size=64,
        layers=2,
        heads=2,
        intermediate_size=128,
        context=16,
        sequence_length=16,
    )
    monkeypatch.setitem(duals.DUALS, "tiny", dual)


@pytest.mark.slow
def test_things_are_found(picture_dataset, places):
    """Detectors learn slowly, and much more from many pictures: this one learns a few by heart."""
    generator = np.random.default_rng(0)
    scenes = [scene(generator) for _ in range(8)]
    facts = {"width": 32, "height": 32, "mode": "RGB"}
    rows = [({**facts, "boxes": [{"label": name, "box": box}]}, file_of(one)) for one, name, box in scenes]
    few = picture_dataset("few", {"train": rows, "validation": rows}, sorted(COLOURS))
    folder, scratch = places("one")
    still = PictureSpec(flip=False, shift_fraction=0)
    optimizer = SPEC.optimizer.model_copy(update={"learning_rate": 1e-3})
    loop = LoopSpec(evaluate_every=400)
    spec = SPEC.model_copy(update={"max_steps": 800, "pictures": still, "optimizer": optimizer, "loop": loop})
    made = train(few, spec, folder, scratch=scratch, events=silent)
    made.check()
    held_out = made.metrics["held_out"]
    assert held_out["map_50"] > 0.4
    assert held_out["recall_50"] > 0.7
    assert capability_of(made.config) == "object-detection"
    # Plain transformers finds them too.
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    model = AutoModelForObjectDetection.from_pretrained(folder).eval()
    near = 0
    for picture, _, box in scenes:
        with torch.no_grad():
            found = model(**processor(picture, return_tensors="pt"))
        best = processor.post_process_object_detection(found, threshold=0.0, target_sizes=[(32, 32)])[0]
        nearest = best["boxes"][best["scores"].argmax()]
        near += int((nearest - torch.tensor(box)).abs().max() < 4)
    assert near >= 6
    assert set(model.config.id2label.values()) == set(COLOURS)


def test_pictures_come_near_their_captions(shapes, places):
    folder, scratch = places("one")
    made = train(shapes, DUAL, folder, scratch=scratch, events=silent)
    made.check()
    held_out = made.metrics["held_out"]
    assert held_out["candidates"] == 3
    assert held_out["recall_at_1"] > 0.8
    # Plain transformers comes to the same, picture by picture.
    assert capability_of(made.config) == "image-text"
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    generator = np.random.default_rng(9)
    texts = tokenizer([f"a {colour} square" for colour in COLOURS], return_tensors="pt", padding=True)
    right = 0
    for _ in range(15):
        picture, colour, _ = scene(generator)
        with torch.no_grad():
            made_up = model(
                input_ids=texts["input_ids"],
                attention_mask=texts["attention_mask"],
                pixel_values=processor(picture, return_tensors="pt")["pixel_values"],
            )
        right += list(COLOURS)[int(made_up.logits_per_image.argmax())] == colour
    assert right / 15 > 0.7


@pytest.mark.parametrize("spec", [SPEC, DUAL], ids=["detection", "dual"])
def test_an_interrupted_run_gives_the_same_model(shapes, places, spec):
    spec = spec.model_copy(update={"max_steps": 6})
    folder, scratch = places("whole")
    train(shapes, spec, folder, scratch=scratch, events=silent)

    def sink(event: object) -> None:
        if isinstance(event, Advanced) and event.task == "train" and event.done == 4:
            raise Interrupted(signal.SIGTERM)

    cut, scratch = places("cut")
    with pytest.raises(Interrupted):
        train(shapes, spec, cut, scratch=scratch, events=Events(sink))
    train(shapes, spec, cut, scratch=scratch, events=silent)
    for name in ("model.safetensors", "config.json", "metrics.jsonl", "preprocessor_config.json"):
        assert (cut / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("spec", [SPEC, DUAL], ids=["detection", "dual"])
def test_training_goes_on_from_a_checkpoint(shapes, places, spec):
    folder, scratch = places("first")
    first = train(shapes, spec, folder, scratch=scratch, events=silent)
    folder, scratch = places("second")
    spec = spec.model_copy(update={"max_steps": 2, "vocab_size": None})
    again = train(shapes, spec, folder, start=first, scratch=scratch, events=silent)
    assert again.metrics["held_out"]["loss_before"] == pytest.approx(first.metrics["held_out"]["loss_after"], rel=1e-3)


# Bad input


@pytest.mark.parametrize(
    ("box", "label", "message"),
    [
        ([4, 4, 40, 8], "red", "reaches over the picture of 32 by 32"),
        ([8, 4, 4, 8], "red", "is not left, top, right and bottom"),
        ([1, 2, 3], "red", "document 2"),
        ([4, 4, 8, 8], "pink", "'pink' is none of the dataset's 3 classes"),
    ],
)
def test_boxes_that_cannot_be_are_refused(picture_dataset, places, box, label, message):
    picture, colour, good = scene(np.random.default_rng(0))
    facts = {"width": 32, "height": 32, "mode": "RGB"}
    rows = [
        ({**facts, "boxes": [{"label": colour, "box": good}]}, file_of(picture)),
        ({**facts, "boxes": [{"label": label, "box": box}]}, file_of(picture)),
    ]
    odd = picture_dataset("odd", {"train": rows, "validation": rows[:1]}, sorted(COLOURS))
    folder, scratch = places("bad")
    with pytest.raises(BadInput, match=message):
        train(odd, SPEC, folder, scratch=scratch, events=silent)


def test_pictures_without_captions_are_refused(bars, places):
    folder, scratch = places("bad")
    with pytest.raises(BadInput, match="document 1 of the train split of dataset 'bars' has no caption"):
        train(bars, DUAL, folder, scratch=scratch, events=silent)


def test_pictures_without_boxes_are_refused(bars, places):
    folder, scratch = places("bad")
    with pytest.raises(BadInput, match="has no box in its train split"):
        train(bars, SPEC.model_copy(update={"task": "object-detection"}), folder, scratch=scratch, events=silent)


def test_a_caption_beyond_the_context_is_refused(shapes, places):
    folder, scratch = places("bad")
    with pytest.raises(BadRequest, match="--sequence-length 64: the model has a context of at most 16"):
        train(shapes, DUAL.model_copy(update={"sequence_length": 64}), folder, scratch=scratch, events=silent)


def test_options_of_pictures_are_taken_for_dual_encoders(shapes, places):
    folder, scratch = places("one")
    spec = DUAL.model_copy(update={"max_steps": 3, "pictures": PictureSpec(flip=False, resolution=16)})
    made = train(shapes, spec, folder, scratch=scratch, events=silent)
    assert made.metrics["resolution"] == [16, 16]

from __future__ import annotations

import dataclasses
import shutil
import signal

import numpy as np
import pytest
from tests.training.tasks.conftest import drawn, file_of
from tokenizers import Tokenizer
from transformers import AutoImageProcessor, AutoModelForImageClassification, pipeline

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import BadInput, BadRequest, Damaged, Interrupted, WrongKind
from aictl.core.events import Advanced, Events, Noted, silent
from aictl.inference.classifying import Classifier
from aictl.train import pictures, recipes, texts
from aictl.train.spec import TrainSpec
from aictl.train.train import train
from aictl.training.spec import LoopSpec, PictureSpec, PrecisionSpec
from aictl.training.tasks.pictures import PictureReader

CPU = PrecisionSpec(precision="fp32", device="cpu")
TEXT = TrainSpec(max_steps=30, batch_size=16, vocab_size=300, precision=CPU, loop=LoopSpec(evaluate_every=15))
PICTURE = TrainSpec(max_steps=24, batch_size=16, precision=CPU, loop=LoopSpec(evaluate_every=12, seed=3))


@pytest.fixture(autouse=True)
def smaller_recipes(monkeypatch):
    """The real code on shapes that a test can afford."""
    text = dataclasses.replace(
        recipes.TEXTS["tiny"], hidden_size=32, layers=2, heads=2, intermediate_size=64, context=64, learning_rate=3e-3
    )
    monkeypatch.setitem(texts.TEXTS, "tiny", text)
    picture = dataclasses.replace(
        recipes.PICTURES["tiny"], resolution=32, widths=(16, 32), depths=(1, 1), learning_rate=1e-2
    )
    monkeypatch.setitem(pictures.PICTURES, "tiny", picture)


def interrupt_at(step: int) -> Events:
    def sink(event: object) -> None:
        if isinstance(event, Advanced) and event.task == "train" and event.done == step:
            raise Interrupted(signal.SIGTERM)

    return Events(sink)


@pytest.mark.parametrize("architecture", ["modernbert", "bert"])
def test_texts_are_told_apart(topics, places, architecture):
    folder, scratch = places("one")
    made = train(topics, TEXT.model_copy(update={"architecture": architecture}), folder, scratch=scratch, events=silent)
    made.check()
    assert made.metrics["held_out"]["accuracy"] > 0.9
    assert made.metrics["held_out"]["macro_f1"] > 0.9
    assert made.metrics["classes"] == 2
    # Another reader of the same folder, which knows nothing of how it was made, finds the same.
    classifier = Classifier(folder)
    assert classifier.classes == ("food", "weather")
    found = classifier.classify(["today there is bread and soup", "we speak about wind and rain again"])
    assert found.probabilities.argmax(axis=1).tolist() == [0, 1]


@pytest.mark.parametrize(
    "architecture",
    ["resnet", pytest.param("vit", marks=pytest.mark.slow), pytest.param("convnext", marks=pytest.mark.slow)],
)
def test_pictures_are_told_apart(bars, places, architecture):
    folder, scratch = places("one")
    steps = {"resnet": 24, "vit": 60, "convnext": 60}[architecture]
    rate = {"resnet": 1e-2, "vit": 2e-3, "convnext": 4e-3}[architecture]
    spec = PICTURE.model_copy(
        update={
            "architecture": architecture,
            "max_steps": steps,
            "optimizer": PICTURE.optimizer.model_copy(update={"learning_rate": rate}),
        }
    )
    made = train(bars, spec, folder, scratch=scratch, events=silent)
    made.check()
    assert made.metrics["held_out"]["accuracy"] > (0.7 if architecture == "resnet" else 0.5)
    assert made.metrics["resolution"] == [32, 32]
    # transformers' own pipeline prepares pictures from the folder alone, and comes to the same classes.
    tell = pipeline("image-classification", model=str(folder), device="cpu")
    generator = np.random.default_rng(7)
    labels = ["upright", "level", "cross"]
    right = [tell(drawn(n % 3, generator))[0]["label"] == labels[n % 3] for n in range(30)]
    assert sum(right) / len(right) > 0.5
    assert AutoModelForImageClassification.from_pretrained(folder).config.id2label == dict(enumerate(labels))


@pytest.mark.parametrize("kind", ["texts", "pictures"])
def test_an_interrupted_run_gives_the_same_model(topics, bars, places, kind):
    dataset, spec = (topics, TEXT) if kind == "texts" else (bars, PICTURE)
    spec = spec.model_copy(update={"max_steps": 12})
    folder, scratch = places("whole")
    train(dataset, spec, folder, scratch=scratch, events=silent)
    cut, scratch = places("cut")
    with pytest.raises(Interrupted):
        train(dataset, spec, cut, scratch=scratch, events=interrupt_at(7))
    told: list[object] = []
    train(dataset, spec, cut, scratch=scratch, events=Events(told.append))
    assert next(event.done for event in told if isinstance(event, Advanced) and event.task == "train") == 7
    for name in ("model.safetensors", "config.json", "metrics.jsonl"):
        assert (cut / name).read_bytes() == (folder / name).read_bytes()


def test_the_means_of_batch_normalisation_are_learnt_and_resumed(bars, places):
    folder, scratch = places("cut")
    with pytest.raises(Interrupted):
        train(bars, PICTURE, folder, scratch=scratch, events=interrupt_at(5))
    train(bars, PICTURE, folder, scratch=scratch, events=silent)
    model = AutoModelForImageClassification.from_pretrained(folder)
    counted = {int(value) for name, value in model.named_buffers() if name.endswith("num_batches_tracked")}
    assert counted == {24}


def test_training_goes_on_from_a_checkpoint_with_a_new_head(topics, labelled_texts, places):
    folder, scratch = places("first")
    first = train(topics, TEXT, folder, scratch=scratch, events=silent)
    three = labelled_texts(
        "three",
        {
            split: [(f"{word} and {word} again", label) for _ in range(4) for word, label in rows]
            for split, rows in {
                "train": [("rain", "wet"), ("sun", "dry"), ("soup", "food")],
                "validation": [("rain", "wet"), ("sun", "dry"), ("soup", "food")],
            }.items()
        },
        ["dry", "food", "wet"],
    )
    told: list[object] = []
    folder, scratch = places("second")
    optimizer = TEXT.optimizer.model_copy(update={"learning_rate": 3e-3})
    spec = TEXT.model_copy(update={"vocab_size": None, "max_steps": 40, "optimizer": optimizer})
    made = train(three, spec, folder, start=first, scratch=scratch, events=Events(told.append))
    assert any("classifier.weight" in event.message for event in told if isinstance(event, Noted))
    assert made.config["id2label"] == {"0": "dry", "1": "food", "2": "wet"}
    assert made.metrics["held_out"]["accuracy"] > 0.9
    assert (folder / "tokenizer.json").read_bytes() == (first.folder / "tokenizer.json").read_bytes()


def test_a_network_for_pictures_begins_where_another_ended(bars, places):
    folder, scratch = places("first")
    first = train(bars, PICTURE, folder, scratch=scratch, events=silent)
    folder, scratch = places("second")
    spec = PICTURE.model_copy(update={"max_steps": 2})
    made = train(bars, spec, folder, start=first, scratch=scratch, events=silent)
    assert made.metrics["held_out"]["loss_before"] == pytest.approx(first.metrics["held_out"]["loss_after"], rel=1e-3)


def test_epochs_are_steps(topics, places):
    folder, scratch = places("one")
    spec = TEXT.model_copy(update={"max_steps": None, "epochs": 0.5})
    made = train(topics, spec, folder, scratch=scratch, events=silent)
    assert made.metrics["steps"] == 4  # half of 120 documents, 16 at a time


# Bad input


def test_a_label_that_the_dataset_does_not_name_is_refused(labelled_texts, places):
    folder, scratch = places("bad")
    rows = {"train": [("one", "a"), ("two", "b"), ("three", "c")], "validation": [("one", "a")]}
    with pytest.raises(BadInput, match="document 3 of the train split.*'c', which is none of its 2 classes"):
        train(labelled_texts("odd", rows, ["a", "b"]), TEXT, folder, scratch=scratch, events=silent)


@pytest.mark.parametrize(
    ("labels", "rows", "message"),
    [
        (["a"], {"train": [("x", "a")], "validation": [("x", "a")]}, "only the class 'a'"),
        (["a", "b"], {"train": [("x", "a")] * 9, "validation": [("x", "b")]}, "one class alone in its train"),
        (["a", "b"], {"train": [("x", "a"), ("y", "b")], "validation": []}, "no labelled document in its validation"),
        (["a", "b"], {"train": [("x", None)], "validation": [("x", "a")]}, "no labelled document in its train"),
    ],
)
def test_labels_from_which_nothing_can_be_learnt_are_refused(labelled_texts, places, labels, rows, message):
    folder, scratch = places("bad")
    with pytest.raises(BadInput, match=message):
        train(labelled_texts("odd", rows, labels), TEXT, folder, scratch=scratch, events=silent)


def test_a_class_that_is_not_held_out_is_told(labelled_texts, places):
    told: list[object] = []
    folder, scratch = places("told")
    rows = {"train": [("sun sun", "a"), ("rain", "b"), ("bread", "c")] * 4, "validation": [("sun", "a"), ("rain", "b")]}
    dataset = labelled_texts("gap", rows, ["a", "b", "c"])
    train(dataset, TEXT, folder, scratch=scratch, events=Events(told.append))
    assert any("1 classes have no document in the validation split" in repr(event) for event in told)


def test_a_corrupt_picture_is_named(picture_dataset, places):
    good = file_of(drawn(0, np.random.default_rng(0)))
    broken = good[: len(good) // 2]
    rows = [({"label": "a"}, good), ({"label": "b"}, broken)]
    dataset = picture_dataset("torn", {"train": rows, "validation": rows[:1]}, ["a", "b"])
    folder, scratch = places("bad")
    with pytest.raises(Damaged, match=r"document 2 of the train split \(train/1.png\)"):
        train(dataset, PICTURE, folder, scratch=scratch, events=silent)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "llama"}, "--architecture llama is no network for the task image-classification"),
        ({"vocab_size": 300}, "--vocab-size has no meaning for the task image-classification"),
        ({"epochs": 2.0}, "both say for how long"),
    ],
)
def test_options_that_would_be_ignored_are_refused(bars, places, changes, message):
    folder, scratch = places("bad")
    with pytest.raises(BadRequest, match=message):
        train(bars, PICTURE.model_copy(update=changes), folder, scratch=scratch, events=silent)


def test_options_of_pictures_are_refused_for_texts(topics, places):
    folder, scratch = places("bad")
    spec = TEXT.model_copy(update={"pictures": PictureSpec(flip=False)})
    with pytest.raises(BadRequest, match="--flip has no meaning"):
        train(topics, spec, folder, scratch=scratch, events=silent)


def test_a_task_and_a_dataset_that_do_not_go_together_are_refused(topics, bars, places):
    folder, scratch = places("bad")
    with pytest.raises(WrongKind, match="is of format image, and --task text-classification learns from text"):
        spec = PICTURE.model_copy(update={"task": "text-classification"})
        train(bars, spec, folder, scratch=scratch, events=silent)


def test_a_tokenizer_of_another_model_is_refused(topics, places, write_llama, tmp_path):
    folder, scratch = places("first")
    first = train(topics, TEXT.model_copy(update={"max_steps": 8}), folder, scratch=scratch, events=silent)
    write_llama(tmp_path / "other", "many other words stand here, and each is a token of its own " * 3, "")
    other = Checkpoint(tmp_path / "other", name="other")
    folder, scratch = places("bad")
    spec = TEXT.model_copy(update={"vocab_size": None})
    with pytest.raises(BadRequest, match="'other' does not match 'made': .* tokens have other ids"):
        train(topics, spec, folder, start=first, tokenizer=other, scratch=scratch, events=silent)


def test_a_tokenizer_with_more_tokens_than_the_embedding_is_refused(topics, places, tmp_path):
    folder, scratch = places("first")
    first = train(topics, TEXT.model_copy(update={"max_steps": 8}), folder, scratch=scratch, events=silent)
    larger = tmp_path / "larger"
    shutil.copytree(first.folder, larger)
    library = Tokenizer.from_file(str(larger / "tokenizer.json"))
    library.add_tokens(["<|one-more|>"])
    library.save(str(larger / "tokenizer.json"))
    folder, scratch = places("bad")
    spec = TEXT.model_copy(update={"vocab_size": None})
    with pytest.raises(BadRequest, match="301 tokens, and the model's embedding 300"):
        train(topics, spec, folder, start=first, tokenizer=Checkpoint(larger), scratch=scratch, events=silent)


def test_a_fresh_network_says_how_it_sees_pictures(bars, places):
    folder, scratch = places("one")
    train(bars, PICTURE.model_copy(update={"max_steps": 1}), folder, scratch=scratch, events=silent)
    theirs = AutoImageProcessor.from_pretrained(folder, backend="pil")
    reader = PictureReader(theirs)
    assert (reader.height, reader.width) == (32, 32)
    picture = drawn(1, np.random.default_rng(3)).convert("RGB")
    seen = reader.cut(picture) * reader.factor + reader.offset
    expected = theirs(picture, return_tensors="np")["pixel_values"][0]
    np.testing.assert_allclose(seen.transpose(2, 0, 1), expected, atol=1e-5)

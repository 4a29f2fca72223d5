from __future__ import annotations

import dataclasses
import itertools
import json
import signal

import numpy as np
import pytest
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from aictl.artifacts.capability import capability_of
from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadInput, BadRequest, Interrupted, WrongKind
from aictl.core.events import Advanced, Events, silent
from aictl.inference.embedding import open_embedder
from aictl.train import recipes, texts
from aictl.train.spec import TrainSpec
from aictl.train.train import train
from aictl.training.spec import LoopSpec, PrecisionSpec

CPU = PrecisionSpec(precision="fp32", device="cpu")
SPEC = TrainSpec(max_steps=60, batch_size=16, vocab_size=300, precision=CPU, loop=LoopSpec(evaluate_every=30))
DIGITS = {"one": "1", "two": "2", "three": "3", "four": "4", "five": "5"}


@pytest.fixture(autouse=True)
def smaller_recipes(monkeypatch):
    """The real code on shapes that a test can afford."""
    shape = {"hidden_size": 64, "layers": 2, "heads": 2, "intermediate_size": 128, "context": 64, "sequence_length": 32}
    for table in (texts.TEXTS, texts.SEQUENCES):
        rate = 1e-3 if table is recipes.SEQUENCES else 3e-3
        monkeypatch.setitem(table, "tiny", dataclasses.replace(table["tiny"], **shape, learning_rate=rate))


@pytest.fixture
def numbers(write_dataset) -> Dataset:
    """Number words and their digits."""
    words = list(itertools.product(DIGITS, repeat=3)) + list(itertools.product(DIGITS, repeat=4))[::3]
    rows = [{"input": " ".join(some), "output": " ".join(DIGITS[one] for one in some), "source": "0"} for some in words]
    order = np.random.default_rng(0).permutation(len(rows))
    mixed = [rows[place] for place in order]
    return write_dataset("numbers", "pair", {"train": mixed[20:], "validation": mixed[:20]})


THINGS = ("apples", "boats", "clouds", "doors", "engines", "forests", "glass", "horses", "islands", "jars")


@pytest.fixture
def questions(write_dataset) -> Dataset:
    """Questions, and answers that speak of the same thing."""

    def some(asked: tuple[str, ...], told: tuple[str, ...]) -> list[dict[str, object]]:
        return [
            {"input": ask.format(thing), "output": say.format(thing), "source": "0"}
            for thing, ask, say in itertools.product(THINGS, asked, told)
        ]

    train = some(("what are {}", "where are {} found", "who likes {}"), ("{} are many things", "people know {} well"))
    return write_dataset("questions", "pair", {"train": train, "validation": some(("tell of {}",), ("{} are here",))})


def test_number_words_become_digits(numbers, places):
    folder, scratch = places("one")
    made = train(numbers, SPEC.model_copy(update={"max_steps": 300}), folder, scratch=scratch, events=silent)
    made.check()
    held_out = made.metrics["held_out"]
    assert held_out["token_accuracy"] > 0.7
    assert held_out["exact_match"] > 0.5
    assert capability_of(made.config) == "text-to-text"
    # Plain transformers, told nothing, comes to the same.
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSeq2SeqLM.from_pretrained(folder)
    asked = [one["input"] for one in numbers.documents("validation")]
    true = [one["output"] for one in numbers.documents("validation")]
    given = tokenizer(asked, return_tensors="pt", padding=True)
    made_up = model.generate(
        input_ids=given["input_ids"], attention_mask=given["attention_mask"], max_new_tokens=8, do_sample=False
    )
    answers = tokenizer.batch_decode(made_up, skip_special_tokens=True)
    right = sum(answer == wanted for answer, wanted in zip(answers, true, strict=True)) / len(true)
    assert right == pytest.approx(held_out["exact_match"], abs=0.051)


@pytest.mark.slow
def test_another_encoder_decoder_learns_too(numbers, places):
    folder, scratch = places("one")
    spec = SPEC.model_copy(update={"architecture": "t5", "max_steps": 300})
    made = train(numbers, spec, folder, scratch=scratch, events=silent)
    assert made.metrics["held_out"]["token_accuracy"] > 0.5


def test_texts_that_belong_together_come_near(questions, places):
    folder, scratch = places("one")
    spec = SPEC.model_copy(update={"task": "embedding"})
    made = train(questions, spec, folder, scratch=scratch, events=silent)
    made.check()
    assert made.metrics["held_out"]["recall_at_1"] > 0.7  # chance is 0.1
    # The reader of embedding models finds how to pool in the layout of sentence-transformers.
    embedder = open_embedder(folder)
    assert (embedder.pooling, embedder.max_tokens) == ("mean", 32)
    vectors = embedder.encode(["tell of horses", "horses are here", "jars are here"]).vectors
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    assert capability_of(made.config, files) == "embedding"
    pooling = json.loads((folder / "1_Pooling/config.json").read_text())
    assert pooling["word_embedding_dimension"] == made.config["hidden_size"]


@pytest.mark.parametrize("task", ["embedding", "text-to-text"])
def test_an_interrupted_run_gives_the_same_model(questions, places, task):
    spec = SPEC.model_copy(update={"task": task, "max_steps": 8})
    folder, scratch = places("whole")
    train(questions, spec, folder, scratch=scratch, events=silent)

    def sink(event: object) -> None:
        if isinstance(event, Advanced) and event.task == "train" and event.done == 5:
            raise Interrupted(signal.SIGTERM)

    cut, scratch = places("cut")
    with pytest.raises(Interrupted):
        train(questions, spec, cut, scratch=scratch, events=Events(sink))
    train(questions, spec, cut, scratch=scratch, events=silent)
    for name in ("model.safetensors", "config.json", "metrics.jsonl"):
        assert (cut / name).read_bytes() == (folder / name).read_bytes()


def test_an_embedding_model_goes_on_from_another_and_becomes_a_classifier(questions, topics, places):
    folder, scratch = places("first")
    first = train(questions, SPEC.model_copy(update={"task": "embedding"}), folder, scratch=scratch, events=silent)
    optimizer = SPEC.optimizer.model_copy(update={"learning_rate": 3e-3})
    spec = SPEC.model_copy(update={"vocab_size": None, "max_steps": 30, "optimizer": optimizer})
    folder, scratch = places("second")
    again = train(
        questions, spec.model_copy(update={"task": "embedding"}), folder, start=first, scratch=scratch, events=silent
    )
    assert again.metrics["held_out"]["loss_before"] == pytest.approx(first.metrics["held_out"]["loss_after"], rel=1e-3)
    folder, scratch = places("third")
    classifier = train(topics, spec, folder, start=first, scratch=scratch, events=silent)
    assert classifier.metrics["held_out"]["accuracy"] > 0.9


def test_pairs_without_a_side_are_refused(write_dataset, places):
    folder, scratch = places("bad")
    rows = [{"input": "a", "output": "b", "source": "0"}, {"input": "a", "output": " ", "source": "1"}]
    odd = write_dataset("odd", "pair", {"train": rows, "validation": rows[:1]})
    with pytest.raises(BadInput, match="document 2 of the train split of dataset 'odd' has no output"):
        train(odd, SPEC, folder, scratch=scratch, events=silent)


def test_one_pair_alone_teaches_no_embedding(write_dataset, places):
    folder, scratch = places("bad")
    rows = [{"input": "a", "output": "b", "source": "0"}]
    odd = write_dataset("odd", "pair", {"train": rows, "validation": rows})
    with pytest.raises(BadInput, match="1 pairs in its train split, and at least 2"):
        train(odd, SPEC.model_copy(update={"task": "embedding"}), folder, scratch=scratch, events=silent)


def test_a_sequence_beyond_the_context_is_refused(questions, places):
    folder, scratch = places("bad")
    with pytest.raises(BadRequest, match="--sequence-length 100: the model has a context of at most 64"):
        train(questions, SPEC.model_copy(update={"sequence_length": 100}), folder, scratch=scratch, events=silent)


def test_texts_are_no_pairs(topics, places):
    folder, scratch = places("bad")
    with pytest.raises(WrongKind, match="format text, and --task embedding learns from pair"):
        train(topics, SPEC.model_copy(update={"task": "embedding"}), folder, scratch=scratch, events=silent)

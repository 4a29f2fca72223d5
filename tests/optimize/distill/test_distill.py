"""A student learns from its teacher, and what it comes to is measured on the files."""

from __future__ import annotations

import json
import shutil
import signal

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.safetensors import read_header
from aictl.core.errors import BadRequest, GateMissed, Interrupted, WrongKind
from aictl.core.events import Advanced, Events, silent
from aictl.optimize.distill.distill import distill, foresee
from aictl.optimize.distill.spec import (
    DistilledGateSpec,
    DistillSpec,
    StudentOptimizerSpec,
    StudentSpec,
    refuse_unread,
)
from aictl.optimize.teaching import TeachingSpec
from aictl.training.presets import PRESETS
from aictl.training.spec import LoopSpec, PrecisionSpec

SPEC = DistillSpec(
    max_steps=12,
    gate=DistilledGateSpec(quality_tokens=64),
    teaching=TeachingSpec(batch_size=6),
    optimizer=StudentOptimizerSpec(learning_rate=3e-3),
    precision=PrecisionSpec(precision="fp32", device="cpu"),
    loop=LoopSpec(evaluate_every=100),
    shrink=StudentSpec(layers=2),
)


def spec(**changes) -> DistillSpec:
    return DistillSpec.model_validate({**dict(SPEC), **changes})


@pytest.mark.parametrize("method", ["logits", "hidden"])
def test_layers_of_the_teacher_learn_from_it(language_model, texts, places, method):
    folder, scratch = places(method)
    made = distill(language_model, texts, None, spec(method=method), folder, scratch=scratch, events=silent)
    made.check()
    model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values())
    assert len(model.model.layers) == 2
    figures = made.metrics
    assert figures["candidate"]["parameters"] == model.num_parameters() < figures["parent"]["parameters"]
    assert figures["held_out"]["loss_after"] < figures["held_out"]["loss_before"]
    assert figures["quality_loss"] == pytest.approx(
        figures["candidate"]["perplexity"] / figures["parent"]["perplexity"] - 1
    )
    assert (folder / "tokenizer.json").is_file() and (folder / "metrics.jsonl").is_file()
    begun = load_file(scratch / "student" / "model.safetensors")
    whole = load_file(language_model.folder / "model.safetensors")
    last = "self_attn.q_proj.weight"
    assert torch.equal(begun[f"model.layers.1.{last}"], whole[f"model.layers.2.{last}"])


def test_a_narrower_student_learns_by_projections_that_are_not_kept(classifier, labelled, places):
    folder, scratch = places("narrow")
    narrow = spec(method="hidden", shrink=StudentSpec(layers=2, width_fraction=0.5), baseline=True)
    made = distill(classifier, labelled, None, narrow, folder, scratch=scratch, events=silent)
    model, info = AutoModelForSequenceClassification.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values())
    assert (model.config.hidden_size, model.config.num_hidden_layers) == (16, 2)
    assert not [name for name in read_header(folder / "model.safetensors") if "projection" in name]
    figures = made.metrics
    assert 0 <= figures["baseline"]["accuracy"] <= 1
    assert set(figures["baseline"]) == {"accuracy", "quality_loss"}
    assert figures["left_out"] > 0.5


def test_a_checkpoint_can_be_the_student(language_model, texts, places, tmp_path):
    shutil.copytree(language_model.folder, tmp_path / "student")
    folder, scratch = places("given")
    begin = Checkpoint(tmp_path / "student", name="student")
    made = distill(language_model, texts, begin, spec(shrink=StudentSpec()), folder, scratch=scratch, events=silent)
    assert made.metrics["left_out"] == 0


def test_a_preset_can_be_the_student(language_model, texts, places):
    folder, scratch = places("preset")
    tiny = spec(shrink=StudentSpec(preset="tiny"), max_steps=4, optimizer=StudentOptimizerSpec())
    made = distill(language_model, texts, None, tiny, folder, scratch=scratch, events=silent)
    made.check()
    shape = PRESETS["tiny"]
    assert (made.config["hidden_size"], made.config["num_hidden_layers"]) == (shape.hidden_size, shape.layers)
    assert made.config["vocab_size"] == language_model.config["vocab_size"]
    assert made.context_length == language_model.context_length
    assert tiny.peak_rate == shape.learning_rate
    assert made.metrics["held_out"]["loss_after"] < made.metrics["held_out"]["loss_before"]


def test_a_student_that_reads_other_tokens_is_refused(language_model, texts, places, tmp_path):
    shutil.copytree(language_model.folder, tmp_path / "other")
    path = tmp_path / "other" / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["A"], vocabulary["B"] = vocabulary["B"], vocabulary["A"]
    path.write_text(json.dumps(tokenizer))
    folder, scratch = places("other")
    with pytest.raises(BadRequest, match="2 of 300 tokens have other ids"):
        distill(
            language_model,
            texts,
            Checkpoint(tmp_path / "other"),
            spec(shrink=StudentSpec()),
            folder,
            scratch=scratch,
            events=silent,
        )


def test_the_teacher_writes_answers_that_the_student_learns(chatting, chats, places):
    folder, scratch = places("sequence")
    made = distill(
        chatting, chats, None, spec(method="sequence", answer_tokens=16), folder, scratch=scratch, events=silent
    )
    written = [json.loads(line) for line in (scratch / "answers.jsonl").read_text().splitlines()]
    assert len(written) == chats.splits["train"]
    taught = (scratch / "answered" / "train-00000.jsonl").read_text().splitlines()
    assert [json.loads(line)["messages"][-1]["content"] for line in taught] == [one for one in written if one]
    assert made.metrics["held_out"]["loss_after"] < made.metrics["held_out"]["loss_before"]


def test_an_interrupted_run_gives_the_same_weights(classifier, labelled, places):
    wanted = spec(method="hidden", shrink=StudentSpec(layers=2, width_fraction=0.5), max_steps=6)
    folder, scratch = places("whole")
    distill(classifier, labelled, None, wanted, folder, scratch=scratch, events=silent)

    def sink(event: object) -> None:
        if isinstance(event, Advanced) and event.task == "train" and event.done == 3:
            raise Interrupted(signal.SIGTERM)

    resumed, left = places("resumed")
    with pytest.raises(Interrupted):
        distill(classifier, labelled, None, wanted, resumed, scratch=left, events=Events(sink))
    distill(classifier, labelled, None, wanted, resumed, scratch=left, events=silent)
    once, twice = (load_file(one / "model.safetensors") for one in (folder, resumed))
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_lost_quality_is_a_missed_gate_when_it_is_asked_for(language_model, texts, places):
    folder, scratch = places("gate")
    strict = DistilledGateSpec(quality_tokens=64, max_quality_loss=0.001)
    with pytest.raises(GateMissed, match="perplexity rises"):
        distill(language_model, texts, None, spec(max_steps=1, gate=strict), folder, scratch=scratch, events=silent)


def test_what_cannot_be_taught_is_refused(language_model, classifier, texts, labelled, places):
    def refused(kind, message, teacher, data, begin=None, **changes):
        folder, scratch = places(message[:10].replace("/", ""))
        with pytest.raises(kind, match=message):
            distill(teacher, data, begin, spec(**changes), folder, scratch=scratch, events=silent)

    refused(BadRequest, "nothing says what the student is", language_model, texts, shrink=StudentSpec())
    refused(BadRequest, "brings its own", language_model, texts, language_model)
    refused(BadRequest, "brings its own", language_model, texts, shrink=StudentSpec(preset="tiny", layers=2))
    refused(BadRequest, "for text-classification", language_model, texts, classifier, shrink=StudentSpec())
    refused(BadRequest, "the teacher has 3", language_model, texts, shrink=StudentSpec(layers=4))
    refused(BadRequest, "conversations", language_model, texts, method="sequence")
    refused(WrongKind, "of format image", language_model, _images(places), method="logits")


def _images(places):
    from aictl.artifacts.dataset import Dataset

    folder, _ = places("images")
    (folder / "dataset.json").write_text(json.dumps({"format": "image", "splits": {}}))
    return Dataset(folder, name="pictures")


def test_options_that_a_method_does_not_read_are_refused():
    with pytest.raises(BadRequest, match="--temperature has no meaning"):
        refuse_unread(DistillSpec(method="sequence", temperature=3))
    with pytest.raises(BadRequest, match="--hidden-weight has no meaning"):
        refuse_unread(DistillSpec(hidden_weight=2))


def test_a_forecast_is_made_with_the_teacher(classifier, labelled):
    found = foresee(classifier, labelled, None, SPEC, usable_bytes=None)
    assert found.documents == 72
    assert found.seconds

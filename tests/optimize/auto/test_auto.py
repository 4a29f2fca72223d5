"""The front has what no other beats, what loses too much is left, and a search that was killed goes on."""

from __future__ import annotations

import shutil
from typing import NamedTuple

import pytest

from aictl.artifacts.front import Front
from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import BadRequest, GateMissed, NotFound
from aictl.core.events import Events, Noted, silent
from aictl.export.onnx import export
from aictl.export.spec import OnnxSpec
from aictl.inference.load import load
from aictl.optimize.auto.auto import auto
from aictl.optimize.auto.language_ways import LanguageWays
from aictl.optimize.auto.spec import AutoSpec
from aictl.optimize.pick import pick
from aictl.optimize.spec import PickSpec

QUICK = {"rounds": 3, "prompt_tokens": 8, "new_tokens": 4, "at_once": 2, "quality_tokens": 64}


class Searched(NamedTuple):
    front: Front
    missed: GateMissed


@pytest.fixture(scope="module")
def searched(language_model, texts, tmp_path_factory) -> Searched:
    """The front of a search, and what one said before that was to lose nothing; the second takes what the first made,
    as one does that goes on after a kill."""
    folder, scratch = tmp_path_factory.mktemp("front"), tmp_path_factory.mktemp("scratch")
    spec = AutoSpec(target="size", max_quality_loss=0.0, calibration_tokens=256, **QUICK)
    with pytest.raises(GateMissed) as caught:
        auto(language_model, texts, spec, folder, scratch=scratch, events=silent)
    assert not any(folder.iterdir())

    def refuse(*_, **__):
        raise AssertionError("it was there")

    with pytest.MonkeyPatch.context() as patch:
        for name in ("_write_rounded", "_write_whole"):
            patch.setattr(LanguageWays, name, refuse)
        loose = spec.model_copy(update={"max_quality_loss": 0.2})
        return Searched(auto(language_model, texts, loose, folder, scratch=scratch, events=silent), caught.value)


@pytest.fixture
def front(searched) -> Front:
    return searched.front


@pytest.mark.slow
def test_no_model_of_the_front_is_beaten_and_the_smallest_that_is_good_enough_is_chosen(front):
    front.check()
    models = {one["name"]: one for one in front.facts["models"]}
    on_it = [models[name] for name in front.names]
    assert set(models) >= {None, "fused"}
    assert {one["options"]["method"] for one in on_it} >= {"int4"}
    for one in on_it:
        for other in on_it:
            behind = [one[name] >= other[name] for name in ("loss", "size_bytes", "cpu_s")]
            assert one is other or not all(behind)
    assert {one["documents"] for one in on_it} == {models[None]["documents"]} == {front.facts["documents"]}
    good = [one for one in on_it if one["loss"] <= 0.2]
    assert models[front.facts["chosen"]]["size_bytes"] == min(one["size_bytes"] for one in good)
    assert models[front.facts["chosen"]]["size_bytes"] < models[None]["size_bytes"]
    assert abs(models["fused"]["loss"]) < 1e-4
    # The tied embedding of so small a model has spent what 8 bits may add.
    assert models["int4-gptq-b0"]["why"] == "the same as int4-gptq-b15"
    assert "chosen" in str(front.answer().sections[0].content)
    assert "<svg" in (front.folder / "plot.svg").read_text("utf-8")


@pytest.mark.slow
def test_what_is_picked_is_a_model_of_its_own(front, language_model, tmp_path):
    for name, made in ((None, front.facts["chosen"]), ("fused", "fused")):
        folder = tmp_path / made
        folder.mkdir()
        model = pick(front, PickSpec(model=name), folder)
        model.check()
        assert model.weights_bytes == model.metrics["candidate"]["size_bytes"] == front.entry(made)["size_bytes"]
        assert model.metrics["quality_loss"] == front.entry(made)["loss"]
    generator, parent = load(OnnxModel(tmp_path / "fused")), load(language_model)
    ids = parent.encode("What colour is snow?")
    assert generator.logits(ids) == pytest.approx(parent.logits(ids), abs=1e-3)
    with pytest.raises(NotFound, match="no model 'int3'") as caught:
        pick(front, PickSpec(model="int3"), tmp_path)
    assert "fused" in caught.value.cure


@pytest.mark.slow
def test_where_nothing_is_good_enough_each_is_named_with_what_it_loses(searched):
    assert "nothing that was tried is better by size and good enough: fused loses " in searched.missed.message
    assert "int8-" in searched.missed.message
    assert "--max-quality-loss" in searched.missed.cure


@pytest.mark.slow
def test_a_classifier_in_each_manner_and_what_fails_is_told(classifier, labelled, places):
    exported, _ = places("onnx")
    export(classifier, OnnxSpec(), exported, events=silent)
    model = OnnxModel(exported, name="weather")
    folder, scratch = places("front")
    without = labelled_without_training(labelled, places)
    seen: list[str] = []
    events = Events(lambda event: seen.append(event.message) if isinstance(event, Noted) else None)
    spec = AutoSpec(max_quality_loss=0.5, rounds=3, at_once=2, target="size")
    made = auto(model, without, spec, folder, scratch=scratch, events=events)
    made.check()
    outcomes = {one["name"]: one["outcome"] for one in made.facts["models"]}
    assert outcomes["int8-dynamic"] == "front"
    assert outcomes["int8-minmax"] == outcomes["int8-entropy"] == "failed"
    assert any("int8-minmax: " in said and "'train'" in said for said in seen)
    assert made.facts["measure"] == "accuracy"
    assert not made.facts["is_relative"]


def labelled_without_training(labelled, places):
    folder, _ = places("validation")
    shutil.copytree(labelled.folder, folder, dirs_exist_ok=True)
    for path in folder.glob("train*"):
        path.unlink() if path.is_file() else shutil.rmtree(path)
    return type(labelled)(folder, name="validation")


def test_a_checkpoint_of_a_classifier_is_told_to_be_exported(classifier, labelled, places):
    folder, scratch = places("front")
    with pytest.raises(BadRequest, match="'weather' is a checkpoint") as caught:
        auto(classifier, labelled, AutoSpec(), folder, scratch=scratch, events=silent)
    assert caught.value.cure == "export it first: aictl export onnx weather --name NAME"

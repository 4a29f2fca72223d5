"""What is pruned loads in plain transformers, is what was asked for, and is measured beside its parent."""

from __future__ import annotations

import json
import signal

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import BadRequest, GateMissed, Interrupted
from aictl.core.events import Advanced, Events, silent
from aictl.optimize.prune.prune import foresee, prune
from aictl.optimize.prune.spec import CutSpec, PruneSpec, RecoveryOptimizerSpec, refuse_contradictions
from aictl.optimize.spec import GateSpec
from aictl.optimize.teaching import TeachingSpec
from aictl.training.spec import LoopSpec, PrecisionSpec

SPEC = PruneSpec(
    calibration_examples=8,
    gate=GateSpec(max_quality_loss=1e9, quality_tokens=64),
    teaching=TeachingSpec(batch_size=4),
    optimizer=RecoveryOptimizerSpec(learning_rate=3e-3),
    precision=PrecisionSpec(precision="fp32", device="cpu"),
    loop=LoopSpec(evaluate_every=100),
)


def spec(**changes) -> PruneSpec:
    return PruneSpec.model_validate({**dict(SPEC), **changes})


def parameters(folder) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_heads_neurons_and_layers_are_cut_out_of_the_files(language_model, texts, places):
    folder, scratch = places("cut")
    cut = CutSpec(layers=2, heads=2, neurons=24)
    made = prune(language_model, texts, spec(method="structured", cut=cut), folder, scratch=scratch, events=silent)
    made.check()
    model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values())
    config = json.loads((folder / "config.json").read_text())
    assert (config["num_hidden_layers"], config["num_attention_heads"], config["num_key_value_heads"]) == (2, 2, 1)
    assert (config["intermediate_size"], config["head_dim"]) == (24, 16)
    assert model.model.layers[0].self_attn.q_proj.weight.shape == (32, 64)
    assert model.model.layers[1].mlp.down_proj.weight.shape == (64, 24)
    figures = made.metrics
    assert figures["candidate"]["parameters"] == model.num_parameters()
    assert figures["speedup"]["ratio"] > 0
    assert (folder / "weighed.html").is_file()
    assert figures["left_out"] == pytest.approx(1 - model.num_parameters() / figures["parent"]["parameters"])
    assert figures["candidate"]["perplexity"] > figures["parent"]["perplexity"]
    assert figures["quality_loss"] == pytest.approx(
        figures["candidate"]["perplexity"] / figures["parent"]["perplexity"] - 1
    )


@pytest.mark.parametrize("method", ["magnitude", "wanda"])
def test_the_share_of_zeros_is_what_was_asked_for_and_stays_while_it_recovers(language_model, texts, places, method):
    folder, scratch = places(method)
    made = prune(
        language_model, texts, spec(method=method, sparsity=0.75, recover_steps=20), folder, scratch=scratch,
        events=silent,
    )  # fmt: skip
    before, after = parameters(scratch / "pruned"), parameters(folder)
    for name, weights in after.items():
        if "_proj" not in name:
            assert (weights != 0).all()
            continue
        zeros = weights == 0
        assert zeros.float().mean() == pytest.approx(0.75, abs=0.001)
        assert torch.equal(zeros, before[name] == 0)
        assert not torch.equal(weights, before[name])
    figures = made.metrics
    assert figures["zeros"] == sum(int((one == 0).sum()) for one in after.values())
    assert figures["candidate"]["perplexity"] < figures["pruned"]["perplexity"]
    assert figures["recovery"]["steps"] == 20


def test_two_of_every_four_stay(language_model, texts, places):
    folder, scratch = places("pattern")
    prune(language_model, texts, spec(pattern="2:4"), folder, scratch=scratch, events=silent)
    for name, weights in parameters(folder).items():
        if "_proj" in name:
            assert ((weights.reshape(-1, 4) != 0).sum(dim=1) == 2).all()


def test_an_interrupted_recovery_gives_the_same_weights(language_model, texts, places):
    wanted = spec(sparsity=0.5, recover_steps=6)
    folder, scratch = places("whole")
    prune(language_model, texts, wanted, folder, scratch=scratch, events=silent)

    def sink(event: object) -> None:
        if isinstance(event, Advanced) and event.task == "train" and event.done == 3:
            raise Interrupted(signal.SIGTERM)

    resumed, left = places("resumed")
    with pytest.raises(Interrupted):
        prune(language_model, texts, wanted, resumed, scratch=left, events=Events(sink))
    prune(language_model, texts, wanted, resumed, scratch=left, events=silent)
    once, twice = parameters(folder), parameters(resumed)
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_lost_quality_is_a_missed_gate_and_nothing_is_written(language_model, texts, places):
    folder, scratch = places("gate")
    strict = spec(sparsity=0.9, gate=GateSpec(max_quality_loss=0.01, quality_tokens=64))
    with pytest.raises(GateMissed, match="perplexity rises") as caught:
        prune(language_model, texts, strict, folder, scratch=scratch, events=silent)
    assert "--recover-steps" in str(caught.value.cure)
    assert not list(folder.iterdir())


def test_a_classifier_of_texts_is_cut_and_measured_by_its_accuracy(classifier, labelled, places):
    folder, scratch = places("classifier")
    made = prune(classifier, labelled, spec(method="structured"), folder, scratch=scratch, events=silent)
    model, info = AutoModelForSequenceClassification.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values())
    assert model.config.intermediate_size == 32
    assert 0 <= made.metrics["candidate"]["accuracy"] <= 1
    assert made.metrics["quality_loss"] == made.metrics["parent"]["accuracy"] - made.metrics["candidate"]["accuracy"]
    assert model.config.id2label == {0: "cold", 1: "warm"}


def test_what_does_not_fit_the_model_is_refused(language_model, classifier, texts, labelled, places):
    def refused(model, data, message, **changes):
        folder, scratch = places(message[:10])
        with pytest.raises(BadRequest, match=message):
            prune(model, data, spec(**changes), folder, scratch=scratch, events=silent)

    refused(language_model, texts, "stay or go together", method="structured", cut=CutSpec(heads=3))
    refused(language_model, texts, "there are 3", method="structured", cut=CutSpec(layers=9))
    refused(language_model, texts, "nothing would be left out", method="structured", cut=CutSpec(layers=3))
    refused(classifier, labelled, "no word for fewer heads", method="structured", cut=CutSpec(heads=1))
    refused(language_model, texts, "no multiple of 5", pattern="2:5")
    refused(Checkpoint(language_model.folder), None, "nothing to measure it on")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cut": CutSpec(layers=1)}, "only --method structured"),
        ({"method": "structured", "cut": CutSpec(layers=1), "sparsity": 0.5}, "both say"),
        ({"method": "structured", "pattern": "2:4"}, "single weights"),
        ({"pattern": "4:4"}, "have to stay"),
        ({"pattern": "2:4", "sparsity": 0.3}, "says 0.3"),
    ],
)
def test_options_that_contradict_one_another_are_refused(options, message):
    with pytest.raises(BadRequest, match=message):
        refuse_contradictions(PruneSpec(**options))


def test_a_forecast_is_made_of_the_recovery_alone(language_model, texts):
    assert foresee(language_model, texts, SPEC, usable_bytes=None) is None
    found = foresee(language_model, texts, spec(recover_steps=5), usable_bytes=None)
    assert found is not None
    assert found.documents == 20

from __future__ import annotations

import signal

import pytest
import torch
from peft import PeftModel
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import BadInput, BadRequest, Interrupted, WrongKind
from aictl.core.events import Advanced, Events, Noted, silent
from aictl.finetune.dpo import finetune
from aictl.finetune.spec import DpoOptimizerSpec, DpoSpec, LowRankSpec, PreferencesSpec
from aictl.training.spec import LoopSpec, PrecisionSpec

SPEC = DpoSpec(
    max_steps=15,
    low_rank=LowRankSpec(rank=4, alpha=8),
    examples=PreferencesSpec(batch_size=4),
    optimizer=DpoOptimizerSpec(learning_rate=0.01),
    precision=PrecisionSpec(precision="fp32", device="cpu"),
    loop=LoopSpec(evaluate_every=15),
)
COLOURS = ("blue", "green", "white", "black", "red", "yellow")


@pytest.fixture
def preferences(write_dataset):
    """Short answers are preferred to long ones; the prompt has an answer of its own."""

    def make(train=None):
        said = [
            {
                "prompt": [
                    {"role": "user", "content": "Hi"},
                    {"role": "assistant", "content": "What?"},
                    {"role": "user", "content": f"What colour is {colour}?"},
                ],
                "chosen": [{"role": "assistant", "content": f"{colour}."}],
                "rejected": [{"role": "assistant", "content": f"It is {colour} and {colour}."}],
            }
            for colour in COLOURS
        ]
        return write_dataset("which", "preference", {"train": said * 3 if train is None else train, "validation": said})

    return make


def rewards(model, checkpoint, dataset) -> list[tuple[float, float]]:
    """The sums of log-probabilities of the answers to held-out prompts, the plain way."""
    tokenizer = AutoTokenizer.from_pretrained(checkpoint.folder)
    found = []
    for document in dataset.documents("validation"):
        prompt = tokenizer.apply_chat_template(document["prompt"], add_generation_prompt=True, tokenize=False)
        sums = []
        for side in ("chosen", "rejected"):
            answer = document[side][0]["content"] + tokenizer.eos_token
            pieces = [tokenizer(one, add_special_tokens=False)["input_ids"] for one in (prompt, answer)]
            ids, start = torch.tensor([pieces[0] + pieces[1]]), len(pieces[0])
            with torch.no_grad():
                scores = model(input_ids=ids).logits[0, start - 1 : -1].log_softmax(-1)
            sums.append(scores.gather(1, ids[0, start:, None]).sum().item())
        found.append((sums[0], sums[1]))
    return found


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_chosen_answer_comes_to_be_preferred_and_the_record_is_true(checkpoint, preferences, places, method):
    folder, scratch = places("made")
    dataset = preferences()
    rate = DpoOptimizerSpec(learning_rate=0.01 if method == "lora" else 1e-3)
    spec = SPEC.model_copy(update={"method": method, "optimizer": rate})
    made = finetune(checkpoint, dataset, spec, folder, scratch=scratch, events=silent)
    made.check()
    assert isinstance(made, Adapter if method == "lora" else Checkpoint)
    held_out = made.metrics["held_out"]
    assert held_out["loss_before"] == pytest.approx(0.693147, abs=1e-3)  # log 2: nothing is preferred yet
    assert held_out["loss_after"] < 0.4
    assert held_out["accuracy"] == 1
    base = AutoModelForCausalLM.from_pretrained(checkpoint.folder).eval()
    before = rewards(base, checkpoint, dataset)
    tuned = (
        PeftModel.from_pretrained(base, folder) if method == "lora" else AutoModelForCausalLM.from_pretrained(folder)
    )
    after = rewards(tuned.eval(), checkpoint, dataset)
    margins = [0.1 * ((a[0] - b[0]) - (a[1] - b[1])) for a, b in zip(after, before, strict=True)]
    assert held_out["margin"] == pytest.approx(sum(margins) / len(margins), rel=1e-3)
    chosen = [0.1 * (a[0] - b[0]) for a, b in zip(after, before, strict=True)]
    assert held_out["chosen_reward"] == pytest.approx(sum(chosen) / len(chosen), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("loss", ["ipo", "hinge"])
def test_other_losses_teach_it_too(checkpoint, preferences, places, loss):
    folder, scratch = places("made")
    made = finetune(
        checkpoint, preferences(), SPEC.model_copy(update={"loss": loss}), folder, scratch=scratch, events=silent
    )
    assert made.metrics["held_out"]["loss_after"] < made.metrics["held_out"]["loss_before"]
    assert made.metrics["held_out"]["accuracy"] > 0.8


def test_the_reference_is_asked_of_what_will_be_seen_alone(checkpoint, preferences, places):
    folder, scratch = places("few")
    spec = SPEC.model_copy(update={"max_steps": 2})
    finetune(checkpoint, preferences(), spec, folder, scratch=scratch, events=silent)
    known = load_file(scratch / "train.reference")["reference"]
    assert (known == known).all(1).sum() == 8  # two batches of four, of eighteen


def test_an_interrupted_run_gives_the_same_adapter(checkpoint, preferences, places):
    dataset = preferences()
    folder, scratch = places("whole")
    finetune(checkpoint, dataset, SPEC, folder, scratch=scratch, events=silent)

    def sink(event: object) -> None:
        if isinstance(event, Advanced) and event.task == "train" and event.done == 4:
            raise Interrupted(signal.SIGINT)

    cut, scratch = places("cut")
    with pytest.raises(Interrupted):
        finetune(checkpoint, dataset, SPEC, cut, scratch=scratch, events=Events(sink))
    finetune(checkpoint, dataset, SPEC, cut, scratch=scratch, events=silent)
    for name in ("adapter_model.safetensors", "metrics.jsonl"):
        assert (cut / name).read_bytes() == (folder / name).read_bytes()


def test_what_cannot_be_told_apart_is_set_aside(checkpoint, preferences, places):
    good = {
        "prompt": [{"role": "user", "content": "Hi"}],
        "chosen": [{"role": "assistant", "content": "It is."}],
        "rejected": [{"role": "assistant", "content": "What?"}],
    }
    folder, scratch = places("alike")
    told: list[object] = []
    spec = SPEC.model_copy(update={"max_steps": 1})
    dataset = preferences(train=[good] * 4 + [good | {"rejected": good["chosen"]}])
    made = finetune(checkpoint, dataset, spec, folder, scratch=scratch, events=Events(told.append))
    assert made.metrics["preferences"] == 4
    assert any(isinstance(e, Noted) and e.message.startswith("1 preferences of the train split") for e in told)


def test_bad_requests_are_refused(checkpoint, preferences, chats, places):
    folder, scratch = places("bad")
    with pytest.raises(WrongKind, match="format chat"):
        finetune(checkpoint, chats(), SPEC, folder, scratch=scratch, events=silent)
    spec = SPEC.model_copy(update={"loss": "ipo", "label_smoothing": 0.1})
    dataset = preferences(train=[])
    with pytest.raises(BadRequest, match="--label-smoothing"):
        finetune(checkpoint, dataset, spec, folder, scratch=scratch, events=silent)
    with pytest.raises(BadInput, match="no usable preference in its train split"):
        finetune(checkpoint, dataset, SPEC, folder, scratch=scratch, events=silent)

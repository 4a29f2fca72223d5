from __future__ import annotations

import json
import shutil
from itertools import pairwise

import pytest
from transformers import AutoTokenizer

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import BadInput, BadRequest, WrongKind
from aictl.core.events import Events, Noted, silent
from aictl.finetune.lora import finetune
from aictl.finetune.spec import ExamplesSpec, LoraOptimizerSpec, LoraSpec, LowRankSpec
from aictl.training import examples, language_models
from aictl.training.spec import LoopSpec, PrecisionSpec

SPEC = LoraSpec(
    low_rank=LowRankSpec(rank=4, alpha=8),
    max_steps=10,
    examples=ExamplesSpec(batch_size=6),
    optimizer=LoraOptimizerSpec(learning_rate=0.02),
    precision=PrecisionSpec(precision="fp32", device="cpu"),
    loop=LoopSpec(evaluate_every=10),
)


@pytest.fixture
def tokenizer(checkpoint):
    return AutoTokenizer.from_pretrained(checkpoint.folder)


def untaught(checkpoint, folder) -> Checkpoint:
    """The checkpoint without its chat template."""
    shutil.copytree(checkpoint.folder, folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    del config["chat_template"]
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return Checkpoint(folder)


def test_a_long_document_is_learnt_whole_in_parts(texts, tokenizer):
    encode = examples.encoder(texts, tokenizer, {1}, 16)
    document = list(texts.documents("validation"))[-1]
    parts = list(encode(document))
    assert max(len(part.ids) for part in parts) == 16
    whole = parts[0].ids[:1] + [token for part in parts for token in part.ids[1:]]
    assert tokenizer.decode(whole[:-1]) == tokenizer.bos_token + document["text"]
    assert whole[-1] == tokenizer.eos_token_id
    assert all(a.ids[-1] == b.ids[0] for a, b in pairwise(parts))


def test_a_pair_is_a_question_and_its_answer_for_a_model_that_knows_conversations(pairs, tokenizer):
    [example] = examples.encoder(pairs, tokenizer, {tokenizer.eos_token_id}, 64)(next(pairs.documents("train")))
    learnt = [token for token, one in zip(example.ids, example.learnt, strict=True) if one]
    assert tokenizer.decode(learnt) == "It is blue." + tokenizer.eos_token
    assert tokenizer.decode(example.ids).startswith("user: What colour is sky?")


def test_a_pair_stands_as_it_is_for_a_model_that_does_not(pairs, checkpoint, tmp_path):
    plain = language_models.load_tokenizer(untaught(checkpoint, tmp_path / "plain"))
    [example] = examples.encoder(pairs, plain, {plain.eos_token_id}, 64)(next(pairs.documents("train")))
    assert plain.decode(example.ids) == plain.bos_token + "What colour is sky?\nIt is blue." + plain.eos_token
    learnt = [token for token, one in zip(example.ids, example.learnt, strict=True) if one]
    assert plain.decode(learnt) == "It is blue." + plain.eos_token


@pytest.mark.parametrize("name", ["texts", "pairs"])
@pytest.mark.parametrize("pack", [False, True])
def test_an_adapter_learns_from_them(checkpoint, places, request, name, pack):
    dataset = request.getfixturevalue(name)
    folder, scratch = places("made")
    spec = SPEC.model_copy(update={"examples": ExamplesSpec(batch_size=6, pack=pack)})
    made = finetune(checkpoint, dataset, spec, folder, scratch=scratch, events=silent)
    assert made.metrics["held_out"]["loss_after"] < made.metrics["held_out"]["loss_before"] - 0.5
    noun = {"texts": "documents", "pairs": "pairs"}[name]
    assert made.metrics[noun] >= 24
    assert ("rows" in made.metrics) == pack


def test_packed_conversations_have_the_loss_of_those_that_are_not(checkpoint, chats, places):
    """One batch of all there is: the first step's loss is that of the same conversations."""
    dataset, losses = chats(), []
    for pack in (False, True):
        folder, scratch = places(f"pack-{pack}")
        spec = SPEC.model_copy(update={"examples": ExamplesSpec(batch_size=24, pack=pack), "max_steps": 3})
        made = finetune(checkpoint, dataset, spec, folder, scratch=scratch, events=silent)
        rows = [json.loads(line) for line in (made.folder / "metrics.jsonl").read_text().splitlines()]
        losses.append([row["loss"] for row in rows if "loss" in row])
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_a_template_that_refuses_a_conversation_is_counted(checkpoint, chats, places, tmp_path):
    strict = tmp_path / "strict"
    shutil.copytree(checkpoint.folder, strict)
    config = json.loads((strict / "tokenizer_config.json").read_text())
    refusing = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system here') }}{% endif %}"
    config["chat_template"] = refusing + config["chat_template"]
    (strict / "tokenizer_config.json").write_text(json.dumps(config))
    good = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "It is."}]
    folder, scratch = places("strict-made")
    told: list[object] = []
    dataset = chats(train=[good] * 6 + [[{"role": "system", "content": "Be"}, *good]], validation=[good])
    spec = SPEC.model_copy(update={"max_steps": 1})
    finetune(Checkpoint(strict), dataset, spec, folder, scratch=scratch, events=Events(told.append))
    assert any(isinstance(e, Noted) and "1 conversations" in e.message and "no system here" in e.message for e in told)


def test_an_empty_split_is_refused(checkpoint, write_dataset, places):
    folder, scratch = places("empty")
    dataset = write_dataset("few", "text", {"train": [{"text": "What colour is sky?"}]})
    with pytest.raises(BadInput, match="no usable document in its validation split"):
        finetune(checkpoint, dataset, SPEC, folder, scratch=scratch, events=silent)


def test_pictures_are_refused(checkpoint, write_dataset, places):
    folder, scratch = places("pictures")
    with pytest.raises(WrongKind, match="format image"):
        finetune(checkpoint, write_dataset("seen", "image", {}), SPEC, folder, scratch=scratch, events=silent)


def test_a_tokenizer_with_more_tokens_than_the_model_embeds_is_refused(checkpoint, chats, places, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(checkpoint.folder, other)
    tokenizer = AutoTokenizer.from_pretrained(other)
    tokenizer.add_tokens(["<new>", "<newer>"])
    tokenizer.save_pretrained(other)
    folder, scratch = places("other-made")
    talk = [{"role": "user", "content": "<newer>"}, {"role": "assistant", "content": "It is."}]
    with pytest.raises(BadRequest, match="its tokenizer gave token 287, and its model embeds 286"):
        finetune(Checkpoint(other), chats(train=[talk]), SPEC, folder, scratch=scratch, events=silent)

"""What a language model costs is torch's cross-entropy, whatever the batches, windows and runtime."""

from __future__ import annotations

import math
import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import BadInput, BadRequest, WorkFailed
from aictl.inference.load import load

TEXTS = [f"Document {number} says that bread is baked and {'water ' * number}is wet. 🙂" for number in range(9)]
TALKS = [
    [{"role": "user", "content": f"What is {number}?"}, {"role": "assistant", "content": f"A number, {number}!"}]
    for number in range(5)
]


@pytest.fixture
def texts(write_dataset):
    return write_dataset("texts", "text", {"validation": [{"text": text, "source": "t"} for text in TEXTS]})


@pytest.fixture
def chats(write_dataset):
    return write_dataset("chats", "chat", {"validation": [{"messages": talk, "source": "t"} for talk in TALKS]})


def losses(model: Checkpoint, text: str) -> torch.Tensor:
    """By hand: every token after the first, which this model has nothing to begin with."""
    generator = load(model, device="cpu")
    ids = torch.tensor([generator.encode(text)])
    with torch.inference_mode():
        logits = AutoModelForCausalLM.from_pretrained(model.folder)(ids).logits[0, :-1]
    return torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none")


def test_the_measures_are_those_of_torch(chat_model, texts, run, rows):
    made = run(chat_model, texts)
    wanted = [losses(chat_model, text) for text in TEXTS]
    values = made.values()
    assert values["perplexity"] == pytest.approx(math.exp(torch.cat(wanted).mean()), rel=1e-5)
    # Every byte is a token of this model, and the first of a document is given.
    size = sum(len(text.encode()) - 1 for text in TEXTS)
    assert values["bits_per_byte"] == pytest.approx(float(torch.cat(wanted).sum()) / math.log(2) / size, rel=1e-5)
    assert [row["loss"] for row in rows(made)] == pytest.approx([float(one.sum()) for one in wanted], rel=1e-4)
    assert [row["number"] for row in rows(made)] == list(range(9))
    assert (
        made.metrics["intervals"]["perplexity"][0] < values["perplexity"] < made.metrics["intervals"]["perplexity"][1]
    )
    assert made.exit_code == 0


def test_windows_change_what_is_known_and_not_what_is_predicted(chat_model, texts, run, rows):
    whole, short = run(chat_model, texts), run(chat_model, texts, name="short", window=16)
    assert [row["tokens"] for row in rows(whole)] == [row["tokens"] for row in rows(short)]
    assert whole.values()["perplexity"] != short.values()["perplexity"]


def test_of_conversations_the_assistant_s_words_count(chat_model, chats, run, rows):
    made = run(chat_model, chats)
    assert [row["bytes"] for row in rows(made)] == [len(talk[1]["content"]) for talk in TALKS]
    assert [row["tokens"] for row in rows(made)] == [len(talk[1]["content"]) for talk in TALKS]
    generator = load(chat_model, device="cpu")
    prompt = generator.render_chat(TALKS[0][:1])
    every = losses(chat_model, prompt + TALKS[0][1]["content"])
    assert rows(made)[0]["loss"] == pytest.approx(float(every[len(prompt) - 1 :].sum()), rel=1e-4)


def test_onnx_comes_to_the_same(chat_model, texts, run, tmp_path):
    from aictl.core.events import silent
    from aictl.export.onnx import export
    from aictl.export.spec import OnnxSpec

    (tmp_path / "onnx").mkdir()
    onnx: OnnxModel = export(chat_model, OnnxSpec(), tmp_path / "onnx", events=silent)
    one, other = run(chat_model, texts).values(), run(onnx, texts, name="onnx").values()
    assert one == pytest.approx(other, rel=1e-4)


def test_a_better_model_is_told_apart_and_gates_are_held(chat_model, texts, run, tmp_path):
    trained = tmp_path / "trained"
    shutil.copytree(chat_model.folder, trained)
    module, generator = AutoModelForCausalLM.from_pretrained(trained), load(chat_model, device="cpu")
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3)
    for _ in range(8):
        for text in TEXTS:
            ids = torch.tensor([generator.encode(text)])
            optimizer.zero_grad()
            module(input_ids=ids, labels=ids).loss.backward()
            optimizer.step()
    module.save_pretrained(trained)
    made = run(
        Checkpoint(trained, name="trained"), texts, chat_model, gate=["perplexity<=other", "bits_per_byte < 0.001"]
    )
    by_name = {one["name"]: one for one in made.facts["measures"]}
    assert by_name["bits_per_byte"]["difference"]["is_real"]
    assert by_name["bits_per_byte"]["value"] < by_name["bits_per_byte"]["other"]
    assert [(one["gate"], one["passed"]) for one in made.facts["gates"]] == [
        ("perplexity<=other", True),
        ("bits_per_byte < 0.001", False),
    ]
    assert made.exit_code == 1
    assert made.metrics["gates_missed"] == ["bits_per_byte < 0.001"]


def test_another_tokenizer_is_compared_by_bits_per_byte_alone(chat_model, texts, run, write_llama, tmp_path):
    write_llama(tmp_path / "other", " ".join(TEXTS), "{{ messages }}")
    other = Checkpoint(tmp_path / "other", name="other")
    made = run(chat_model, texts, other)
    by_name = {one["name"]: one["difference"] for one in made.facts["measures"]}
    assert by_name["perplexity"] is by_name["token_accuracy"] is None
    assert by_name["bits_per_byte"] is not None
    assert "tokenizer" in made.facts["notes"][0]
    with pytest.raises(BadRequest, match="tokenizer"):
        run(chat_model, texts, other, gate=["perplexity<other"], name="gate")


def test_a_model_whose_logits_are_no_numbers_fails(chat_model, texts, run, tmp_path):
    shutil.copytree(chat_model.folder, tmp_path / "broken")
    module = AutoModelForCausalLM.from_pretrained(chat_model.folder)
    torch.nn.init.constant_(module.lm_head.weight, float("nan"))
    module.save_pretrained(tmp_path / "broken")
    with pytest.raises(WorkFailed, match="not finite"):
        run(Checkpoint(tmp_path / "broken"), texts)


def test_answers_are_held_against_the_reference_when_asked_for(chat_model, chats, run, rows):
    made = run(chat_model, chats, metrics="rouge,chrf", max_tokens=8)
    assert list(made.values()) == ["rouge1", "rouge2", "rougeL", "chrf"]
    assert [row["reference"] for row in rows(made)] == [talk[1]["content"] for talk in TALKS]
    generator = load(chat_model, device="cpu")
    from aictl.inference.generator import Sampling

    ids = generator.encode(generator.render_chat(TALKS[2][:1]))
    assert rows(made)[2]["output"] == "".join(one.text for one in generator.generate(ids, Sampling(max_tokens=8)))


def test_a_conversation_that_the_template_refuses_is_named(chat_model, write_dataset, run):
    """This template refuses one that begins with the assistant."""
    refused = [{"role": "assistant", "content": "Hello!"}, *TALKS[0]]
    documents = [{"messages": TALKS[0], "source": "good"}, {"messages": refused, "source": "bad.yml:3"}]
    with pytest.raises(BadInput, match=r"bad\.yml:3: .*begins with the user"):
        run(chat_model, write_dataset("refused", "chat", {"validation": documents}))


def test_pairs_are_conversations_of_two_turns(chat_model, chats, write_dataset, run):
    pairs = [{"input": talk[0]["content"], "output": talk[1]["content"], "source": "t"} for talk in TALKS]
    made = run(chat_model, write_dataset("pairs", "pair", {"validation": pairs}))
    assert made.values() == run(chat_model, chats, name="chats").values()

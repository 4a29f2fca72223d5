"""Tiny models that have learnt something, so that what is taken from them is missed."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, LlamaConfig, LlamaForCausalLM

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset, DatasetWriter
from aictl.tokenizing.byte_bpe import ROLES, learn
from aictl.tokenizing.folder import write as write_tokenizer

COLOURS = {"sky": "blue", "grass": "green", "snow": "white", "coal": "black", "blood": "red", "sun": "yellow"}
SENTENCES = [f"What colour is {what}? It is {colour}." for what, colour in COLOURS.items()]
WEATHER = {"cold": ["ice", "snow", "frost", "hail"], "warm": ["sun", "fire", "stove", "lava"]}
PLACES = ("north", "south", "valley", "town", "field")


@pytest.fixture(scope="session")
def texts(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("texts")
    with DatasetWriter(folder, "text") as writer:
        for sentence in SENTENCES * 4:
            writer.add("train", {"text": sentence, "source": "test"})
        for sentence in SENTENCES:
            writer.add("validation", {"text": sentence, "source": "test"})
    return Dataset(folder, name="texts")


@pytest.fixture(scope="session")
def labelled(tmp_path_factory) -> Dataset:
    """Texts that name something cold or warm."""
    folder = tmp_path_factory.mktemp("labelled")
    with DatasetWriter(folder, "text") as writer:
        for label, words in WEATHER.items():
            for word in words:
                for number, place in enumerate(PLACES):
                    split = "validation" if number == 0 else "train"
                    writer.add(split, {"text": f"there is {word} in the {place}", "label": label, "source": "test"})
    (folder / "labels.json").write_text(json.dumps({"labels": [{"name": name} for name in WEATHER]}))
    return Dataset(folder, name="labelled")


def _tokenizer(folder, lines):
    folder.mkdir()
    tokenizer = learn(lines * 20, 300)
    write_tokenizer(tokenizer, folder, ROLES)
    return tokenizer


@pytest.fixture(scope="session")
def language_model(tmp_path_factory) -> Checkpoint:
    """A Llama of three layers that knows the sentences by heart."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    tokenizer = _tokenizer(folder, SENTENCES)
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
        tie_word_embeddings=True,
        initializer_range=0.1,
    )
    model = LlamaForCausalLM(shape)
    opened = AutoTokenizer.from_pretrained(folder)
    rows = [torch.tensor([opened(one)["input_ids"]]) for one in SENTENCES]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(30):
        optimizer.zero_grad()
        for ids in rows:
            (model(input_ids=ids, labels=ids).loss / len(rows)).backward()
        optimizer.step()
    model.save_pretrained(folder)
    return Checkpoint(folder, name="tiny")


@pytest.fixture(scope="session")
def classifier(labelled, tmp_path_factory) -> Checkpoint:
    """A BERT of four layers that tells the labelled texts apart."""
    folder = tmp_path_factory.mktemp("classifier") / "weather"
    documents = list(labelled.documents("train"))
    tokenizer = _tokenizer(folder, [one["text"] for one in documents])
    torch.manual_seed(0)
    shape = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=4,
        num_attention_heads=2,
        max_position_embeddings=32,
        id2label=dict(enumerate(WEATHER)),
        label2id={name: number for number, name in enumerate(WEATHER)},
        pad_token_id=2,
    )
    model = BertForSequenceClassification(shape).train()
    opened = AutoTokenizer.from_pretrained(folder)
    given = opened([one["text"] for one in documents], padding=True, return_tensors="pt")
    fields = {name: given[name] for name in ("input_ids", "attention_mask")}
    labels = torch.tensor([shape.label2id[one["label"]] for one in documents])
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(40):
        optimizer.zero_grad()
        model(**fields, labels=labels).loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
    return Checkpoint(folder, name="weather")


@pytest.fixture(scope="session")
def chats(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("chats")
    talks = [
        [{"role": "user", "content": f"What colour is {what}?"}, {"role": "assistant", "content": f"It is {colour}."}]
        for what, colour in COLOURS.items()
    ]
    with DatasetWriter(folder, "chat") as writer:
        for talk in talks * 2:
            writer.add("train", {"messages": talk, "source": "test"})
        for talk in talks:
            writer.add("validation", {"messages": talk, "source": "test"})
    return Dataset(folder, name="chats")


@pytest.fixture(scope="session")
def chatting(language_model, chats, tmp_path_factory) -> Checkpoint:
    """The language model, which has learnt to answer questions and to end there."""
    folder = tmp_path_factory.mktemp("chatting") / "tiny"
    shutil.copytree(language_model.folder, folder)
    path = folder / "tokenizer_config.json"
    template = "{% for one in messages %}{{ one['content'] + ' ' }}{% endfor %}"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": template}))
    opened, model = AutoTokenizer.from_pretrained(folder), LlamaForCausalLM.from_pretrained(folder)
    rows = []
    for document in chats.documents("validation"):
        question, answer = (one["content"] for one in document["messages"])
        pieces = [opened(one, add_special_tokens=False)["input_ids"] for one in (f"{question} ", answer)]
        rows.append(torch.tensor([[*pieces[0], *pieces[1], opened.eos_token_id]]))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(25):
        optimizer.zero_grad()
        for ids in rows:
            (model(input_ids=ids, labels=ids).loss / len(rows)).backward()
        optimizer.step()
    model.save_pretrained(folder)
    return Checkpoint(folder, name="chatting")

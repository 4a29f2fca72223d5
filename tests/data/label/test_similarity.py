"""Functions of kind embedding: the nearest label, where it is near enough and well ahead."""

from __future__ import annotations

from pathlib import Path

import pytest

from aictl.core.errors import BadInput, NotFound
from aictl.data.label.declaration import read
from aictl.data.label.functions import open_functions

LABELS = """
[labels]
weather = { description = "rain", examples = ["snow"] }
alarm = "clock"
money = ""
"""


@pytest.fixture
def embedder(tmp_path, write_embedder) -> Path:
    write_embedder(tmp_path / "embedder", ["rain", "snow", "clock", "money", "the"])
    return tmp_path / "embedder"


@pytest.fixture
def near(tmp_path, means, embedder):
    """``near("min_margin = 0.1")`` opens one function over three labels."""

    def make(table: str = "", **options):
        path = tmp_path / "labels.toml"
        path.write_text(LABELS + f'[functions.near]\nkind = "embedding"\n{table}\n')
        return open_functions(read(path), means(embedder=embedder, **options))["near"]

    return make


def test_the_label_nearest_in_meaning(near):
    assert near().vote(["rain", "snow", "clock", "money"], 0).tolist() == [0, 0, 1, 2]


def test_nothing_is_said_where_two_are_as_near(near):
    texts = ["rain", "rain clock", "the the the the"]
    assert near("min_margin = 0").vote(texts, 0).tolist()[0] == 0
    assert near("min_margin = 0.9").vote(["rain clock"], 0).tolist() == [-1]
    assert near("min_similarity = 0.999").vote(["rain clock", "clock"], 0).tolist() == [-1, 1]


def test_only_some_of_the_labels(near):
    assert near("labels = ['alarm', 'money']\nmin_margin = 0").vote(["clock", "money"], 0).tolist() == [1, 2]


def test_threads_and_company_change_no_vote(near):
    texts = [" ".join(["rain", "clock", "money", "the"][: 1 + number % 4] * (1 + number % 7)) for number in range(200)]
    one = near(threads=1).vote(texts, 0)
    assert one.tolist() == near(threads=2).vote(texts, 0).tolist()
    assert one.tolist() == [near().vote([text], 0)[0] for text in texts[:8]] + one[8:].tolist()


def test_what_was_cut_is_counted(near, embedder):
    (embedder / "sentence_bert_config.json").write_text('{"max_seq_length": 5}')
    voter = near()
    voter.vote(["rain", "rain snow clock money", "the rain the snow"], 0)
    assert voter.facts() == {"truncated": 2}


def test_a_whole_labelling_by_meaning(texts, label, embedder, tmp_path):
    path = tmp_path / "whole.toml"
    path.write_text(LABELS + '[functions.near]\nkind = "embedding"\n')
    documents = texts(["rain", "clock", "the snow", "money"] * 5)
    first = label(documents, path, embedder=embedder, threads=1)
    again = label(documents, path, embedder=embedder, threads=2, force=True)
    assert first.artifact.record.id == again.artifact.record.id
    assert first.artifact.record.inputs[-1].role == "embedder"
    assert [one["label"] for one in first.artifact.documents()][:4] == ["weather", "alarm", "weather", "money"]


def test_embedders_that_cannot_be(near, embedder):
    with pytest.raises(NotFound, match="holds no embedding model 'other'"):
        near(embedder_file="other")
    (embedder / "model.onnx").unlink()
    with pytest.raises(BadInput, match="holds no embedding model"):
        near()

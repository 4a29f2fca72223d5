"""Ranks by an embedding model are those of its vectors' products."""

from __future__ import annotations

import numpy as np
import pytest

from aictl.core.artifact import Source
from aictl.core.errors import BadInput
from aictl.inference.embedding import open_embedder

PETS = ["cat", "dog", "fish", "bird", "horse", "snake", "mouse", "sheep", "goat", "hen"]


@pytest.fixture
def model(write_embedder, tmp_path) -> Source:
    write_embedder(tmp_path / "embedder", [*PETS, "the", "likes", "food"])
    return Source("embedder", tmp_path / "embedder", "digest")


@pytest.fixture
def pairs(write_dataset):
    documents = [
        {"input": f"the {one}", "output": f"{one} likes {PETS[(at * 3) % 10]} food", "source": "t"}
        for at, one in enumerate(PETS)
    ]
    return write_dataset("pairs", "pair", {"validation": [*documents, {**documents[0], "input": "cat the the"}]})


def test_ranks_and_measures(model, pairs, run, rows):
    made = run(model, pairs)
    found = rows(made)
    embedder = open_embedder(model.path)
    documents = list(pairs.documents("validation"))
    outputs = list(dict.fromkeys(one["output"] for one in documents))
    assert made.facts["details"]["among"] == len(outputs) == 10
    likeness = embedder.encode([one["input"] for one in documents]).vectors @ embedder.encode(outputs).vectors.T
    for row, likes, one in zip(found, likeness, documents, strict=True):
        order = [outputs[at] for at in np.argsort(-likes)]
        assert row["rank"] == order.index(one["output"]) + 1
        assert row["found"] == order[0]
        assert "input_vector" not in row
    assert made.values()["mrr"] == pytest.approx(np.mean([1 / row["rank"] for row in found]))
    assert made.values()["recall@10"] == 1


def test_a_folder_without_a_model_is_no_model(tmp_path, pairs, run):
    (tmp_path / "nothing").mkdir()
    with pytest.raises(BadInput, match="holds no model"):
        run(Source("nothing", tmp_path / "nothing", "digest"), pairs)

"""Ranks by an embedding model are those of its vectors' products."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from tests.model.networks import write
from transformers import AutoModel, AutoTokenizer

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset, DatasetWriter
from aictl.core.artifact import Source
from aictl.core.errors import BadInput
from aictl.inference.embedding import open_embedder
from aictl.inference.image_classifying import processor

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


@pytest.fixture
def captioned(tmp_path):
    captions = ["my cat", "paris", "my warm kitchen", "my cat", "the floor"]
    (tmp_path / "captioned").mkdir()
    with DatasetWriter(tmp_path / "captioned", "image") as writer:
        for number, caption in enumerate(captions):
            file = io.BytesIO()
            pixels = np.random.default_rng(number).integers(0, 256, (40, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(file, "png")
            known = {"width": 30, "height": 40, "mode": "RGB", "source": f"{number}", "size_bytes": file.tell()}
            writer.add("validation", {"image": f"{number}.png", "caption": caption, **known}, file.getvalue())
        writer.add("validation", {"image": "x.png", **known}, file.getvalue())  # of which nothing is said
    return Dataset(tmp_path / "captioned")


def test_pictures_are_asked_for_their_captions(captioned, tmp_path, run, rows):
    model = Checkpoint(write(tmp_path / "clip", "image-text"), name="clip")
    made = run(model, captioned)
    found = rows(made)
    assert made.facts["details"]["among"] == 4
    network = AutoModel.from_pretrained(model.folder).eval()
    tokenizer, prepare = AutoTokenizer.from_pretrained(model.folder), processor(model.folder)
    captions = ["my cat", "paris", "my warm kitchen", "the floor"]
    ids = [torch.tensor([tokenizer(one)["input_ids"]]) for one in captions]
    pictures = [Image.open(io.BytesIO(file)) for _, file in captioned.pictures("validation")][:5]
    with torch.no_grad():
        pixels = torch.from_numpy(prepare(pictures, return_tensors="np")["pixel_values"])
        scores = torch.cat([network(input_ids=one, pixel_values=pixels).logits_per_image for one in ids], dim=1)
    for row, likes in zip(found, scores.numpy(), strict=True):
        order = [captions[at] for at in np.argsort(-likes)]
        assert (row["rank"], row["found"]) == (order.index(row["output"]) + 1, order[0])
    page = (made.folder / "index.html").read_text("utf-8")
    assert page.count("data:image/png") == sum(row["rank"] > 1 for row in found) > 0

"""The text that language models are rounded for."""

from __future__ import annotations

from aictl.artifacts.dataset import Dataset, DatasetWriter
from aictl.inference.tokenizer import ModelTokenizer
from aictl.optimize.language import calibration_texts


def write(folder, train) -> Dataset:
    with DatasetWriter(folder, "text") as writer:
        for text in train:
            writer.add("train", {"text": text, "source": "test"})
        writer.add("validation", {"text": "held out", "source": "test"})
    return Dataset(folder, name="sorted")


def test_it_is_drawn_from_all_of_the_split(language_model, tmp_path):
    """A dataset that is sorted by source begins with one of them alone."""
    sources = ["The sky is blue today.", "There is snow on the grass."]
    dataset = write(tmp_path, [text for text in sources for _ in range(500)])
    tokenizer = ModelTokenizer(language_model.folder)
    first = [tokenizer.decode(ids) for ids in calibration_texts(language_model, dataset, 1000)]
    assert first == [tokenizer.decode(ids) for ids in calibration_texts(language_model, dataset, 1000)]
    shares = [first.count(text) / len(first) for text in sources]
    assert sum(shares) == 1
    assert min(shares) > 0.3
    lengths = [len(tokenizer.encode(text)) for text in first]
    assert 1000 <= sum(lengths) < 1000 + max(lengths)


def test_without_a_split_to_learn_from_there_is_none(language_model, tmp_path):
    assert list(calibration_texts(language_model, write(tmp_path, []), 1000)) == []

"""What is lost, in the words of each measure, and past what it is refused."""

from __future__ import annotations

import pytest

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import BadInput, GateMissed
from aictl.core.events import silent
from aictl.inference.classifying import Classifier
from aictl.optimize.judged import Quality, quality, require_quality, told
from aictl.optimize.shrunken import QualitySpec


def test_perplexity_is_lost_relatively_and_accuracy_in_points():
    assert Quality("perplexity", 11.0, 5).lost_since(Quality("perplexity", 10.0, 5)) == pytest.approx(0.1)
    before, after = Quality("accuracy", 0.9, 5), Quality("accuracy", 0.85, 5)
    assert after.lost_since(before) == pytest.approx(0.05)
    assert told(before, after) == "accuracy 90.0% to 85.0% (-5.0 points)"
    require_quality(before, after, None, "")
    require_quality(before, after, 0.051, "")
    with pytest.raises(GateMissed, match="accuracy falls by 5.0 points, from 90.0% to 85.0%"):
        require_quality(before, after, 0.049, "")
    with pytest.raises(GateMissed):
        require_quality(before, Quality("accuracy", float("nan"), 5), 1.0, "")


def test_accuracy_is_the_share_of_right_answers_of_the_split_that_is_named(classifier, labelled):
    found = quality(classifier, labelled, QualitySpec(split="train", quality_documents=10), "measure", silent)
    documents = list(labelled.documents("train"))[:10]
    loaded = Classifier(classifier.folder)
    odds = loaded.classify([one["text"] for one in documents]).probabilities.argmax(axis=1)
    right = [loaded.classes[place] == one["label"] for place, one in zip(odds, documents, strict=True)]
    assert found == Quality("accuracy", sum(right) / 10, 10)


def test_a_split_that_is_not_there_is_nothing_to_measure_on(classifier, labelled, language_model, texts):
    for model, data in ((classifier, labelled), (language_model, texts)):
        with pytest.raises(BadInput, match="none"):
            quality(Checkpoint(model.folder), data, QualitySpec(split="none"), "measure", silent)

"""BLEU, chrF and ROUGE are those of their libraries, for a corpus and for documents drawn again."""

from __future__ import annotations

import numpy as np
import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from aictl.measure import overlap
from aictl.measure.resampling import value_of

WRITTEN = ["The cat sat on the mat.", "", "It is raining cats, and dogs!", "yes", "Ein Hund läuft über die Straße."]
REFERENCES = [
    "The cat is on the mat.",
    "Nothing at all",
    "It's raining cats and dogs.",
    "no",
    "Der Hund lief über die Straße.",
]


def again() -> tuple[np.ndarray, list[list[int]]]:
    picks = np.random.default_rng(0).integers(5, size=(6, 5))
    return np.stack([np.bincount(row, minlength=5) for row in picks]).astype(float), picks.tolist()


@pytest.mark.parametrize(
    ("measure", "library"),
    [(overlap.bleu, sacrebleu.corpus_bleu), (overlap.chrf, sacrebleu.corpus_chrf)],
    ids=["bleu", "chrf"],
)
def test_they_are_sacrebleus(measure, library):
    found = measure(WRITTEN, REFERENCES)
    assert value_of(found) == pytest.approx(library(WRITTEN, [REFERENCES]).score)
    weights, picks = again()
    wanted = [library([WRITTEN[at] for at in row], [[REFERENCES[at] for at in row]]).score for row in picks]
    assert found(weights) == pytest.approx(wanted)


def test_rouge_is_googles_where_that_knows_the_letters():
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])
    written, references = WRITTEN[:4], REFERENCES[:4]
    found = overlap.rouge(written, references)
    for name, measure in found.items():
        scores = [scorer.score(one, other)[name].fmeasure for one, other in zip(references, written, strict=True)]
        assert value_of(measure) == pytest.approx(np.mean(scores))


def test_rouge_knows_other_scripts():
    found = overlap.rouge(
        ["über die Straße", "我喜欢猫", "Привет мир"], ["Über die Straße", "我喜欢狗", "привет, мир!"]
    )
    assert value_of(found["rouge1"]) == pytest.approx((1 + 0.75 + 1) / 3)


def test_chrf_of_each_is_sacrebleus_of_sentences():
    wanted = [sacrebleu.sentence_chrf(one, [other]).score for one, other in zip(WRITTEN, REFERENCES, strict=True)]
    assert overlap.chrf_of_each(WRITTEN, REFERENCES) == pytest.approx(wanted, abs=0.01)

"""How much of a reference is found again in what a model wrote: ROUGE, BLEU and chrF.

BLEU and chrF (Popović 2015, WMT) are those of sacrebleu for a whole corpus, from 0 to 100. BLEU's counts and its
formula are sacrebleu's own; chrF is taken from counts of our own, because sacrebleu gives out only finished scores, of
which no resample can be made (tests hold the two together). ROUGE-1, -2 and -L (Lin 2004, ACL workshop) are the mean
F1 of documents by Google's rouge-score without stemming, from 0 to 1. rouge-score knows only the letters a to z; here
words are those of any script, and of Chinese and Japanese every character is one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU

from aictl.measure.resampling import Measure, Sums, mean

ROUGES = ("rouge1", "rouge2", "rougeL")
_ORDERS = 6  # of chrF's n-grams
_BETA = 2  # how much more recall counts in chrF than precision
_ALONE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_ALONE}]|[^\W_{_ALONE}]+")


class _Words:
    """Words in small letters, as rouge-score asks for them."""

    def tokenize(self, text: str) -> list[str]:
        return _WORD.findall(text.lower())


def rouge(written: Sequence[str], references: Sequence[str]) -> dict[str, Measure]:
    """``rouge1``, ``rouge2`` and ``rougeL``."""
    scorer = RougeScorer(list(ROUGES), tokenizer=_Words())
    scores = [scorer.score(reference, text) for text, reference in zip(written, references, strict=True)]
    return {name: mean([one[name].fmeasure for one in scores]) for name in ROUGES}


def bleu(written: Sequence[str], references: Sequence[str]) -> Sums:
    """Of the counts of each document's n-grams."""
    metric = BLEU(effective_order=True)  # of single sentences, whose counts alone are taken
    rows = []
    for text, reference in zip(written, references, strict=True):
        score = metric.sentence_score(text, [reference])
        rows.append([*score.counts, *score.totals, score.sys_len, score.ref_len])
    return Sums(np.array(rows, np.float64), _bleu)


def _bleu(sums: np.ndarray) -> np.ndarray:
    """As sacrebleu's ``corpus_score`` comes to it."""
    found = []
    for row in sums:
        *counts, of_written, of_references = (int(one) for one in row)
        score = BLEU.compute_bleu(counts[:4], counts[4:], of_written, of_references, smooth_method="exp")
        found.append(score.score)
    return np.array(found)


def chrf(written: Sequence[str], references: Sequence[str]) -> Sums:
    """Of the counts of each document's n-grams of characters."""
    return Sums(_counted(written, references), _chrf)


def _counted(written: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """n-grams of characters without spaces in what was written, in the reference, and in both, for each order:
    float64 (documents, 3 * orders)."""
    rows = []
    for text, reference in zip(written, references, strict=True):
        ours, theirs = _ngrams(text), _ngrams(reference)
        # An order that the reference is too short for counts on neither side.
        rows.append(
            [
                [one.total() if other else 0, other.total(), (one & other).total()]
                for one, other in zip(ours, theirs, strict=True)
            ]
        )
    return np.array(rows, np.float64).reshape(len(rows), -1)


def chrf_of_each(written: Sequence[str], references: Sequence[str]) -> list[float]:
    """chrF of each document by itself."""
    return [round(float(one), 2) for one in _chrf(_counted(written, references))]


def _chrf(sums: np.ndarray) -> np.ndarray:
    ours, theirs, both = np.moveaxis(sums.reshape(len(sums), _ORDERS, 3), 2, 0)
    there = (ours > 0) & (theirs > 0)
    orders = np.maximum(there.sum(axis=1), 1)
    precision = np.divide(both, ours, out=np.zeros_like(both), where=there).sum(axis=1) / orders
    recall = np.divide(both, theirs, out=np.zeros_like(both), where=there).sum(axis=1) / orders
    above, below = (1 + _BETA**2) * precision * recall, _BETA**2 * precision + recall
    return 100 * np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _ngrams(text: str) -> list[Counter[str]]:
    letters = "".join(text.split())
    return [
        Counter(letters[at : at + order] for at in range(len(letters) - order + 1)) for order in range(1, _ORDERS + 1)
    ]

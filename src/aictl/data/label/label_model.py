"""How far each function can be believed, told from where functions agree; no document's truth is needed.

The model is generative, as in Dawid and Skene (Applied Statistics 28:20-28, 1979), with the fewest numbers
that serve functions which mostly stay silent: for each function and each label v that it gives, the share
of the documents of v for which it says v, and the share of all others for which it does so wrongly. Silence
is evidence too. The classes' shares and these rates are estimated from a majority vote by one step of
expectation maximisation, and the labels' probabilities follow from them by Bayes' rule.

One step, and evidence that counts by its power of 0.7: both hold back what functions that share their
words would otherwise claim twice. Run to its end the same iteration drifts off on real votes, where
functions are never independent; docs/decisions/labelling.md has the figures.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from aictl.data.label.votes import Patterns

PRIOR_PRECISION = 0.75  # how often a function is right of which nothing is known
PRIOR_VOTES = 10.0  # that belief weighs as much as so many votes,
PRIOR_SHARE = 0.1  # and this share of the function's own
REVIEWED_VOTES = 10.0  # so many votes that people checked weigh as much as all agreement with other functions
POWER = 0.7
_TIES = 0.01  # of a vote, for every label: where nobody votes, all are alike
_LEAST, _MOST = 1e-6, 1 - 1e-6
_SILENCE = 1e-3  # the least probability of saying nothing
_DECIMALS = 9  # sums in another order differ later


class Fitted(NamedTuple):
    """``posterior`` float64 (patterns, labels), rows sum to 1; ``accuracy`` of each function's votes as the
    model believes it, float64 (functions,), NaN for one that never votes; ``shares`` of the classes."""

    posterior: np.ndarray
    accuracy: np.ndarray
    shares: np.ndarray


def majority(patterns: Patterns, labels: int) -> np.ndarray:
    """Each label's share of the votes, float64 (patterns, labels); all labels alike where there are none."""
    tally = np.stack([(patterns.votes == label).sum(axis=1) for label in range(labels)], axis=1) + _TIES
    return tally / tally.sum(axis=1, keepdims=True)


def fit(patterns: Patterns, labels: int) -> Fitted:
    """Weigh the functions. What people said of a pattern (``known``) is its label without doubt."""
    belief = _told(majority(patterns, labels), patterns.known)
    shares = _shares(belief, patterns)
    evidence = np.repeat(np.log(shares)[None], len(patterns.votes), axis=0)
    for column in patterns.votes.T:
        evidence += POWER * np.log(_rates(column, patterns, belief, shares))[column]
    posterior = _told(_normal(evidence), patterns.known)
    return Fitted(posterior, _accuracy(patterns, posterior), shares)


def _rates(column: np.ndarray, patterns: Patterns, belief: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """What one function says of the documents of each label: float64 (labels + 1, labels), a row for each
    label that it may say, and the last for its silence."""
    labels, documents = len(shares), patterns.counts.sum()
    rows = np.flatnonzero(column >= 0)
    said, counts = column[rows], patterns.counts[rows]
    fired = np.bincount(said, counts, labels)
    right = np.bincount(said, counts * belief[rows, said], labels)
    told = patterns.known[rows] >= 0
    reviewed = np.bincount(said[told], counts[told], labels)
    correct = np.bincount(said[told], counts[told] * (patterns.known[rows][told] == said[told]), labels)

    # What is believed beforehand is `extra` further votes, and the documents grow in proportion.
    extra = PRIOR_VOTES + PRIOR_SHARE * fired
    grown = documents * (fired + extra) / np.maximum(fired, 1)
    agreed = (right + extra * PRIOR_PRECISION) / (fired + extra)
    precision = (correct + REVIEWED_VOTES * agreed) / (reviewed + REVIEWED_VOTES)
    hits, misses = (fired + extra) * precision, (fired + extra) * (1 - precision)
    hit_rate = np.clip(hits / np.maximum(shares * grown, hits), _LEAST, _MOST)
    false_rate = np.clip(misses / np.maximum((1 - shares) * grown, misses), _LEAST, _MOST)

    table = np.repeat(false_rate[:, None], labels, axis=1)
    np.fill_diagonal(table, hit_rate)
    silence = np.clip(1 - table[fired > 0].sum(axis=0), _SILENCE, 1)
    return np.concatenate([table, silence[None]])


def _told(belief: np.ndarray, known: np.ndarray) -> np.ndarray:
    told = known >= 0
    belief = belief.copy()
    belief[told] = 0
    belief[told, known[told]] = 1
    return belief


def _shares(belief: np.ndarray, patterns: Patterns) -> np.ndarray:
    """The classes' shares: of all documents as far as they are believed, and as much again of those on
    which somebody voted."""
    voted = (patterns.counts * patterns.covered) @ belief + 1
    shares = patterns.counts @ belief + patterns.counts.sum() * voted / voted.sum()
    return shares / shares.sum()


def _normal(logarithms: np.ndarray) -> np.ndarray:
    values = np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
    return np.round(values / values.sum(axis=1, keepdims=True), _DECIMALS)


def _accuracy(patterns: Patterns, posterior: np.ndarray) -> np.ndarray:
    found = np.full(patterns.votes.shape[1], np.nan)
    for function, votes in enumerate(patterns.votes.T):
        rows = np.flatnonzero(votes >= 0)
        if len(rows):
            weight = patterns.counts[rows]
            found[function] = (weight * posterior[rows, votes[rows]]).sum() / weight.sum()
    return found

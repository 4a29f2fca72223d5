"""How sure a measure is: bootstrap intervals over documents, and whether two models really differ.

A document (a conversation, a picture, a pair) is drawn with replacement as often as there are documents, and the
measure is taken again of what was drawn. What a document says is never torn apart: its tokens depend on each other.
A resample is a weight for each document, how often it was drawn, so that one product of matrices takes a measure of
many resamples.

Intervals are percentiles of the resamples (Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13),
for most measures corrected for bias and acceleration (BCa: Efron 1987, "Better Bootstrap Confidence Intervals", JASA
82). docs/decisions/intervals.md shows how often each covers the truth, and so which measure gets which.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from statistics import NormalDist
from typing import NamedTuple, Protocol

import numpy as np

CORRECTED_DOCUMENTS = 10_000  # of more, what BCa corrects is less than what chance leaves, and takes long
_WEIGHTS = 2**22  # that are held at once: 32 MB
_ROWS = 64  # resamples that are weighed at once
_MOST_ACCELERATION = 0.1  # of one document that outweighs all: past 1/5 the correction of a 99.9% interval turns round
_NOTHING = 1e-12  # what rounding makes of two sums that are the same
_NORMAL = NormalDist()


class Measure(Protocol):
    """A number about a model on some documents."""

    @property
    def documents(self) -> int: ...

    @property
    def corrected(self) -> bool:
        """Whether its interval is BCa, and not of plain percentiles."""
        ...

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """The measure for each row of ``weights``, float64 (resamples, documents): how often each document counts.
        Where it is not defined it is NaN."""
        ...


class Sums:
    """A measure that is a function of sums over documents, as most are: ``of`` takes float64 (resamples, columns)
    sums of the columns of ``values`` (documents, columns) and gives (resamples,)."""

    def __init__(self, values: np.ndarray, of: Callable[[np.ndarray], np.ndarray], *, corrected: bool = True) -> None:
        self._values = np.asarray(values, np.float64)
        self._of = of
        self.corrected = corrected

    @property
    def documents(self) -> int:
        return len(self._values)

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return self._of(weights @ self._values)


def mean(values: Sequence[float] | np.ndarray) -> Sums:
    """The mean of one value a document."""
    column = np.asarray(values, np.float64)
    return ratio(column, np.ones_like(column))


def ratio(above: np.ndarray, below: np.ndarray, *, corrected: bool = True) -> Sums:
    """The sum of one value a document over the sum of another."""
    return Sums(np.stack([above, below], axis=1), lambda sums: sums[:, 0] / sums[:, 1], corrected=corrected)


class Interval(NamedTuple):
    """A measure with its confidence interval; no interval where there is one document, or nothing varies."""

    value: float
    low: float | None
    high: float | None


class Difference(NamedTuple):
    """How much larger one model's measure is than another's on the same documents, with its interval, and how likely
    a difference at least as large would be if there were none, two-sided. ``is_real`` is that the interval leaves
    out 0."""

    value: float
    low: float | None
    high: float | None
    p_value: float

    @property
    def is_real(self) -> bool:
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def value_of(measure: Measure) -> float:
    """The measure of all documents, each counted once."""
    return float(measure(np.ones((1, measure.documents)))[0])


def intervals(
    measures: Mapping[str, Measure], *, seed: int, resamples: int, confidence: float, told: Callable[[int], None]
) -> dict[str, Interval]:
    """The measures of the same documents with their intervals; ``told`` hears how many resamples are done."""
    drawn = _drawn(measures, seed, resamples, told)
    found = {}
    for name, measure in measures.items():
        value = value_of(measure)
        shape = _shape(value, drawn[name], partial(_left_out, measure) if _is_corrected(measure) else None)
        found[name] = Interval(value, *_ends(shape, confidence))
    return found


def differences(
    ones: Mapping[str, Measure],
    others: Mapping[str, Measure],
    *,
    seed: int,
    resamples: int,
    confidence: float,
    told: Callable[[int], None],
) -> dict[str, Difference]:
    """One model's measures less another's, of the same documents, drawn for both alike (paired bootstrap; Koehn 2004,
    "Statistical Significance Tests for Machine Translation Evaluation", EMNLP). The p-value is that of the interval:
    the smallest 1 - confidence at which it would leave out 0."""
    pairs = {name: _Pair(measure, others[name]) for name, measure in ones.items() if name in others}
    drawn = _drawn(pairs, seed, resamples, told)
    found = {}
    for name, pair in pairs.items():
        value = value_of(pair)
        shape = _shape(value, drawn[name], partial(_left_out, pair) if _is_corrected(pair) else None)
        if shape is None:
            found[name] = _everywhere(value, pair.documents, confidence)
        else:
            found[name] = Difference(value, *_ends(shape, confidence), _p_value(shape))
    return found


def _everywhere(value: float, documents: int, confidence: float) -> Difference:
    """A difference that is the same in every resample: none at all, or one that every document shares, of which the
    sign test says how likely that is by chance."""
    if not math.isfinite(value) or abs(value) <= _NOTHING:
        return Difference(value, None, None, 1.0)
    p_value = min(1.0, 2.0 * 0.5**documents)
    is_real = p_value < 1 - confidence
    return Difference(value, value if is_real else None, value if is_real else None, p_value)


class _Pair:
    """One model's measure less another's."""

    def __init__(self, one: Measure, other: Measure) -> None:
        self._one, self._other = one, other
        self.documents = _documents([one, other])
        self.corrected = one.corrected

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        return self._one(weights) - self._other(weights)


def mcnemar(one_right: np.ndarray, other_right: np.ndarray) -> float:
    """How likely it is, two-sided, that of the documents that only one of two models has right one has at least as
    large a share, if neither is better: the exact test of McNemar (1947, Psychometrika 12), a binomial one."""
    only_one = int(np.sum(one_right & ~other_right))
    only_other = int(np.sum(~one_right & other_right))
    number, fewer = only_one + only_other, min(only_one, only_other)
    if number == 0:
        return 1.0
    logs = [
        math.lgamma(number + 1) - math.lgamma(k + 1) - math.lgamma(number - k + 1) - number * math.log(2)
        for k in range(fewer + 1)
    ]
    return min(1.0, 2 * math.fsum(map(math.exp, logs)))


def all_alike(number: int, confidence: float) -> float:
    """The largest share that may yet be otherwise where ``number`` documents are all alike, of which a bootstrap knows
    nothing: one end of the exact binomial interval (Clopper & Pearson 1934, Biometrika 26)."""
    return 1 - ((1 - confidence) / 2) ** (1 / number)


class _Shape(NamedTuple):
    """A bootstrap distribution in order, with what BCa corrects."""

    drawn: np.ndarray
    bias: float
    acceleration: float


def _documents(measures: Iterable[Measure]) -> int:
    """How many documents all of them are of."""
    numbers = {one.documents for one in measures}
    if len(numbers) != 1:
        raise ValueError(f"measures of {sorted(numbers)} documents are not of the same ones")
    return numbers.pop()


def _drawn(
    measures: Mapping[str, Measure], seed: int, resamples: int, told: Callable[[int], None]
) -> dict[str, np.ndarray]:
    """Each measure of every resample."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in measures}
    done = 0
    for weights in _weights(_documents(measures.values()), resamples, seed) if measures else ():
        for name, measure in measures.items():
            parts[name].append(measure(weights))
        done += len(weights)
        told(done)
    return {name: np.concatenate(found) for name, found in parts.items()}


def _weights(documents: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each document is drawn, float64 (some resamples, documents); the same for the same seed."""
    random = np.random.default_rng(seed)
    at_once = _rows(documents)
    for begin in range(0, resamples, at_once):
        rows = min(at_once, resamples - begin)
        picks = random.integers(documents, size=(rows, documents)) + documents * np.arange(rows)[:, None]
        counts = np.bincount(picks.ravel(), minlength=rows * documents)
        yield counts.reshape(rows, documents).astype(np.float64)


def _is_corrected(measure: Measure) -> bool:
    return measure.corrected and measure.documents <= CORRECTED_DOCUMENTS


def _rows(documents: int) -> int:
    """How many resamples of so many documents are weighed at once."""
    return max(1, min(_ROWS, _WEIGHTS // documents))


def _left_out(measure: Measure) -> np.ndarray:
    """The measure without each of the documents."""
    parts = []
    at_once = _rows(measure.documents)
    for begin in range(0, measure.documents, at_once):
        rows = min(at_once, measure.documents - begin)
        weights = np.ones((rows, measure.documents))
        weights[np.arange(rows), begin + np.arange(rows)] = 0
        parts.append(measure(weights))
    return np.concatenate(parts)


def _shape(value: float, drawn: np.ndarray, left_out: Callable[[], np.ndarray] | None) -> _Shape | None:
    """None where nothing can be said: everything drawn is the same, or the measure is not defined. Without what
    remains when each document is ``left_out``, nothing is corrected."""
    drawn = np.sort(drawn[np.isfinite(drawn)])
    if not math.isfinite(value) or len(drawn) < 2 or drawn[-1] - drawn[0] <= _NOTHING * max(1.0, abs(value)):
        return None
    if left_out is None:
        return _Shape(drawn, 0.0, 0.0)
    without = left_out()
    without = without[np.isfinite(without)]
    apart = without.mean() - without
    spread = float((apart**2).sum())
    acceleration = float((apart**3).sum() / (6 * spread**1.5)) if spread > 0 else 0.0
    acceleration = min(max(acceleration, -_MOST_ACCELERATION), _MOST_ACCELERATION)
    return _Shape(drawn, _NORMAL.inv_cdf(_share_below(drawn, value)), acceleration)


def _share_below(drawn: np.ndarray, value: float) -> float:
    """The share of what was drawn that lies below a value, a tie as half; never 0 or 1 (Davison & Hinkley 1997,
    "Bootstrap Methods and their Application", count one more)."""
    below = np.searchsorted(drawn, value, "left")
    ties = np.searchsorted(drawn, value, "right") - below
    return float((below + ties / 2 + 0.5) / (len(drawn) + 1))


def _ends(shape: _Shape | None, confidence: float) -> tuple[float | None, float | None]:
    if shape is None:
        return None, None
    tail = (1 - confidence) / 2
    shares = []
    for share in (tail, 1 - tail):
        moved = shape.bias + _NORMAL.inv_cdf(share)
        shares.append(_NORMAL.cdf(shape.bias + moved / (1 - shape.acceleration * moved)))
    low, high = np.quantile(shape.drawn, shares)
    return float(low), float(high)


def _p_value(shape: _Shape) -> float:
    """The level at which an end of the interval would be 0: the formula of its ends, solved for the level."""
    moved = _NORMAL.inv_cdf(_share_below(shape.drawn, 0.0)) - shape.bias
    share = _NORMAL.cdf(moved / (1 + shape.acceleration * moved) - shape.bias)
    # So many resamples know of nothing that is rarer than one of them.
    return min(1.0, max(2 * min(share, 1 - share), 1 / (len(shape.drawn) + 1)))

"""How far people agree beyond what chance would bring: Cohen's kappa of two, Fleiss' kappa of more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any


def cohen(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Kappa of two annotators, from what each said of the same documents.

    kappa = (p_o - p_e) / (1 - p_e): p_o is the share of documents on which they agree, p_e the share
    they would agree on if each kept to how often he uses each label and drew blindly (J. Cohen,
    Educational and Psychological Measurement 20:37-46, 1960). None without documents, and where both use
    one same label throughout, so that chance alone explains everything.
    """
    if not pairs:
        return None
    number = len(pairs)
    observed = sum(one == other for one, other in pairs) / number
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    expected = sum(first[label] * second[label] for label in first) / number**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def fleiss(rows: Sequence[Sequence[str]]) -> float | None:
    """Kappa of n annotators, from the n labels that each document was given.

    kappa = (P - P_e) / (1 - P_e): P is the mean over documents of the share of pairs of annotators that
    agree, P_e the sum of the squares of all labels' shares (J. L. Fleiss, Psychological Bulletin
    76:378-382, 1971). None without documents, or where only one label is ever used. Raises ``ValueError``
    where the documents have different numbers of labels, or fewer than two.
    """
    if not rows:
        return None
    raters = len(rows[0])
    if raters < 2 or any(len(row) != raters for row in rows):
        raise ValueError("every document needs the same number of labels, at least two")
    total: Counter[str] = Counter()
    agreement = 0.0
    for row in rows:
        counts = Counter(row)
        total.update(counts)
        agreement += sum(count * (count - 1) for count in counts.values()) / (raters * (raters - 1))
    observed = agreement / len(rows)
    expected = sum((count / (len(rows) * raters)) ** 2 for count in total.values())
    return None if expected == 1 else (observed - expected) / (1 - expected)


def between(labels: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Agreement in ``{document: {annotator: label}}``: each two annotators on what both labelled, and all
    of them, where they are more than two, on what everybody labelled."""
    annotators = sorted({one for said in labels.values() for one in said})
    found: dict[str, Any] = {"cohen": [], "fleiss": None}
    for first, second in combinations(annotators, 2):
        pairs = [(said[first], said[second]) for said in labels.values() if first in said and second in said]
        kappa = cohen(pairs)
        found["cohen"].append({"annotators": [first, second], "documents": len(pairs), "kappa": _rounded(kappa)})
    if len(annotators) > 2:
        rows = [[said[one] for one in annotators] for said in labels.values() if len(said) == len(annotators)]
        found["fleiss"] = {"annotators": annotators, "documents": len(rows), "kappa": _rounded(fleiss(rows))}
    return found


def _rounded(kappa: float | None) -> float | None:
    return None if kappa is None else round(kappa, 4)

"""Kappas against worked examples and against each other."""

from __future__ import annotations

import pytest

from aictl.data.label.agreement import between, cohen, fleiss


def test_cohen_of_a_worked_table():
    """Two readers, yes and no: 20 both yes, 5 and 10 mixed, 15 both no; p_o = 0.7, p_e = 0.5, kappa = 0.4."""
    pairs = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15
    assert cohen(pairs) == pytest.approx(0.4)


# Ten subjects, fourteen raters, five categories: the counts of the worked example by which the measure is
# usually explained; kappa = 0.210 (https://en.wikipedia.org/wiki/Fleiss%27_kappa).
FOURTEEN = [
    (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
]  # fmt: skip


def test_fleiss_of_a_worked_table():
    rows = [[str(label) for label, count in enumerate(row) for _ in range(count)] for row in FOURTEEN]
    assert fleiss(rows) == pytest.approx(0.210, abs=5e-4)


def test_no_agreement_beyond_chance_is_zero_and_opposition_is_below():
    assert cohen([("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")]) == 0
    assert cohen([("a", "b"), ("b", "a")]) == -1
    assert fleiss([["a", "b"], ["b", "a"]]) == -1


def test_where_chance_explains_everything_there_is_no_kappa():
    assert cohen([("a", "a")] * 5) is None and fleiss([["a", "a", "a"]] * 5) is None
    assert cohen([]) is None and fleiss([]) is None


def test_fleiss_needs_as_many_labels_everywhere():
    for rows in ([["a", "a"], ["a", "b", "b"]], [["a"]]):
        with pytest.raises(ValueError, match="same number of labels"):
            fleiss(rows)


def test_between_people_who_labelled_different_documents():
    said = {
        "1": {"ann": "a", "bob": "a", "cyd": "a"},
        "2": {"ann": "b", "bob": "b", "cyd": "a"},
        "3": {"ann": "a", "bob": "b"},
        "4": {"cyd": "b"},
    }
    found = between(said)
    pairs = {tuple(row["annotators"]): (row["documents"], row["kappa"]) for row in found["cohen"]}
    assert pairs == {("ann", "bob"): (3, 0.4), ("ann", "cyd"): (2, 0.0), ("bob", "cyd"): (2, 0.0)}
    rows = [["a", "a", "a"], ["b", "b", "a"]]
    assert found["fleiss"] == {
        "annotators": ["ann", "bob", "cyd"], "documents": 2, "kappa": round(fleiss(rows), 4)
    }  # fmt: skip
    assert between({"1": {"ann": "a", "bob": "a"}})["fleiss"] is None

"""The page says what the evaluation does, and nothing that stands in a dataset can break out of it."""

from __future__ import annotations

import json

from tests.pages.test_markup import HOSTILE as SEVERAL
from tests.pages.test_markup import Reader

from aictl.artifacts.evaluation import Evaluation, verdict
from aictl.evaluate.page import charts
from aictl.evaluate.page.page import page

HOSTILE = " ".join(SEVERAL)


def measure(name: str, value: float, *, lower: bool, difference=None, other=None) -> dict:
    return {
        "name": name,
        "value": value,
        "low": value - 0.1,
        "high": value + 0.1,
        "lower_is_better": lower,
        "other": other,
        "difference": difference,
    }


def apart(value: float, low: float, high: float) -> dict:
    return {"value": value, "low": low, "high": high, "p_value": 0.01, "is_real": low > 0 or high < 0}


FACTS = {
    "model": {"label": HOSTILE, "kind": "checkpoint", "id": None},
    "compared": {"label": HOSTILE, "kind": "checkpoint", "id": None},
    "dataset": {"label": HOSTILE, "kind": "dataset", "id": None},
    "task": "text classifier",
    "split": "validation",
    "documents": 2,
    "of": 5,
    "left_out": 0,
    "seed": 0,
    "resamples": 200,
    "confidence": 0.95,
    "measures": [
        measure("accuracy", 0.5, lower=False, difference=apart(0.2, 0.1, 0.3), other=0.3),
        measure("log_loss", 0.7, lower=True, difference=apart(0.2, 0.1, 0.3), other=0.5),
        measure("brier", 0.7, lower=True, difference=apart(0.2, -0.1, 0.3), other=0.5),
        measure("macro_f1", 0.7, lower=False, difference=None, other=0.5),
    ],
    "gates": [{"gate": HOSTILE, "name": "accuracy", "value": 0.5, "bound": 0.9, "passed": False}],
    "details": {
        "classes": [
            {"name": HOSTILE, "documents": 1, "predicted": 2, "precision": 0.5, "recall": 1.0, "f1": 2 / 3},
            {"name": "b", "documents": 1, "predicted": 0, "precision": None, "recall": 0.0, "f1": 0.0},
        ],
        "confusions": [
            {"true": HOSTILE, "predicted": HOSTILE, "documents": 1},
            {"true": "b", "predicted": HOSTILE, "documents": 1},
        ],
        "bands": [
            {"low": 0.5, "high": 1.0, "documents": 2, "confidence": 0.9, "accuracy": 0.5},
            {"low": 0.0, "high": 0.5, "documents": 0, "confidence": None, "accuracy": None},
        ],
    },
    "notes": [HOSTILE],
}
ROW = {"number": 0, "source": HOSTILE, "text": HOSTILE, "predicted": HOSTILE, "probability": 0.9}
ROWS = [{**ROW, "label": HOSTILE, "right": True}, {**ROW, "number": 1, "label": "b", "right": False}]


def test_nothing_breaks_out_and_everything_is_said(write_dataset):
    dataset = write_dataset("d", "text", {"validation": [{"text": "a", "source": "t"}] * 2})
    text = page(FACTS, [ROWS, ROWS], dataset)
    found = Reader(text)
    assert not found.opened
    assert not {"script", "iframe", "img", "link", "object"} & {tag for tag, _ in found.elements}
    assert "".join(found.text).count("<script>alert(1)</script>") > 10
    for part in ("measures", "comparison", "classes", "confusions", "calibration", "worst"):
        assert f'<section id="{part}">' in text
    assert text == page(FACTS, [ROWS, ROWS], dataset)


def test_pages_of_other_tasks(write_dataset):
    dataset = write_dataset("d", "text", {"validation": [{"text": "a", "source": "t"}] * 2})
    alone = {**FACTS, "compared": None, "details": {}}
    base = {"number": 0, "source": None, "input": HOSTILE}
    language = page(alone, [[{**base, "loss": 3.0, "bytes": 4, "tokens": 2, "right": 1}]], dataset)
    written = page(alone, [[{**base, "reference": HOSTILE, "output": "x", "chrf": 3.0}]], dataset)
    found = page(alone, [[{**base, "output": HOSTILE, "found": "y", "rank": 9}]], dataset)
    assert "1.08 bits per byte" in language
    assert "chrF 3.0" in written
    assert "found at rank 9" in found


def test_a_verdict_knows_what_is_better():
    assert [verdict(one) for one in FACTS["measures"]] == ["better", "worse", "no real difference", "not comparable"]


def test_an_evaluation_is_shown_and_exits_with_1(tmp_path):
    Evaluation.write(tmp_path, FACTS)
    made = Evaluation(tmp_path)
    assert made.exit_code == 1
    answer = made.answer()
    assert answer.table.rows[0][:6] == ["accuracy", 0.5, 0.4, 0.6, 0.3, 0.2]
    assert answer.sections[0].content.rows[0][-1] == "better"
    assert json.loads((tmp_path / "evaluation.json").read_text()) == FACTS


def test_a_histogram_counts_every_value_and_keeps_one_far_off_from_hiding_the_rest():
    drawn = charts.histogram([*[0.1 * at for at in range(200)], 10**6], "x", "x")
    numbers = [int(part.split(" documents")[0].split(": ")[-1]) for part in drawn.split("<title>")[1:]]
    assert sum(numbers) == 201
    assert max(numbers) < 20
    assert "<svg" in charts.histogram([3.0, 3.0], "x", "x")

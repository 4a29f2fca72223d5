"""A page about an evaluation: its measures, where they come from, and the documents that went worst."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from aictl.artifacts.dataset import Dataset
from aictl.artifacts.evaluation import interval, number, verdict
from aictl.evaluate.page import charts
from aictl.evaluate.page.documents import worst
from aictl.judging.task import Row
from aictl.pages.charts import Bar, bars
from aictl.pages.markup import Child, Markup, document, element, joined, style
from aictl.pages.pieces import Part, counted, named, paragraph, section, table, with_article

Facts = Mapping[str, Any]

MATRIX_CLASSES = 25  # that a matrix of confusions is drawn of; of more, the most frequent confusions are listed
_LISTED = 12
_FIRST = 5  # measures that stand at the head
_STYLE = """
.lost-cell { fill: var(--lost); } .promised { fill: var(--mark); stroke: var(--card); stroke-width: 1.5; }
.shots { display: grid; grid-template-columns: repeat(auto-fill, minmax(230px, 1fr)); gap: 0 12px; }
.better, .passed { color: var(--p2); font-weight: 600; } .worse, .missed { color: var(--lost); font-weight: 600; }
"""


def page(facts: Facts, rows: Sequence[Sequence[Row]], dataset: Dataset | None) -> Markup:
    """``facts`` are those of the evaluation, ``rows`` what each model came to on each document."""
    found = [
        _measures(facts),
        _comparison(facts, rows),
        _classes(facts["details"]),
        _confusions(facts["details"]),
        _calibration(facts["details"]),
        _spread(rows[0]),
        worst(rows[0], dataset, facts["split"]),
    ]
    parts = [part for part in found if part]
    nav = element(
        "nav",
        element("div", [element("a", part.title, href=f"#{part.name}") for part in parts]),
        aria_label="sections",
    )
    made = (
        f"aictl evaluate, seed {facts['seed']}, {facts['resamples']:,} resamples. "
        "Nothing on this page is loaded from elsewhere."
    )
    title = f"{facts['model']['label']} · evaluation"
    body = element("main", joined(map(section, parts)))
    return document(title, style() + _STYLE, _header(facts), nav, body, element("footer", made))


def _header(facts: Facts) -> Markup:
    some = counted(facts["documents"], "document")
    if facts["documents"] < facts["of"]:
        some += f" of {facts['of']:,}, drawn at random,"
    against = [" Compared with ", named(facts["compared"]["label"]), "."] if facts["compared"] else []
    where = [" of dataset ", named(facts["dataset"]["label"]), f", split {facts['split']}."]
    lede = element("p", some, where, against, class_="lede")
    cells = [
        element(
            "div",
            element("dt", one["name"]),
            element("dd", number(one["value"]), element("small", interval(one["low"], one["high"]))),
        )
        for one in facts["measures"][:_FIRST]
    ]
    return element(
        "header",
        element("p", f"Evaluation of {with_article(facts['task'])}", class_="eyebrow"),
        element("h1", named(facts["model"]["label"])),
        lede,
        element("dl", cells, class_="facts"),
        _gates(facts["gates"]),
    )


def _gates(gates: Sequence[Mapping[str, Any]]) -> Markup | None:
    if not gates:
        return None
    rows: list[list[Child]] = []
    for one in gates:
        word = "passed" if one["passed"] else "missed"
        rows.append([element("span", word, class_=word), named(one["gate"]), number(one["value"])])
    return joined([element("h3", "Gates"), table(["", "asked for", "value"], rows)])


def _measures(facts: Facts) -> Part:
    sure = f"{100 * facts['confidence']:g}%"
    columns = ["measure", "value", f"{sure} interval", "better is"]
    rows: list[list[Child]] = [
        [
            one["name"],
            number(one["value"]),
            interval(one["low"], one["high"]),
            "less" if one["lower_is_better"] else "more",
        ]
        for one in facts["measures"]
    ]
    said = paragraph(
        f"Were as many other documents drawn again and again, {sure} of such intervals would hold the truth. They say "
        "nothing of documents of another kind."
    )
    return Part("measures", "Measures", [said, table(columns, rows, "figures"), *map(paragraph, facts["notes"])])


def _comparison(facts: Facts, rows: Sequence[Sequence[Row]]) -> Part | None:
    if not facts["compared"]:
        return None
    columns = ["measure", "this model", "the other", "difference", "its interval", "p", ""]
    cells: list[list[Child]] = []
    reaches = []
    for one in facts["measures"]:
        apart, word = one["difference"] or {}, verdict(one)
        cells.append(
            [
                one["name"],
                number(one["value"]),
                number(one["other"]),
                number(apart.get("value")),
                interval(apart.get("low"), apart.get("high")),
                number(apart.get("p_value")),
                element("span", word, class_=word if word in ("better", "worse") else "quiet"),
            ]
        )
        if apart and apart["low"] is not None:
            reaches.append(charts.Reach(one["name"], apart["value"], apart["low"], apart["high"], word))
    children: list[Child] = [
        paragraph(
            "Both were measured on the same documents. A difference is real where its interval leaves out 0; of twenty "
            "measures that do not differ, one will seem to."
        ),
        table(columns, cells, "figures"),
    ]
    if reaches:
        children.append(charts.differences(reaches, "differences with their intervals"))
        children.append(paragraph("Each row has a scale of its own; the dashed line is no difference."))
    if "right" in rows[0][0] and "label" in rows[0][0]:
        children.append(paragraph(*_only_one(rows, facts)))
    return Part("comparison", "Comparison", children)


def _only_one(rows: Sequence[Sequence[Row]], facts: Facts) -> list[Child]:
    pairs = [(one["right"], other["right"]) for one, other in zip(*rows, strict=True)]
    only_this, only_other = pairs.count((True, False)), pairs.count((False, True))
    p = next((one["difference"].get("mcnemar_p_value") for one in facts["measures"] if one["name"] == "accuracy"), None)
    test = f" McNemar's exact test: p = {number(p)}." if p is not None else ""
    return [
        f"Right by this model alone: {counted(only_this, 'document')}; by ",
        named(facts["compared"]["label"]),
        f" alone: {counted(only_other, 'document')}.{test}",
    ]


def _classes(details: Facts) -> Part | None:
    classes = sorted(details.get("classes", ()), key=lambda one: -one["documents"])
    if not classes:
        return None
    shown = [Bar(one["name"], round(1000 * (one["f1"] or 0)), f"F1 {number(one['f1'] or 0.0)}") for one in classes]
    rows: list[list[Child]] = [
        [
            named(one["name"]),
            f"{one['documents']:,}",
            f"{one['predicted']:,}",
            number(one["precision"]),
            number(one["recall"]),
            number(one["f1"]),
        ]
        for one in classes
    ]
    return Part(
        "classes",
        "Classes",
        [
            bars(shown[:MATRIX_CLASSES], "F1 by class"),
            table(["class", "documents", "predicted", "precision", "recall", "F1"], rows, "figures"),
        ],
    )


def _confusions(details: Facts) -> Part | None:
    rows = details.get("confusions")
    if not rows:
        return None
    wrong = sorted((one for one in rows if one["true"] != one["predicted"]), key=lambda one: -one["documents"])
    children: list[Child] = []
    names = [one["name"] for one in details["classes"]]
    if len(names) <= MATRIX_CLASSES:
        counts = {(one["true"], one["predicted"]): one["documents"] for one in rows}
        children += [
            paragraph("Rows are true classes, columns predicted ones; the stronger a colour, the more of its row."),
            charts.matrix(names, counts, "confusions of classes"),
        ]
    if wrong:
        children.append(element("h3", "Most frequent"))
        cells: list[list[Child]] = [
            [f"{one['documents']:,}", named(one["true"]), named(one["predicted"])] for one in wrong[:_LISTED]
        ]
        children.append(table(["documents", "true class", "taken for"], cells))
    return Part("confusions", "Confusions", children or [paragraph("None: every document is right.")])


def _calibration(details: Facts) -> Part | None:
    if "bands" not in details:
        return None
    said = paragraph(
        "What the probabilities are worth: of the documents that are given a class with a probability of 0.8, eight in "
        "ten should be right. Bars below the dashed line promise too much."
    )
    return Part("calibration", "Calibration", [said, charts.reliability(details["bands"], "reliability diagram")])


def _spread(rows: Sequence[Row]) -> Part | None:
    """How the documents differ from each other."""
    if "loss" in rows[0]:
        values = [row["loss"] / math.log(2) / row["bytes"] for row in rows if row["bytes"]]
        return Part("spread", "By document", [charts.histogram(values, "bits per byte", "bits per byte by document")])
    if "rank" in rows[0]:
        values = [math.log10(row["rank"]) for row in rows]
        label = "log10 of the rank of what belongs to a query"
        return Part("spread", "By document", [charts.histogram(values, label, label)])
    if "chrf" in rows[0]:
        chart = charts.histogram([row["chrf"] for row in rows], "chrF of a document", "chrF by document")
        return Part("spread", "By document", [chart])
    return None

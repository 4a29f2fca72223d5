"""Writes docs/benchmarks/planner.md: the planner beside everything that was published of runs like its plans."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from pathlib import Path

from aictl.planning.constants import PROVENANCE, SHIPPED
from tests.bench import planner, planner_serving

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "planner.md"
HEAD = """# The planner against published runs

Written by `python -m tests.bench planner`, which `make bench` runs too; nothing here is typed. `aictl hw plan`
is arithmetic over figures that others published, so what it says of scales that no machine here has is worth as
much as the tables below. [How it works and what it leaves out](../decisions/planner.md).

Errors are of the time: above 0 the planner is slower than the publication. Where a publication leaves a part of
the layout open, the planner chose it. **No row of the first table set a constant**; what did stands
[below](#what-calibrated-what), with its own rows.
"""


def write() -> None:
    """Write the page."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), "utf-8")


def page() -> str:
    """The page, worked out now."""
    lines = [HEAD, "## Training runs that it is judged by\n", *_judged()]
    lines += ["## Training in fp8, which calibrated nothing\n", *_fp8()]
    lines += ["## Training runs that are not counted, and why\n", *_reported()]
    lines += ["## Serving and memory\n", *_others()]
    lines += ["## What calibrated what\n", *_constants(), *_calibration()]
    return "\n".join(lines).rstrip("\n") + "\n"


def _summary(errors: Iterable[float]) -> str:
    found = planner.agreement(list(errors))
    mean = f"mean {100 * found.mean:+.1f}%"
    return f"**{found.rows} rows: median error {found.median:.1%}, worst {found.worst:.1%}**, {mean}."


def _judged() -> Iterator[str]:
    rows = [planner.predict(row) for row in planner.training_rows("judge")]
    yield _summary(row.error for row in rows) + " The goal is a median of at most 15% and none above 35%.\n"
    sources = list(dict.fromkeys(one.row["source"] for one in rows))
    yield "| run | accelerators | measure | published | planned | error | layout | source |"
    yield "|---|---|---|---|---|---|---|---|"
    for one in rows:
        yield _line(one, sources.index(one.row["source"]) + 1)
    yield ""
    yield "Layouts: ranks in data, tensor, pipeline and context parallel, stages a rank (v), ZeRO's stage (z),"
    yield "microbatch (b), recomputation. Sources:\n"
    yield from (f"{number}. {source}" for number, source in enumerate(sources, 1))
    yield ""


def _fp8() -> Iterator[str]:
    rows = [planner.predict(row) for row in planner.fp8_rows()]
    yield _summary(row.error for row in rows) + f" {rows[0].row['source']}.\n"
    yield "| run | accelerators | measure | published | planned | error | layout | source |"
    yield "|---|---|---|---|---|---|---|---|"
    yield from (_line(one, "as said") for one in rows)
    yield ""


def _line(one: planner.Prediction, source: int | str) -> str:
    row, layout = one.row, one.layout
    words = [
        f"{name}{value}"
        for name, value in (
            ("d", layout.data_parallel),
            ("t", layout.tensor_parallel),
            ("p", layout.pipeline_parallel),
            ("c", layout.context_parallel),
            ("v", layout.interleave),
            ("z", layout.sharding),
        )
        if value > 1 or (name == "z" and value)
    ]
    shown = f"{' '.join(words)} b{layout.microbatch} {layout.recompute}"
    what = f"{row['id']} | {row['count']} x {row['accelerator']} | {row['metric'].replace('_', ' ')}"
    figures = f"{_number(row['value'])} | {_number(one.value)} | {100 * one.error:+.1f}%"
    return f"| {what} | {figures} | {shown} | {source} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _sources(sources: Iterable[str]) -> Iterator[str]:
    yield "Sources: " + "; ".join(dict.fromkeys(sources)) + ".\n"


def _reported() -> Iterator[str]:
    yield "| run | measure | published | planned | error | why it is not counted |"
    yield "|---|---|---|---|---|---|"
    for row in planner.training_rows("report"):
        one = planner.predict(row)
        yield (
            f"| {row['id']} | {row['metric'].replace('_', ' ')} | {_number(row['value'])} | {_number(one.value)} "
            f"| {100 * one.error:+.1f}% | {row['excluded']} |"
        )
    yield ""


def _others() -> Iterator[str]:
    for title, table in planner_serving.TABLES.items():
        rows = list(table())
        counted = [row.error for row in rows if not row.calibrates]
        yield f"### {title}\n"
        yield _summary(counted) + "\n"
        yield "| what | published | planned | error |"
        yield "|---|---|---|---|"
        for row in rows:
            mark = " (calibrates)" if row.calibrates else ""
            yield f"| {row.what}{mark} | {_number(row.published)} | {_number(row.planned)} | {100 * row.error:+.1f}% |"
        yield ""
        yield from _sources(row.source for row in rows)


def _constants() -> Iterator[str]:
    yield "| constant | value | how | what it is | from |"
    yield "|---|---|---|---|---|"
    for name, about in PROVENANCE.items():
        yield f"| `{name}` | {getattr(SHIPPED, name):g} | {about.how} | {about.what} | {about.source} |"
    yield ""


def _calibration() -> Iterator[str]:
    yield "The calibrating rows, as the constants fit them:\n"
    yield "| rows | number | median error | worst |"
    yield "|---|---|---|---|"
    tables = {"llm-foundry MPT": planner.mpt_rows(), "MaxText": planner.maxtext_rows()}
    for title, rows in tables.items():
        by_chip: dict[str, list[float]] = {}
        for row in rows:
            by_chip.setdefault(row["accelerator"], []).append(abs(planner.predict(row).error))
        for chip, errors in by_chip.items():
            yield f"| {title}, {chip} | {len(errors)} | {statistics.median(errors):.1%} | {max(errors):.1%} |"

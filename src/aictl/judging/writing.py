"""What was written, held against references."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from aictl.judging.task import Row
from aictl.measure.resampling import Measure

OFFERS: Mapping[str, Sequence[str]] = {
    "rouge": ("rouge1", "rouge2", "rougeL"),
    "bleu": ("bleu",),
    "chrf": ("chrf",),
}


def measures(rows: Sequence[Row], wanted: Sequence[str]) -> dict[str, Measure]:
    """Those of ``wanted`` that are about what was written."""
    asked = [name for name, names in OFFERS.items() if set(names) & set(wanted)]
    if not asked:
        return {}
    from aictl.measure import overlap  # here, since its libraries take a second to import

    written, references = [row["output"] for row in rows], [row["reference"] for row in rows]
    ways: Mapping[str, Callable[[], dict[str, Measure]]] = {
        "rouge": lambda: overlap.rouge(written, references),
        "bleu": lambda: {"bleu": overlap.bleu(written, references)},
        "chrf": lambda: {"chrf": overlap.chrf(written, references)},
    }
    return {name: measure for one in asked for name, measure in ways[one]().items()}


def finished(rows: list[Row]) -> list[Row]:
    """Rows with how near each text is to its reference, so that the worst can be looked at."""
    from aictl.measure import overlap

    near = overlap.chrf_of_each([row["output"] for row in rows], [row["reference"] for row in rows])
    return [{**row, "chrf": one} for row, one in zip(rows, near, strict=True)]

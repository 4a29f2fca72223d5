"""Does the graph of a network that answers in one pass say what it should? Compared on real inputs, each alone and as
many as can be in one batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aictl.core.events import Events
from aictl.export.loaded import Loaded
from aictl.export.parity import Parity
from aictl.export.samples import Samples

Outputs = dict[str, np.ndarray]  # by name


def references(graph: Loaded, samples: Samples) -> tuple[list[Outputs], list[Outputs]]:
    """What a graph gives itself for each input alone, and for each of the batch without its padding. Where it rounds
    what flows through it by the largest number of a batch, the two are not alike."""
    names = [one.name for one in graph.get_outputs()]
    alone = [dict(zip(names, graph.run(names, inputs), strict=True)) for inputs in samples.alone]
    together = graph.run(names, samples.batch)
    return alone, [_inner(_row(names, together, row), alone[row]) for row in range(len(together[0]))]


def compare(
    graph: Loaded,
    samples: Samples,
    wanted: Sequence[Outputs],
    parity: Parity,
    events: Events,
    *,
    in_batch: Sequence[Outputs] | None = None,
) -> np.ndarray:
    """Hold what comes out of a graph for each input alone against what is ``wanted``, and for all in one batch against
    the same, or what is wanted ``in_batch``. Returns its first output for the batch."""
    names = list(wanted[0])
    task = f"compare with {parity.against}"
    events.started(task, total=len(wanted) + 1, unit="inputs")
    rows = []
    for count, inputs in enumerate(samples.alone, 1):
        rows.append(dict(zip(names, graph.run(names, inputs), strict=True)))
        events.advanced(task, count)
    saw(parity, "alone", rows, wanted)
    together = graph.run(names, samples.batch)
    count = len(together[0])
    rows = [_row(names, together, row) for row in range(count)]
    saw(parity, "in_batch", rows, wanted[:count] if in_batch is None else in_batch)
    events.finished(task)
    return together[0]


def _row(names: Sequence[str], outputs: Sequence[np.ndarray], row: int) -> Outputs:
    return {name: one[row : row + 1] for name, one in zip(names, outputs, strict=True)}


def saw(parity: Parity, situation: str, rows: Sequence[Outputs], wanted: Sequence[Outputs]) -> None:
    """Rows of a batch may be longer than they are alone: padding comes after what belongs to them."""
    for got, reference in zip(rows, wanted, strict=True):
        inner = _inner(got, reference)
        for name, values in reference.items():
            parity.saw(situation, name, inner[name], values)


def _inner(row: Outputs, alone: Outputs) -> Outputs:
    return {name: row[name][tuple(slice(extent) for extent in values.shape)] for name, values in alone.items()}

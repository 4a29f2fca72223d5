"""What training a language model will take, before it is begun: memory by part, and time.

Memory is the planner's (:mod:`aictl.planning.memory`) for each process of a run that trains as this engine does; where
it trains on the processor, with what lies in the same memory beside: the process itself, and the copy of the state of
which a checkpoint is written while training goes on. Time is the operations of a step over what this machine
multiplies, measured here and now, times the share of it that such runs were seen to come to. Of several processes those
on one CPU share its cores, and each has a GPU of its own; what they wait for one another is not known here, and said to
be left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from aictl.core.errors import MachineLacks
from aictl.measure.process_memory import held_bytes
from aictl.planning.config_json import shape_of
from aictl.planning.constants import SHIPPED
from aictl.planning.finetune import Method, finetuning
from aictl.planning.layout import Layout, Recipe
from aictl.planning.memory import COPY_BYTES, LONGEST, OPTIMIZERS, block_weights_bytes, training_memory
from aictl.planning.shape import Shape
from aictl.training.precision import Compute
from aictl.training.ranks.team import nodes_of, processes_here, processes_of
from aictl.training.spec import ParallelSpec
from aictl.training.utilisation import peak_flops

# Shares of the measured peak that are taken for granted, as they come and compiled: docs/benchmarks/training.md has
# 0.60 and 0.69 on one thread, and 0.49 and 0.61 on two.
UTILISATION, COMPILED_UTILISATION = 0.55, 0.65
LOADED_LATER_BYTES = 1e8  # by encoding and the first step, in libraries and their kernels: what small runs grew by


class Work(NamedTuple):
    """A language model by its ``config.json``, and how it is trained: sequences of so many tokens in a step, of which
    ``at_once`` go through one process's model together. Of an adapter the ``rank`` counts. Rows that are ``padded`` are
    as long as their longest example, which may be less than ``length``."""

    config: Mapping[str, Any]
    sequences: int
    length: int
    max_steps: int
    at_once: int
    method: Method = "full"
    rank: int = 0
    recompute: bool = False
    parallel: ParallelSpec = ParallelSpec()
    padded: bool = False


class Forecast(NamedTuple):
    """``memory_bytes`` of each process by part and in all; ``usable_bytes`` is what there is for it, None where nobody
    knows. What is trained on is counted in tokens, or where they are not the unit in documents. Time is that of the
    steps, without evaluations, where it was asked for."""

    parameters: int
    trained: int
    processes: int
    memory_bytes: Mapping[str, float]
    usable_bytes: float | None
    seconds: float | None
    assumed: tuple[str, ...]
    tokens: int | None = None
    tokens_per_s: float | None = None
    documents: int | None = None
    documents_per_s: float | None = None

    @property
    def fits(self) -> bool:
        return self.usable_bytes is None or self.memory_bytes["total"] <= self.usable_bytes

    def document(self) -> dict[str, Any]:
        """As JSON, in the one unit that counts."""
        values = {**self._asdict(), "fits": self.fits}
        other = "documents" if self.tokens is not None else "tokens"
        return {name: value for name, value in values.items() if not name.startswith(other)}

    def require_room(self) -> None:
        """Raise :class:`MachineLacks` where memory does not suffice."""
        if self.fits:
            return
        assert self.usable_bytes is not None
        parts = {name: size for name, size in self.memory_bytes.items() if name != "total"}
        largest = max(parts, key=lambda name: parts[name])
        cures = {
            "activations": "lower --tokens-at-once, which changes no result, or --sequence-length"
            if self.documents is None
            else "lower --tokens-at-once, or --batch-size where a batch is not parted",
            "logits": "lower --tokens-at-once, which changes no result",
            "scores": "lower --tokens-at-once, which changes no result",
        }
        each = f" in each of {self.processes} processes" if self.processes > 1 else ""
        raise MachineLacks(
            f"training {self.parameters:,} parameters would take {self.memory_bytes['total'] / 1e9:.2f} GB{each}, of "
            f"which {parts[largest] / 1e9:.2f} GB are {largest}, and {self.usable_bytes / 1e9:.2f} GB are free for it",
            cure=f"{cures.get(largest, 'a smaller model, or an adapter in place of all weights')}; "
            "--ignore-memory tries all the same",
        )


def forecast(work: Work, compute: Compute, usable_bytes: float | None, *, timed: bool = True) -> Forecast:
    """The forecast of a run; ``usable_bytes`` are of the machine, and a GPU's own are asked for here.
    What is ``timed`` takes a moment to measure. Raises :class:`BadInput` for a configuration without the shape of a
    decoder."""
    shape = shape_of(work.config, "the model's configuration")
    replicas = max(1, processes_of(work.parallel) // work.parallel.tensor_parallel)
    recipe = Recipe(
        sequence_length=work.length,
        batch=work.sequences,
        precision=compute.precision,
        kernels="transformers",
    )
    recipe = finetuning(shape, recipe, work.method, work.rank, chunked_loss=False)
    layout = Layout(
        data_parallel=replicas,
        tensor_parallel=work.parallel.tensor_parallel,
        sharding=3 if work.parallel.shard == "full" else 0,
        microbatch=max(1, min(math.ceil(work.sequences / replicas), work.at_once // work.length)),
        recompute="full" if work.recompute else "none",
    )
    parameters = shape.parameters.total
    trained = round(recipe.trained_share * parameters)
    memory = _memory(shape, recipe, layout, work, compute)
    tokens = work.sequences * work.length * work.max_steps
    rate = expected_flops(compute, work.parallel) / _operations(shape, work) if timed else None
    return Forecast(
        parameters=parameters,
        trained=trained,
        processes=processes_of(work.parallel),
        memory_bytes={**memory, "total": sum(memory.values())},
        usable_bytes=usable(usable_bytes, compute, work.parallel),
        tokens=tokens,
        tokens_per_s=rate,
        seconds=tokens / rate if rate else None,
        assumed=assumed(compute, work.parallel) if timed else (),
    )


def _operations(shape: Shape, work: Work) -> float:
    """Floating-point operations of a token: forward, and backward by the inputs and by the weights that learn
    (https://arxiv.org/abs/2001.08361 section 2.1), and attention's products with every position before (the causal
    half)."""
    passes = 3 if work.method == "full" else 2
    attention = shape.layers * 2 * shape.query_width * work.length
    return passes * (2 * shape.active_parameters + attention)


def _memory(shape: Shape, recipe: Recipe, layout: Layout, work: Work, compute: Compute) -> dict[str, float]:
    """Bytes by part."""
    if compute.device.type != "cpu":
        return training_memory(shape, recipe, layout)._asdict()
    # What the process takes is known here, and nothing is set aside on a guess.
    found = training_memory(shape, recipe, layout, SHIPPED._replace(lone_reserve_bytes=0.0, reserve_bytes=0.0))
    scores = _scores(shape, work, layout, compute)
    trained = recipe.trained_share * shape.parameters.total / (layout.data_parallel if layout.sharding == 3 else 1)
    return found._asdict() | {"scores": scores} | beside(trained / layout.tensor_parallel, compute)


def beside(trained: float, compute: Compute) -> dict[str, float]:
    """What lies in a process's memory beside what it trains, by part; on a GPU there is none of it. A checkpoint has
    the weights that learn and their moments."""
    if compute.device.type != "cpu":
        return {}
    return {
        "checkpoint": trained * (COPY_BYTES + OPTIMIZERS["adamw"].state_bytes),
        "process": (held_bytes() or SHIPPED.lone_reserve_bytes) + LOADED_LATER_BYTES,
    }


def expected_flops(compute: Compute, parallel: ParallelSpec) -> float:
    """Floating-point operations a second of all processes together, of which those on one CPU share its cores."""
    peaks = processes_of(parallel) if compute.device.type == "cuda" else nodes_of(parallel)[0]
    return _utilisation(compute) * peak_flops(compute) * peaks


def _utilisation(compute: Compute) -> float:
    """The share of the measured peak that is taken for granted."""
    return COMPILED_UTILISATION if compute.compiled else UTILISATION


def assumed(compute: Compute, parallel: ParallelSpec) -> tuple[str, ...]:
    """What is taken for granted of the time, for a person."""
    waiting = ("no waiting for one another",) if processes_of(parallel) > 1 else ()
    return (f"{_utilisation(compute):.0%} of the measured peak", *waiting)


def usable(machine_bytes: float | None, compute: Compute, parallel: ParallelSpec) -> float | None:
    """What there is for each of this machine's processes: a GPU of its own, or its part of the machine's memory."""
    if compute.device.type == "cuda":
        return float(torch.cuda.mem_get_info(compute.device)[0])
    return None if machine_bytes is None else machine_bytes / processes_here(parallel)


def _scores(shape: Shape, work: Work, layout: Layout, compute: Compute) -> float:
    """Bytes that attention by blocks keeps of its weights, for rows of the length that has the most."""
    if compute.precision != "bf16" or (work.length > LONGEST and not work.padded):
        return 0.0
    longest = min(work.length, LONGEST)
    sequences = math.ceil(work.sequences / layout.data_parallel)

    def kept(length: int) -> float:
        rows = max(1, min(sequences, work.at_once // length))
        return rows * length * block_weights_bytes(length)

    most = max(map(kept, range(1 if work.padded else longest, longest + 1)))
    return (1 if work.recompute else shape.layers) * shape.heads / layout.tensor_parallel * most

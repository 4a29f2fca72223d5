"""Every layout that divides, fits and keeps what was fixed; the fastest first.

Tensor parallelism stays where the fast link reaches, pipelines have equal stages, and a pipeline has at
least as many microbatches as stages. The first estimate that fits is not taken at its word: a
searched layout is the best of many near-equal predictions, so ``searched`` of the constants is taken
off its speed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from aictl.planning.catalogue import Accelerator
from aictl.planning.constants import SHIPPED, Constants
from aictl.planning.kernels import Kernels
from aictl.planning.layer import LayerTime, layer_time
from aictl.planning.layout import RECOMPUTE, Layout, Recipe
from aictl.planning.memory import Memory, training_memory
from aictl.planning.shape import Shape
from aictl.planning.step import Cluster, StepTime, step_time
from aictl.planning.traffic import Fabric

MOST_MICROBATCH = 64  # sequences
MOST_INTERLEAVE = 8
LEAST_CONTEXT = 8192  # tokens that a context-parallel rank keeps at least
MOST_TENSOR = 16  # where the fast link joins thousands


class Candidate(NamedTuple):
    """A layout with what it takes."""

    layout: Layout
    step: StepTime
    memory: Memory


class Tightest(NamedTuple):
    """The layout that needs the least memory, where none fits."""

    layout: Layout
    memory: Memory


class Found(NamedTuple):
    """The fastest layouts that fit, and the one that needs least."""

    fitting: list[Candidate]
    tightest: Tightest | None
    considered: int


def cluster(accelerator: Accelerator, precision: str, constants: Constants = SHIPPED) -> Cluster:
    """An accelerator's kernels and links in one number format."""
    return Cluster(Kernels.of(accelerator, precision, constants), Fabric.of(accelerator, constants))


def search(
    shape: Shape,
    recipe: Recipe,
    accelerator: Accelerator,
    count: int,
    *,
    fixed: Mapping[str, Any] | None = None,
    keep: int = 10,
    usable: float | None = None,
    constants: Constants = SHIPPED,
) -> Found:
    """The ``keep`` fastest layouts on ``count`` accelerators. ``fixed`` holds fields of the layout,
    ``usable`` the share of memory that may be planned."""
    fixed = {name: value for name, value in (fixed or {}).items() if value is not None}
    if accelerator.measured and (runtime := accelerator.measured.runtime_bytes.get("torch")):
        # Measured, so nothing is set aside on a guess.
        constants = constants._replace(reserve_bytes=runtime, lone_reserve_bytes=runtime)
    room = (constants.usable_memory if usable is None else usable) * accelerator.memory_bytes
    machine = cluster(accelerator, recipe.precision, constants)
    seen: dict[tuple[Any, ...], LayerTime] = {}

    def remembered(*about: Any) -> LayerTime:
        layout: Layout = about[2]
        key = (
            layout.tensor_parallel,
            layout.context_parallel,
            layout.expert_parallel,
            layout.microbatch,
            layout.recompute,
            layout.sequence_parallel,
        )
        if key not in seen:
            seen[key] = layer_time(*about)
        return seen[key]

    fitting: list[tuple[float, int, Layout, StepTime, Memory]] = []
    tightest: Tightest | None = None
    considered = 0
    for layout in layouts(shape, recipe, accelerator, count, fixed):
        considered += 1
        memory = training_memory(shape, recipe, layout, constants)
        if tightest is None or memory.total < tightest.memory.total:
            tightest = Tightest(layout, memory)
        if memory.total <= room:
            step = step_time(shape, recipe, layout, machine, remembered)
            fitting.append((step.total, considered, layout, step, memory))
    fitting.sort(key=lambda one: one[:2])
    best: dict[tuple[float, int], Candidate] = {}
    for total, _, layout, step, memory in fitting:
        if len(best) < keep:  # of those that differ in sharding alone and take as long, the first
            best.setdefault((total, layout.tensor_parallel), Candidate(layout, step, memory))
    return Found(list(best.values()), tightest, considered)


def layouts(
    shape: Shape, recipe: Recipe, accelerator: Accelerator, count: int, fixed: Mapping[str, Any]
) -> Iterator[Layout]:
    """Every layout worth looking at that multiplies to ``count`` and keeps ``fixed``."""
    reach = min(accelerator.reach, MOST_TENSOR if accelerator.generation == "tpu" else accelerator.reach)
    tensor = [n for n in divisors(count) if n <= reach and shape.heads % n == 0]
    for t in _one_or(fixed, "tensor_parallel", tensor):
        for stages, balanced in _pipelines(shape, fixed):
            for c in _one_or(fixed, "context_parallel", _contexts(recipe)):
                if count % (t * stages * c):
                    continue
                d = count // (t * stages * c)
                if fixed.get("data_parallel", d) != d or not _divides(recipe.batch, d, fixed):
                    continue
                outer = Layout(
                    data_parallel=d,
                    tensor_parallel=t,
                    pipeline_parallel=stages,
                    context_parallel=c,
                    sequence_parallel=fixed.get("sequence_parallel", t > 1),
                    balanced_ends=balanced,
                    slices=fixed.get("slices", 1),
                )
                yield from _within(shape, recipe, outer, fixed)


def _within(shape: Shape, recipe: Recipe, outer: Layout, fixed: Mapping[str, Any]) -> Iterator[Layout]:
    """What is left to choose once the ranks are."""
    share = max(1, recipe.batch // outer.data_parallel)
    stages = outer.pipeline_parallel
    microbatches = _one_or(fixed, "microbatch", [n for n in divisors(share) if n <= MOST_MICROBATCH])
    interleaves = _one_or(fixed, "interleave", interleavings(shape.layers, stages, balanced=outer.balanced_ends))
    experts = _one_or(fixed, "expert_parallel", _expert_ranks(shape, outer.data_parallel))
    recomputes = _one_or(fixed, "recompute", RECOMPUTE)
    for microbatch in microbatches:
        if stages > 1 and share // microbatch < stages:
            continue
        shardings = _shardings(outer, share // microbatch, frozen=recipe.frozen)
        for interleave in interleaves:
            for sharding in _one_or(fixed, "sharding", shardings):
                for expert in experts:
                    for recompute in recomputes:
                        yield outer._replace(
                            microbatch=microbatch,
                            interleave=interleave,
                            sharding=sharding,
                            expert_parallel=expert,
                            recompute=recompute,
                        )


@cache
def divisors(number: int) -> tuple[int, ...]:
    small = [n for n in range(1, int(number**0.5) + 1) if number % n == 0]
    return tuple(sorted({*small, *(number // n for n in small)}))


def interleavings(layers: int, stages: int, *, balanced: bool) -> list[int]:
    """How many stages a rank may hold: they share out its layers evenly."""
    own, rest = divmod(layers + (2 if balanced else 0), stages)
    if stages == 1 or rest:
        return [1]
    return [n for n in divisors(own) if n <= MOST_INTERLEAVE]


def _one_or(fixed: Mapping[str, Any], name: str, otherwise: Any) -> Any:
    return [fixed[name]] if name in fixed else otherwise


def _pipelines(shape: Shape, fixed: Mapping[str, Any]) -> list[tuple[int, bool]]:
    """Numbers of stages, with whether embedding and head count as layers for that."""
    if "pipeline_parallel" in fixed:
        stages = fixed["pipeline_parallel"]
        even = stages > 1 and shape.layers % stages > 0 and (shape.layers + 2) % stages == 0
        return [(stages, fixed.get("balanced_ends", even))]
    plain = [(n, False) for n in divisors(shape.layers)]
    return sorted(plain + [(n, True) for n in divisors(shape.layers + 2) if n > 1 and shape.layers % n])


def _contexts(recipe: Recipe) -> list[int]:
    return [n for n in (1, 2, 4, 8, 16, 32) if n == 1 or recipe.sequence_length // n >= LEAST_CONTEXT]


def _divides(batch: int, data_parallel: int, fixed: Mapping[str, Any]) -> bool:
    return batch % data_parallel == 0 or "data_parallel" in fixed or "microbatch" in fixed


def _shardings(layout: Layout, microbatches: int, *, frozen: bool) -> list[int]:
    """Stages of ZeRO worth looking at. The second is offered for one microbatch alone: with several it
    would scatter gradients after each, or keep them whole as the first does."""
    if layout.data_parallel == 1:
        return [0]
    if frozen:
        return [0, 3]
    own = [1, 2] if microbatches == 1 else [1]
    return [*own, 3] if layout.pipeline_parallel == 1 else own


def _expert_ranks(shape: Shape, data_parallel: int) -> list[int]:
    if not shape.experts:
        return [1]
    return [n for n in divisors(shape.experts) if data_parallel % n == 0]

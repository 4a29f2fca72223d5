"""What to change where a model fits on no layout: each change alone, tried out, the smallest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple

from aictl.planning.catalogue import Accelerator, larger_than
from aictl.planning.layout import Recipe
from aictl.planning.search import Tightest, search
from aictl.planning.shape import Shape

MOST_ACCELERATORS = 65_536


class Overflow(NamedTuple):
    """By how much the layout that needs least is too large, and which part takes most of it."""

    needed_bytes: float
    usable_bytes: float
    part: str
    part_bytes: float

    @property
    def over_bytes(self) -> float:
        return self.needed_bytes - self.usable_bytes


class Change(NamedTuple):
    """A change with which a layout fits, in words and as the options that make it."""

    what: str
    options: str


def cure(found: Sequence[Mapping[str, str]]) -> str | None:
    """The smallest change in words and options, as an error's cure."""
    return f"{found[0]['what']}: {found[0]['options']}" if found else None


def overflow(tightest: Tightest, usable_bytes: float) -> Overflow:
    parts = {name: size for name, size in tightest.memory._asdict().items() if name != "reserve"}
    part = max(parts, key=lambda name: parts[name])
    return Overflow(tightest.memory.total, usable_bytes, part, parts[part])


def changes(
    shape: Shape, recipe: Recipe, accelerator: Accelerator, count: int, fixed: Mapping[str, Any]
) -> Iterator[Change]:
    """Every kind of change that alone makes a layout fit, the smallest first."""

    def fits(recipe: Recipe = recipe, chip: Accelerator = accelerator, n: int = count, kept: Any = fixed) -> bool:
        return bool(search(shape, recipe, chip, n, fixed=kept, keep=1).fitting)

    yield from _freed(fixed, fits)
    yield from _batch(recipe, count, fits)
    if recipe.optimizer == "adamw" and not recipe.frozen and fits(recipe._replace(optimizer="adamw-8bit")):
        yield Change("AdamW's moments in 8 bits", "--optimizer adamw-8bit")
    yield from _shorter(recipe, fits)
    if (more := _more(count, accelerator.per_node, fixed, fits)) is not None:
        yield Change(f"{more} accelerators in place of {count}", f"--count {more}")
    for chip in larger_than(accelerator.memory_bytes):
        if recipe.precision in chip.formats and fits(chip=chip):
            yield Change(f"{chip.name} in place of {accelerator.name}", f"--accelerator {chip.key}")
            break


def _freed(fixed: Mapping[str, Any], fits: Any) -> Iterator[Change]:
    """Fields of the layout that were fixed and need not be."""
    for name in fixed:
        rest = {other: value for other, value in fixed.items() if other != name}
        if fits(kept=rest):
            yield Change(f"the layout's {name.replace('_', ' ')} left to choose", f"no --{name.replace('_', '-')}")
            return


def _batch(recipe: Recipe, count: int, fits: Any) -> Iterator[Change]:
    """A batch that more layouts divide, no more than doubled."""
    unit = 1
    while unit <= count:
        batch = ceil(recipe.batch / unit) * unit
        if recipe.batch < batch <= 2 * recipe.batch and fits(recipe._replace(batch=batch)):
            yield Change(f"a batch of {batch:,} sequences", f"--batch {batch}")
            return
        unit *= 2


def _shorter(recipe: Recipe, fits: Any) -> Iterator[Change]:
    length = recipe.sequence_length
    while (length := length // 2) >= 128:
        if fits(recipe._replace(sequence_length=length)):
            yield Change(f"sequences of {length:,} tokens", f"--sequence-length {length}")
            return


def _more(count: int, per_node: int, fixed: Mapping[str, Any], fits: Any) -> int | None:
    """The fewest accelerators that do: doubled until something fits, then whole nodes back."""
    if {"data_parallel", "tensor_parallel", "pipeline_parallel"} <= fixed.keys():
        return None
    below, above = count, count * 2
    while above <= MOST_ACCELERATORS and not fits(n=above):
        below, above = above, above * 2
    if above > MOST_ACCELERATORS:
        return None
    step = max(1, per_node if above > per_node else 1, (above - below) // 8)
    return next((n for n in range(below + step, above, step) if fits(n=n)), above)

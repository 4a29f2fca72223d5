"""Which documents of a split are evaluated: all, or as many as are wanted, drawn at random."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadInput, BadRequest
from aictl.core.events import Events
from aictl.judging.task import Drawn


class Draw:
    """Some documents of a split, in its order; read anew whenever they are gone through, so that none is held."""

    def __init__(self, dataset: Dataset, split: str, numbers: list[int], usable: int, unusable: int) -> None:
        self._dataset, self._split = dataset, split
        self.numbers = numbers
        self.usable, self.unusable = usable, unusable

    def __len__(self) -> int:
        return len(self.numbers)

    def documents(self) -> Iterator[Drawn]:
        wanted = iter(self.numbers)
        next_one = next(wanted, None)
        for number, (document, image) in enumerate(self._all()):
            if number == next_one:
                yield Drawn(number, document, image)
                next_one = next(wanted, None)
                if next_one is None:
                    return

    def only(self, numbers: list[int]) -> Draw:
        """Those of the documents that have these numbers."""
        return Draw(self._dataset, self._split, numbers, self.usable, self.unusable)

    def _all(self) -> Iterator[tuple[Mapping[str, Any], bytes | None]]:
        if self._dataset.format == "image":
            yield from self._dataset.pictures(self._split)
        else:
            for document in self._dataset.documents(self._split):
                yield document, None


def within(drawn: Draw, cost: Callable[[Mapping[str, Any]], int], budget: int, *, seed: int) -> Draw:
    """The drawn documents that come first in a random order, until together they cost ``budget``; one at least."""
    costs = {one.number: cost(one.document) for one in drawn.documents()}
    order = sorted(costs)
    random.Random(seed).shuffle(order)
    chosen, spent = [], 0
    for number in order:
        if spent >= budget:
            break
        chosen.append(number)
        spent += costs[number]
    return drawn.only(sorted(chosen))


def draw(
    dataset: Dataset,
    split: str,
    usable: Callable[[Mapping[str, Any]], bool],
    *,
    most: int,
    seed: int,
    events: Events,
) -> Draw:
    """Reservoir sampling (Vitter 1985, ACM TOMS 11, algorithm R): one pass, and no more held than numbers.

    Raises :class:`BadRequest` for a split that is not there, :class:`BadInput` for one with nothing to evaluate.
    """
    if split not in dataset.splits:
        offered = ", ".join(dataset.splits) or "none"
        raise BadRequest(f"dataset '{dataset.label}' has no split '{split}'", cure=f"its splits are {offered}")
    chance = random.Random(seed)
    kept: list[int] = []
    found = unusable = 0
    for number, document in enumerate(dataset.documents(split)):
        if not usable(document):
            unusable += 1
            continue
        found += 1
        if len(kept) < most:
            kept.append(number)
        elif (place := chance.randrange(found)) < most:
            kept[place] = number
    if not kept:
        left = f": none of its {unusable:,} documents has what is needed" if unusable else ""
        raise BadInput(
            f"split '{split}' of dataset '{dataset.label}' has nothing to evaluate{left}",
            cure="name another --split, or prepare it with a larger --validation-fraction",
        )
    if unusable:
        events.noted(f"{unusable:,} documents of split '{split}' lack what is needed and are left out", "warning")
    if found > most:
        events.noted(f"{most:,} of {found:,} documents are drawn at random; --most sets how many")
    return Draw(dataset, split, sorted(kept), found, unusable)

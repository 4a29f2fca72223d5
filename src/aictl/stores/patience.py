"""How long a store is tried again before the work is put off."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from aictl.core.errors import AictlError, TryLater

T = TypeVar("T")


class Patience(NamedTuple):
    """How often something is tried, and how long is waited in between: twice as long every time, and a
    part of it at random, so that those who failed together do not come back together."""

    attempts: int = 8
    first_wait_s: float = 0.5
    longest_wait_s: float = 10.0

    def waits_s(self) -> Iterator[float]:
        """The seconds to wait before each further attempt: 0.5, 1, 2, 4, 8, 10, 10 in all, of each at
        least half."""
        for number in range(self.attempts - 1):
            longest = min(self.first_wait_s * 2**number, self.longest_wait_s)
            yield longest * random.uniform(0.5, 1)


USUAL = Patience()
# Before a store has answered once, a wrong address is likelier than a bad moment.
FIRST = Patience(attempts=4)


def patiently(
    work: Callable[[], T],
    *,
    judge: Callable[[Exception], AictlError | None],
    failed: str,
    patience: Patience,
    pause: Callable[[float], object] = time.sleep,
) -> T:
    """Do some work, again and again while it fails for a passing reason.

    ``judge`` says what an exception means if it will not pass; None is for one that may. ``failed``
    says that it was in vain, such as "s3://b/k could not be read". Raises what ``judge`` gave, and
    :class:`TryLater` when patience is at an end.
    """
    last: Exception
    waits = patience.waits_s()
    while True:
        try:
            return work()
        except AictlError:
            raise
        except Exception as error:
            if known := judge(error):
                raise known from error
            last = error
        wait_s = next(waits, None)
        if wait_s is None:
            raise TryLater(
                f"{failed}, tried {patience.attempts} times: {first_line(last)}",
                cure="run it again when the store can be reached: it goes on from what is there",
            ) from last
        pause(wait_s)


def first_line(error: BaseException) -> str:
    """What an exception says, on one line and not at length: servers send whole stack traces."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[0] if lines else ""
    return f"{said[:300]}…" if len(said) > 300 else said or type(error).__name__

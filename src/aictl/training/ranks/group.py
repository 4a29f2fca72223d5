"""What every world of several processes shares: exchanging numbers, stopping together, losing one another."""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import NamedTuple

import torch
import torch.distributed as dist

from aictl.core.command import Followed
from aictl.core.errors import TryLater
from aictl.training.ranks import roll
from aictl.training.world import World

LOST_S = 2.0  # how long is waited for the others to answer when one seems to be gone
_OFF = (signal.SIGTERM, signal.SIGINT)
# What gloo says, in a plain RuntimeError, when another process has gone or hangs.
_GONE = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "gloo/transport", "Timed out waiting")


class Membership(NamedTuple):
    """Number ``rank`` of ``ranks`` processes that have met in torch's default group. ``store`` is what they met
    through; whoever does not answer for ``timeout_s`` is lost."""

    rank: int
    ranks: int
    store: dist.Store
    timeout_s: float


class GroupWorld(World):
    """A world over torch's default process group. Numbers travel on the CPU, by gloo, whatever device trains."""

    about = ""

    def __init__(self, member: Membership) -> None:
        self.rank, self.ranks = member.rank, member.ranks
        self.is_first = member.rank == 0
        self._member = member
        self._turns = 0
        self._came: set[int] = set()

    def gathered(self, values: Sequence[float]) -> list[list[float]]:
        mine = torch.tensor(values, dtype=torch.float64)
        found = [torch.empty_like(mine) for _ in range(self._member.ranks)]
        dist.all_gather(found, mine)
        return [row.tolist() for row in found]

    def sums(self, values: Sequence[float]) -> list[float]:
        # Processes that take the same share have counted the same.
        alike = self._member.ranks // self.ranks
        return [sum(column) / alike for column in zip(*self.gathered(values), strict=True)]

    def told(self, text: str) -> str:
        said = torch.frombuffer(bytearray(text.encode() or b" "), dtype=torch.uint8)
        length = torch.tensor(len(said))
        dist.broadcast(length, 0)
        if not self.is_first:
            said = torch.empty(int(length), dtype=torch.uint8)
        dist.broadcast(said, 0)
        return said.numpy().tobytes().decode().strip(" ")

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        # Through the store and not by a barrier: the first may take hours, and a process that hangs is found by the
        # time limit of the group. A first one that ends is found by whoever started it.
        self._turns += 1
        done = f"turn/{self._turns}"
        if self.is_first:
            yield
            self._member.store.set(done, "done")
            return
        with self.failing():
            while True:
                with suppress(dist.DistStoreError):
                    self._member.store.wait([done], timedelta(seconds=self._member.timeout_s))
                    break
        yield

    @contextmanager
    def stopping_together(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():  # where no signal is ever handled
            yield
            return
        before = {number: signal.signal(number, lambda number, frame: self._came.add(number)) for number in _OFF}
        yield
        # Not after an exception: those who tidy up after this process have more to send, and nothing to say.
        for number, handler in before.items():
            signal.signal(number, handler)

    @property
    def stop_signals(self) -> tuple[float, float]:
        return float(signal.SIGTERM in self._came), float(signal.SIGINT in self._came)

    @contextmanager
    def failing(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            if not isinstance(error, dist.DistError) and not any(word in str(error) for word in _GONE):
                raise
            raise TryLater(f"{self._lost()}, and the others have stopped", cure=_cure()) from error

    def _lost(self) -> str:
        member = self._member
        try:
            gone = roll.missing(member.store, "lost", member.rank, member.ranks, within_s=LOST_S)
        except RuntimeError:
            return "rank 0, or its machine, is gone"
        if gone:
            return f"{roll.named(gone, member.ranks)} ended in the middle of training, or hangs"
        return f"one of {member.ranks} processes did not answer for {member.timeout_s:g} s"

    def leave(self) -> None:
        # Not at once: a DDP that outlived the group would wait for its threads for ever.
        atexit.register(dist.destroy_process_group)
        if not self.is_first:
            raise Followed


def _cure() -> str:
    left = int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0")) - int(
        os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    )
    if left > 0:
        return "those that are left are started again from the last checkpoint"
    return "run the same command again, which goes on from the last checkpoint; --max-restarts N does so by itself"

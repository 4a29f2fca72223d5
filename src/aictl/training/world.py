"""The processes that train one model together; here there is one, and others subclass it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from aictl.training import state
from aictl.training.checkpoints import Checkpoints


class World:
    """The process that this one is, and what it does together with the others.

    The rows of every batch are divided into ``ranks`` shares, of which this process takes number ``rank``. Processes
    that hold parts of one replica of the model take the same share. The first process writes and tells; the others
    end with ``Followed`` when training is done.
    """

    rank = 0
    ranks = 1
    is_first = True

    def prepare(self, model: torch.nn.Module) -> torch.nn.Module:
        """The model as it is trained here: a replica, or a shard of it."""
        return model

    def exchanging(self, model: torch.nn.Module, now: bool) -> AbstractContextManager[object]:
        """Around a forward and a backward pass: whether the gradients are exchanged at its end, or are summed up here
        first."""
        return nullcontext()

    def gathered(self, values: Sequence[float]) -> list[list[float]]:
        """The values of every process, each with as many."""
        return [list(values)]

    def sums(self, values: Sequence[float]) -> list[float]:
        """Each value summed over the shares."""
        return list(values)

    def told(self, text: str) -> str:
        """What the first process says to all."""
        return text

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """The first process goes through at once, the others when it is through: what it makes there, they find."""
        yield

    @contextmanager
    def stopping_together(self) -> Iterator[None]:
        """While it lasts, SIGINT and SIGTERM do not stop this process at once: :attr:`stop_signals` says which came."""
        yield

    @property
    def stop_signals(self) -> tuple[float, float]:
        """1 for a SIGTERM and for a SIGINT that came and was put off."""
        return 0.0, 0.0

    @contextmanager
    def failing(self) -> Iterator[None]:
        """While it lasts, the loss of another process is :class:`TryLater`."""
        yield

    def checkpoints(self, folder: Path, keep: int) -> Checkpoints:
        return Checkpoints(folder, keep)

    def capture(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        *,
        facts: Mapping[str, float],
        rng: Mapping[str, torch.Tensor],
    ) -> Any:
        """The state for :meth:`checkpoints` to save."""
        return state.capture(model, optimizer, scaler, facts=facts, rng=rng)

    def settle(self, model: torch.nn.Module) -> None:
        """After a forward pass that no backward pass follows: the parameters are as they are between steps again."""

    def gather(self, model: torch.nn.Module) -> None:
        """Put the whole trained model together in the first process."""

    def leave(self) -> None:
        """There is nothing more to do together. Raises ``Followed`` in all processes but the first."""


ALONE = World()

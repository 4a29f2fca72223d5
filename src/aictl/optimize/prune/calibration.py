"""What flows through a network on a few examples, by which it is found out what does little."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from aictl.core.events import Events, silent
from aictl.training.batches import IGNORED, FieldBatch, TokenBatch
from aictl.training.objective import Objective
from aictl.training.precision import Compute
from aictl.training.tasks.lesson import Lesson

TASK = "calibrate"


@dataclass(frozen=True)
class Calibration:
    """The first ``examples`` of a lesson's stream, in parts that go through the model together."""

    lesson: Lesson
    examples: int
    tokens_at_once: int
    device: torch.device

    def parts(self, events: Events) -> Iterator[Any]:
        done = number = 0
        most = min(self.examples, self.lesson.examples)
        events.started(TASK, most, "examples")
        while done < most:
            batch = self.lesson.batches[number]
            for part in batch.parts(self.tokens_at_once):
                yield part.to(self.device)
            number, done = number + 1, done + batch.rows
            events.advanced(TASK, min(done, most))
        events.finished(TASK)

    @property
    def objective(self) -> Objective:
        return self.lesson.objective


def calibration_of(model: torch.nn.Module, lesson: Lesson, examples: int, compute: Compute) -> Calibration:
    """The calibration on a lesson's examples. The model goes through one of them first, since what an objective finds
    out once by trying is none of what is measured."""
    found = Calibration(lesson, examples, compute.tokens_at_once, compute.device)
    with torch.no_grad():
        lesson.objective(model.eval(), next(found.parts(silent)))
    return found


class InputNorms:
    """The sum of squares of each input of some layers, float64 of shape (inputs,), over positions that are no
    padding; for the Frobenius norms in https://arxiv.org/abs/2306.11695 (Wanda), equation 1."""

    def __init__(self, modules: Mapping[str, torch.nn.Module]) -> None:
        self._modules = modules
        self.squares: dict[str, torch.Tensor] = {}

    def measure(self, model: torch.nn.Module, calibration: Calibration, events: Events) -> dict[str, torch.Tensor]:
        """The norm of each input, float32 of shape (inputs,), by layer."""
        model.eval()
        with torch.no_grad():
            for part in calibration.parts(events):
                real = positions(part)
                with inputs_of(self._modules, partial(self._add, real)):
                    calibration.objective(model, part)
        return {name: found.sqrt().float() for name, found in self.squares.items()}

    def _add(self, real: torch.Tensor | None, name: str, given: torch.Tensor) -> None:
        found = chosen(given, real).double().square().sum(dim=0)
        self.squares[name] = self.squares[name] + found if name in self.squares else found


@contextmanager
def inputs_of(modules: Mapping[str, torch.nn.Module], look: Callable[[str, torch.Tensor], None]) -> Iterator[None]:
    """While it lasts, ``look`` is shown what each layer is given."""

    def hook(name: str) -> Any:
        return lambda module, arguments: look(name, arguments[0])

    with ExitStack() as stack:
        for name, module in modules.items():
            handle = module.register_forward_pre_hook(hook(name))
            stack.callback(handle.remove)
        yield


def positions(batch: Any) -> torch.Tensor | None:
    """Which positions of a batch are no padding, bool of shape (rows, positions); None where all are."""
    if isinstance(batch, TokenBatch):
        wanted = batch.targets != IGNORED
        # Padding is on the right, and what comes after the last target is nothing that is learnt.
        return wanted.flip(1).cumsum(dim=1).flip(1) > 0
    if isinstance(batch, FieldBatch) and "attention_mask" in batch.fields:
        return batch.fields["attention_mask"].bool()  # type: ignore[union-attr]
    return None


def chosen(values: torch.Tensor, real: torch.Tensor | None) -> torch.Tensor:
    """``values`` of shape (rows, positions, width) at the real positions, of shape (positions, width)."""
    if real is None or values.shape[:-1] != real.shape:
        return values.flatten(0, -2)
    return values[real]

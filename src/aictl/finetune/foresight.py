"""What tuning a language model would take, from its options alone."""

from __future__ import annotations

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import BadInput
from aictl.finetune.spec import LoraSpec, QloraSpec, SupervisedSpec
from aictl.finetune.supervised import longest_of
from aictl.planning.finetune import Method
from aictl.training import precision
from aictl.training.forecast import Forecast, Work, forecast


def foresee(
    checkpoint: Checkpoint, spec: SupervisedSpec, *, usable_bytes: float | None, timed: bool = True
) -> Forecast | None:
    """The forecast of tuning ``checkpoint`` as ``spec`` says, on examples that are all of the greatest length; None for
    what is no language model, or of a shape that the planner does not know."""
    if checkpoint.capability != "text-generation":
        return None
    compute = precision.choose(spec.precision)
    work = Work(
        config=checkpoint.config,
        sequences=spec.examples.batch_size,
        length=longest_of(spec.examples, checkpoint),
        max_steps=spec.max_steps,
        at_once=compute.tokens_at_once,
        method=_method(spec),
        rank=spec.low_rank.rank if isinstance(spec, LoraSpec) else 0,
        recompute=compute.recompute,
        parallel=spec.parallel,
        padded=not spec.examples.pack,
    )
    try:
        return forecast(work, compute, usable_bytes, timed=timed)
    except BadInput:  # a shape that the planner does not know; whether it can be built is found out in building it
        return None


def require_room(checkpoint: Checkpoint, spec: SupervisedSpec, usable_bytes: float | None) -> None:
    """Raise :class:`MachineLacks` where ``usable_bytes`` are forecast not to suffice, unless it is insisted on."""
    if usable_bytes is None or spec.precision.ignore_memory:
        return
    if found := foresee(checkpoint, spec, usable_bytes=usable_bytes, timed=False):
        found.require_room()


def _method(spec: SupervisedSpec) -> Method:
    if isinstance(spec, QloraSpec):
        return "qlora"
    return "lora" if isinstance(spec, LoraSpec) else "full"

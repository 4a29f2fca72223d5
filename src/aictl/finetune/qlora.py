"""LoRA on a base whose matrices are held in 4 or 8 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.capability import require_capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.finetune import lora, quantized
from aictl.finetune.spec import QloraSpec
from aictl.training.precision import Compute


def finetune(
    checkpoint: Checkpoint,
    dataset: Dataset,
    spec: QloraSpec,
    folder: Path,
    *,
    usable_bytes: float | None = None,
    scratch: Path,
    events: Events,
) -> Adapter:
    """Train an adapter of ``checkpoint`` as :func:`lora.finetune` does, over matrices that are quantised.

    The adapter applies to the checkpoint as it is, too: its metrics say under ``base`` how it was held. Raises what
    that raises, and :class:`MachineLacks` where this machine has no kernels for it.
    """
    require_capability(checkpoint.label, checkpoint.capability, "text-generation", command="finetune qlora")
    if spec.low_rank.init_weights in ("pissa", "olora"):
        raise BadRequest(
            f"--init-weights {spec.low_rank.init_weights} changes the weights that are quantised here",
            cure="--init-weights default",
        )
    base: dict[str, Any] = {"format": spec.base_format}
    if spec.base_format != "int8":
        base["double_quantization"] = spec.double_quantization

    def load(given: Checkpoint, compute: Compute) -> PreTrainedModel:
        model = quantized.load(given, compute, spec)
        base.update(model.quantized._asdict())
        return model

    made = lora.finetune(
        checkpoint, dataset, spec, folder, usable_bytes=usable_bytes, scratch=scratch, events=events, load=load
    )
    return Adapter(
        folder, metrics={**made.metrics, "base": base}, summary=f"{made.summary}, base in {spec.base_format}"
    )

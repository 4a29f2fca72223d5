"""A model becomes a quantised ONNX artifact that has been measured against what it came from."""

from __future__ import annotations

from pathlib import Path

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.capability import require_capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.onnx import OnnxModel
from aictl.core.artifact import Artifact
from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.optimize import fused, networks
from aictl.optimize.gate import told, weigh
from aictl.optimize.quality import Model, heldout, require_judgeable
from aictl.optimize.spec import QuantizeSpec


def quantize(
    model: Model, dataset: Dataset | None, spec: QuantizeSpec, folder: Path, *, scratch: Path, events: Events
) -> OnnxModel:
    """Write the quantised form of ``model`` into ``folder``.

    Raises :class:`BadRequest` if the weights or a held-out text to measure on cannot be found,
    :class:`GateMissed` if quality, speed or size miss what ``spec`` asks for.
    """
    require_capability(
        model.label, model.capability, "text-generation", *networks.CAPABILITIES, command="optimize quantize"
    )
    if isinstance(model, OnnxModel) and model.facts["precision"] in ("int8", "int4"):
        raise BadRequest(
            f"'{model.label}' is {model.facts['precision']} already",
            cure="quantise the model that it was made from; `aictl artifact lineage` shows which",
        )
    held = heldout(model, dataset, scratch, events)
    require_judgeable(model, held, spec, scratch)
    about = {}
    if model.capability == "text-generation":
        weights = _weights(model)
        events.started(f"round the weights to {spec.method}")
        fused.build(weights, spec.method, folder, scratch)
        events.finished(f"round the weights to {spec.method}")
    else:
        about = networks.quantize(model, held, spec, folder, scratch=scratch, events=events)
    candidate = OnnxModel(folder, name="the candidate")
    metrics = weigh(model, candidate, held, spec, scratch=scratch, events=events)
    return OnnxModel(folder, metrics={**metrics, **about}, summary=told(metrics, spec.method))


def _weights(model: Model) -> Checkpoint | Adapter:
    """The full-precision weights behind a language model."""
    weights: Artifact | None = model.nearest(Adapter, Checkpoint)
    if not isinstance(weights, Adapter | Checkpoint):
        raise BadRequest(
            f"'{model.label}' does not lead back to a checkpoint or adapter, from which fused operators are built",
            cure="quantise the checkpoint or adapter itself",
        )
    return weights

"""A model becomes a quantised ONNX artifact that has been measured against what it came from."""

from __future__ import annotations

from pathlib import Path

from aictl.artifacts.capability import require_capability
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.optimize import language, networks
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
    write = language.quantize if model.capability == "text-generation" else networks.quantize
    about = write(model, held, spec, folder, scratch=scratch, events=events)
    candidate = OnnxModel(folder, name="the candidate")
    metrics = weigh(model, candidate, held, spec, scratch=scratch, events=events)
    return OnnxModel(folder, metrics={**metrics, **about}, summary=told(metrics, spec.method))

"""Bringing a model in: recognise its format, convert it, prove that it works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core import extras
from aictl.core.artifact import Source
from aictl.core.events import Events
from aictl.model.recognise import choose
from aictl.model.spec import AddSpec
from aictl.model.verify import verify


def add(source: Source, spec: AddSpec, folder: Path, *, events: Events) -> Checkpoint | OnnxModel:
    """Write the model that ``source`` holds into ``folder``.

    Raises :class:`BadInput` for a source that holds no model, one that could run code, or one
    whose files are damaged; :class:`BadRequest` if it holds several; :class:`ExtraMissing` if its
    format needs a library that is not installed.
    """
    chosen = choose(source, spec.file)
    facts: dict[str, Any]
    made: Checkpoint | OnnxModel
    if chosen.format == "gguf":
        extras.require("gguf")
        from aictl.model import gguf

        facts, made = gguf.bring(chosen.path, folder, events), Checkpoint(folder)
    elif chosen.format == "folder":
        from aictl.model import folder as folders

        facts, made = folders.bring(chosen.path, folder, events), Checkpoint(folder)
    else:
        extras.require("export")
        from aictl.model import onnx

        facts, made = onnx.bring(chosen.path, folder, events), OnnxModel(folder)
    facts = {"capability": made.capability, **facts}
    facts["license"] = facts.get("license") or source.facts.get("license")
    events.started("try it")
    facts |= verify(made, chosen.path)
    events.finished("try it")
    metrics = {name: value for name, value in facts.items() if value is not None}
    return type(made)(folder, metrics=metrics, summary=_summary(metrics))


def _summary(metrics: dict[str, Any]) -> str:
    size = f"{metrics['parameters'] / 1e6:.4g}M parameters" if "parameters" in metrics else metrics["dtype"]
    was = f"was {metrics['quantization']}" if "quantization" in metrics else metrics["format"]
    return ", ".join([size, metrics["capability"], was, *([metrics["license"]] if "license" in metrics else [])])

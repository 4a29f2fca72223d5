"""Bringing a model in: recognise its format, convert it, prove that it works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.artifacts.quantity import number_shown
from aictl.core import extras
from aictl.core.artifact import Source
from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.model.recognise import choose
from aictl.model.spec import AddSpec
from aictl.model.verify import verify


def add(
    source: Source, spec: AddSpec, folder: Path, *, base: Checkpoint | None = None, events: Events
) -> Checkpoint | OnnxModel | Adapter:
    """Write the model that ``source`` holds into ``folder``; of an adapter ``base`` is what it belongs to.

    Raises :class:`BadInput` for a source that holds no model, one that could run code, or one
    whose files are damaged; :class:`BadRequest` if it holds several, or a ``base`` is given or lacks where it must
    not; :class:`ExtraMissing` if its format needs a library that is not installed.
    """
    chosen = choose(source, spec.file)
    if (chosen.format == "adapter") != (base is not None):
        raise _with_or_without(base)
    if base is not None:
        extras.require("finetune")
        from aictl.model import adapter

        facts = adapter.bring(chosen.path, base, folder, events)
        return Adapter(folder, metrics=facts, summary=f"rank {facts['rank']} on {base.label}, was peft")
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


def _with_or_without(base: Checkpoint | None) -> BadRequest:
    if base is None:
        return BadRequest(
            "this is an adapter, which is nothing without the checkpoint it was trained on",
            cure="add that one first, and name it: --checkpoint REF",
        )
    return BadRequest("--checkpoint is for an adapter, and this is a model of its own", cure="leave it out")


def _summary(metrics: dict[str, Any]) -> str:
    size = f"{number_shown(metrics['parameters'])} parameters" if "parameters" in metrics else metrics["dtype"]
    was = f"was {metrics['quantization']}" if "quantization" in metrics else metrics["format"]
    return ", ".join([size, metrics["capability"], was, *([metrics["license"]] if "license" in metrics else [])])

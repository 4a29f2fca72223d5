"""A language model as an ONNX artifact, with all that drives it."""

from __future__ import annotations

from pathlib import Path

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel, copy_text_files, write_facts
from aictl.core.events import Events
from aictl.export.driving import write_genai_config
from aictl.export.graph import OPSET, trace
from aictl.export.parity import PROMPTS, compare, require_parity
from aictl.export.spec import OnnxSpec
from aictl.inference.checkpoints import load_merged
from aictl.inference.tokenizer import ModelTokenizer


def export(model: Checkpoint | Adapter, spec: OnnxSpec, folder: Path, *, events: Events) -> OnnxModel:
    """Write the model's ONNX form into ``folder``.

    Raises :class:`GateMissed` if a logit differs from PyTorch's by more than ``spec.tolerance``,
    :class:`WorkFailed` if the architecture cannot be traced, :class:`Damaged` if the model's files
    cannot be loaded.
    """
    base = model.base if isinstance(model, Adapter) else model
    events.started("load the model")
    module = load_merged(model)
    events.finished("load the model")

    events.started("trace the graph")
    trace(module, folder / "model.onnx")
    events.finished("trace the graph")
    copy_text_files(base.folder, folder)
    write_genai_config(module.config, folder)
    write_facts(folder, layout="standard", precision="fp32", opset=OPSET)

    exported = OnnxModel(folder)
    tokenizer = ModelTokenizer(folder)
    prompts = [tokenizer.encode(text)[: base.context_length] for text in PROMPTS]
    differences = compare(module, exported, prompts, events)
    worst = require_parity(differences, spec.tolerance)
    parameters = sum(weight.numel() for weight in module.parameters())
    return OnnxModel(
        folder,
        metrics={
            "parity": {**differences, "worst": worst, "tolerance": spec.tolerance, "prompts": len(prompts)},
            "parameters": parameters,
            "size_bytes": exported.weights_bytes,
        },
        summary=f"{parameters / 1e6:.3g}M parameters, fp32, logits within {worst:.1g} of PyTorch",
    )

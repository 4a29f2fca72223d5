"""A checkpoint or adapter becomes an ONNX artifact that is known to agree with PyTorch."""

from __future__ import annotations

from pathlib import Path

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.capability import require_capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel, copy_text_files, write_facts
from aictl.core.errors import GateMissed
from aictl.core.events import Events
from aictl.export.driving import write_genai_config
from aictl.export.graph import OPSET, trace
from aictl.export.parity import PROMPTS, compare
from aictl.export.spec import OnnxSpec
from aictl.inference.checkpoints import load_merged
from aictl.inference.tokenizer import ModelTokenizer


def export(model: Checkpoint | Adapter, spec: OnnxSpec, folder: Path, *, events: Events) -> OnnxModel:
    """Write the model's ONNX form into ``folder``.

    Raises :class:`GateMissed` if a logit differs from PyTorch's by more than ``spec.tolerance``,
    :class:`WorkFailed` if the architecture cannot be traced, :class:`Damaged` if the model's files
    cannot be loaded.
    """
    require_capability(model.label, model.capability, "text-generation", command="export onnx")
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
    worst = max(differences.values())
    if not worst <= spec.tolerance:
        case = max(differences, key=differences.__getitem__)
        raise GateMissed(
            f"the exported graph's logits differ from PyTorch's by up to {worst:.3g} ({case.replace('_', ' ')}), "
            f"and --tolerance is {spec.tolerance:.3g}",
            cure="raise --tolerance if such a difference does not matter to you",
        )
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

"""From an onnx artifact to an engine: parse, shape, build, and never success without an engine.

model.onnx ─(fp16)─▶ network ─ profiles ─▶ build ─▶ model.engine, engine.json, the tokenizer
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.capability import require_capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.engine import Engine
from aictl.artifacts.onnx import OnnxModel, copy_text_files
from aictl.artifacts.onnx_weights import require_whole
from aictl.core.errors import WrongKind
from aictl.core.events import Events
from aictl_tensorrt import builders, half
from aictl_tensorrt.network import build
from aictl_tensorrt.spec import TrtSpec


def compile_engine(model: OnnxModel, spec: TrtSpec, folder: Path, *, scratch: Path, events: Events) -> Engine:
    """Build the engine of ``model`` into ``folder``.

    Raises :class:`WrongKind` for a model with fused operators or for something else than text generation,
    ``Damaged`` for a graph that is not whole or keeps weights elsewhere, ``MachineLacks`` where this machine has
    no builder or the builder no GPU that it needs, ``WorkFailed`` with the parser's or the builder's own words
    if no engine comes out.
    """
    require_capability(model.label, model.capability, "text-generation", command="optimize trt")
    require_standard(model)
    require_whole(model.model_path)
    builder = builders.find(spec.builder)
    max_sequence = min(spec.max_sequence, model.context_length)
    if max_sequence < spec.max_sequence:
        events.noted(f"{model.label} knows {max_sequence} tokens of context, so the engine is built for these")
    began = time.monotonic()
    graph, metrics = model.model_path, {}
    if spec.precision == "fp16":
        graph, metrics["fp16"] = half.convert(model, scratch / "fp16", events)
    plan = build(builder, graph, spec, max_sequence, events)
    engine_path = folder / "model.engine"
    engine_path.write_bytes(plan.engine)
    facts = {
        "builder": builder.offer.name,
        "distribution": builder.distribution,
        "version": builder.version,
        "precision": spec.precision if model.facts.get("precision", "fp32") == "fp32" else model.facts["precision"],
        "targets": plan.targets,
        "max_batch": spec.max_batch,
        "max_sequence": max_sequence,
        "profiles": [asdict(profile) for profile in plan.profiles],
    }
    (folder / "engine.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    copy_text_files(model.folder, folder)
    shutil.copyfile(model.folder / "genai_config.json", folder / "genai_config.json")
    size_bytes = engine_path.stat().st_size
    return Engine(
        folder,
        metrics={**metrics, "size_bytes": size_bytes, "build_seconds": round(time.monotonic() - began, 3)},
        summary=f"{builder.offer.title} {builder.version}, {facts['precision']}, {size_bytes / 2**20:.1f} MiB, "
        f"batch to {spec.max_batch}, {max_sequence} tokens",
    )


def require_standard(model: OnnxModel) -> None:
    """Raise :class:`WrongKind` unless the graph has standard operators only; the cure names the
    export that it was made from, where there is one."""
    layout = model.facts.get("layout")
    if layout == "standard":
        return
    exports = (one for one in model.ancestors() if isinstance(one, OnnxModel) and one.facts.get("layout") == "standard")
    if export := next(exports, None):
        cure = f"aictl optimize trt {export.label}"
    else:
        parent = model.nearest(Adapter, Checkpoint)
        cure = f"aictl export onnx {parent.label if parent else 'CHECKPOINT'}, then aictl optimize trt on what it makes"
    raise WrongKind(
        f"{model.label} is of layout {layout}, with operators of onnxruntime's own; TensorRT reads the standard layout",
        cure=cure,
    )

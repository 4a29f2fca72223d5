"""A language model as an ONNX artifact, with all that drives it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel, copy_text_files, write_facts
from aictl.core.events import Events
from aictl.export.cached import compare
from aictl.export.driving import write_genai_config
from aictl.export.graph import trace
from aictl.export.parity import Parity
from aictl.export.precision import DTYPES, peaks, proven, require_finite
from aictl.export.samples import TEXTS
from aictl.export.spec import OnnxSpec
from aictl.inference.checkpoints import load_merged, write_merged
from aictl.inference.session import open_session
from aictl.inference.tokenizer import ModelTokenizer


def export(model: Checkpoint | Adapter, spec: OnnxSpec, folder: Path, *, events: Events) -> OnnxModel:
    """See :func:`aictl.export.onnx.export`."""
    base = model.base if isinstance(model, Adapter) else model
    copy_text_files(base.folder, folder)
    tokenizer = ModelTokenizer(folder)
    prompts = [tokenizer.encode(text)[: base.context_length] for text in TEXTS]
    parity = Parity(spec)
    with TemporaryDirectory(prefix="aictl-export-") as scratch:
        whole: Checkpoint | Adapter = model
        if isinstance(model, Adapter) and spec.precision != "fp32":
            # Merged in float32, and rounded once.
            write_merged(model, Path(scratch, "merged"))
            whole = Checkpoint(Path(scratch, "merged"), name=model.label)
        events.started("load the model")
        module = load_merged(whole)
        parameters = sum(weight.numel() for weight in module.parameters())
        with peaks(module) as wide:
            wanted = _references(module, prompts)
        if spec.precision != "fp32":
            module = load_merged(whole, dtype=DTYPES[spec.precision])
            with peaks(module) as narrow:
                rounded = _references(module, prompts)
            require_finite(module, narrow, wide, spec.precision)
            for got, reference in zip(rounded, wanted, strict=True):
                parity.saw("rounded", "logits", got, reference)
        events.finished("load the model")

        events.started("trace the graph")
        trace(module, folder / "model.onnx", spec.opset)
        events.finished("trace the graph")
        write_genai_config(module.config, folder)
        write_facts(folder, layout="standard", precision=spec.precision, opset=spec.opset)
        session = open_session(proven(folder / "model.onnx", spec.precision, Path(scratch)), device="cpu")
        compare(session, prompts, wanted, parity, events)
    agreed = parity.require(events)
    exported = OnnxModel(folder)
    return OnnxModel(
        folder,
        metrics={
            "parity": {**agreed, "prompts": len(prompts)},
            "parameters": parameters,
            "size_bytes": exported.weights_bytes,
        },
        summary=f"{parameters / 1e6:.3g}M parameters, {spec.precision}, logits within {agreed['worst']:.1g} of PyTorch",
    )


def _references(module: Any, prompts: Sequence[Sequence[int]]) -> list[np.ndarray]:
    """PyTorch's float32 logits (length, vocabulary) over each whole prompt, without cache or padding."""
    with torch.inference_mode():
        return [
            module(input_ids=torch.tensor([list(prompt)]), use_cache=False).logits[0].float().numpy()
            for prompt in prompts
        ]

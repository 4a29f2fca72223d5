"""Networks that answer in one pass, as ONNX artifacts: classifiers of texts and of pictures, and embedding models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import tokenizers
import torch

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.capability import Capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel, copy_network_files, write_facts
from aictl.artifacts.onnx_header import read_header
from aictl.core.errors import Damaged
from aictl.core.events import Events
from aictl.export.graph import FREE, OPSET, Given, save, traced
from aictl.export.parity import PROMPTS, require_parity
from aictl.export.spec import OnnxSpec
from aictl.inference.checkpoints import write_merged
from aictl.inference.embedding import max_tokens, padded
from aictl.inference.encoder_onnx import OnnxClassifier, OnnxImageClassifier, OnnxNetwork
from aictl.inference.encoder_torch import TorchClassifier, TorchImageClassifier, TorchNetwork
from aictl.inference.image_classifying import pixels_of, processor


class Form(NamedTuple):
    """How a model of a capability is run: what it takes, what it gives, and who runs it here and there."""

    inputs: tuple[str, ...]
    output: str
    torch: type[Any]
    onnx: type[Any]


_TOKENS = ("input_ids", "attention_mask")
FORMS: dict[Capability, Form] = {
    "text-classification": Form(_TOKENS, "logits", TorchClassifier, OnnxClassifier),
    "embedding": Form(_TOKENS, "last_hidden_state", TorchNetwork, OnnxNetwork),
    "image-classification": Form(("pixel_values",), "logits", TorchImageClassifier, OnnxImageClassifier),
}


class _Alone(torch.nn.Module):  # type: ignore[misc]
    """A network that gives one of its outputs and nothing else."""

    def __init__(self, network: torch.nn.Module, form: Form) -> None:
        super().__init__()
        self.network = network
        self._form = form

    def forward(self, *given: torch.Tensor) -> torch.Tensor:
        return getattr(self.network(**dict(zip(self._form.inputs, given, strict=True))), self._form.output)


def export(
    model: Checkpoint | Adapter, capability: Capability, spec: OnnxSpec, folder: Path, *, events: Events
) -> OnnxModel:
    """See :func:`aictl.export.onnx.export`."""
    form = FORMS[capability]
    base = model.base if isinstance(model, Adapter) else model
    with TemporaryDirectory(prefix="aictl-export-") as scratch:
        source = base.folder
        if isinstance(model, Adapter):
            source = Path(scratch)
            write_merged(model, source)
        events.started("load the model")
        network = form.torch(source, device="cpu")
        events.finished("load the model")
        copy_network_files(source, folder)
        batch = _pictures(source) if capability == "image-classification" else _texts(source, base)
        _trace(network.module, form, batch, folder / "model.onnx", events)
    signature = read_header(folder / "model.onnx").signature
    write_facts(folder, layout="standard", precision="fp32", opset=OPSET, capability=capability, signature=signature)
    exported = OnnxModel(folder)
    differences = _compare(network, form.onnx(exported.model_path, device="cpu"), batch, events)
    worst = require_parity(differences, spec.tolerance)
    parameters = base.brief().parameters or 0  # not the module's: transformers gives it a pooler that nothing reads
    return OnnxModel(
        folder,
        metrics={
            "parity": {**differences, "worst": worst, "tolerance": spec.tolerance, "rows": len(batch[0])},
            "parameters": parameters,
            "size_bytes": exported.weights_bytes,
        },
        summary=f"{parameters / 1e6:.3g}M parameters, fp32, {form.output.replace('_', ' ')} within {worst:.1g} of "
        "PyTorch",
    )


def _texts(folder: Path, base: Checkpoint) -> tuple[np.ndarray, ...]:
    """Token ids of real texts of unequal length, and their mask."""
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # tokenizers raises plain Exception
        raise Damaged(f"{base.folder / 'tokenizer.json'} cannot be read: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens(folder))
    return padded([one.ids for one in tokenizer.encode_batch(list(PROMPTS))])


def _pictures(folder: Path) -> tuple[np.ndarray, ...]:
    """Pictures as the model's own processor prepares them: noise of three sizes of grain, in colour."""
    from PIL import Image

    generator = np.random.default_rng(0)
    grains = (generator.integers(0, 256, (side, side, 3), dtype=np.uint8) for side in (4, 32, 256))
    drawn = [Image.fromarray(one).resize((256, 256), Image.Resampling.NEAREST) for one in grains]
    return (pixels_of(processor(folder), drawn),)


def _trace(module: Any, form: Form, batch: Sequence[np.ndarray], path: Path, events: Events) -> None:
    """Write the graph of a network, in which the batch is free, and the length of texts."""
    events.started("trace the graph")
    free = ("batch", "length") if form.inputs == _TOKENS else ("batch",)
    arguments = tuple(torch.from_numpy(one[:2]) for one in batch)
    shapes = ({axis: FREE for axis in range(len(free))},) * len(arguments)
    given = Given(form.inputs, arguments, (shapes,))  # all of them are one *given of the module's
    graph = traced(_Alone(module, form), given, [form.output], module.config.model_type)
    save(graph, path, dict.fromkeys(form.inputs, free))
    events.finished("trace the graph")


def _compare(theirs: Any, ours: Any, batch: Sequence[np.ndarray], events: Events) -> dict[str, float]:
    """Worst absolute difference of anything that comes out, of each row alone and of all in one batch. The reference
    is PyTorch's pass over each row alone, without padding."""
    rows = len(batch[0])
    task = "compare with PyTorch"
    events.started(task, total=rows + 1, unit="inputs")
    alone, references = 0.0, []
    for row in range(rows):
        one = [values[row : row + 1] for values in batch]
        if len(batch) == 2:  # tokens and their mask: without what pads it
            one = [values[:, : int(batch[1][row].sum())] for values in one]
        references.append(theirs.run(*one)[0])
        alone = _worse(alone, ours.run(*one)[0], references[-1])
        events.advanced(task, row + 1)
    together, in_batch = ours.run(*batch), 0.0
    for row, reference in enumerate(references):
        found = together[row][: len(reference)] if reference.ndim == 2 else together[row]
        in_batch = _worse(in_batch, found, reference)
    differences = {"alone": alone, "in_batch": in_batch}
    for name, value in differences.items():
        events.measured(f"difference, {name.replace('_', ' ')}", value)
    events.finished(task)
    return differences


def _worse(worst: float, got: np.ndarray, wanted: np.ndarray) -> float:
    """NaN, too, is worse than any number."""
    found = float(np.abs(got - wanted).max())
    return found if not found <= worst else worst

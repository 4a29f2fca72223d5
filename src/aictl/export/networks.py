"""Networks that answer in one pass, as ONNX artifacts: classifiers, rerankers, detectors, embedding models and dual
encoders.

Each is loaded, tried in PyTorch, traced and compared, graph by graph, as :mod:`aictl.export.forms` says.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.capability import Capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel, copy_network_files, write_facts
from aictl.artifacts.onnx_header import read_header
from aictl.core.events import Events
from aictl.export.forms import FORMS, Form, GraphForm, Traced
from aictl.export.graph import FREE, Given, save, traced
from aictl.export.parity import Parity
from aictl.export.passes import Outputs, compare, saw
from aictl.export.precision import DTYPES, peaks, proven, require_finite
from aictl.export.samples import Inputs, Samples
from aictl.export.spec import OnnxSpec
from aictl.inference.checkpoints import write_merged
from aictl.inference.session import open_session


class _Scores(NamedTuple):
    """How a dual encoder compares its vectors, and what it makes of every picture with every text (pictures, texts), in
    float32."""

    scoring: dict[str, float]
    wanted: np.ndarray


class _Tried(NamedTuple):
    """A graph's inputs, and what PyTorch gives for each alone in float32, by the names of the outputs."""

    form: GraphForm
    samples: Samples
    wanted: list[Outputs]


def export(
    model: Checkpoint | Adapter, capability: Capability, spec: OnnxSpec, folder: Path, *, events: Events
) -> OnnxModel:
    """See :func:`aictl.export.onnx.export`."""
    form = FORMS[capability]
    base = model.base if isinstance(model, Adapter) else model
    parity = Parity(spec)
    with TemporaryDirectory(prefix="aictl-export-") as scratch:
        source = base.folder
        if isinstance(model, Adapter):
            source = Path(scratch, "merged")
            write_merged(model, source)
        events.started("load the model")
        network, tried, scores = _load(form, source, spec, parity)
        events.finished("load the model")
        copy_network_files(source, folder)
        events.started("trace the graph")
        for one in tried:
            _trace(network, one, spec.opset, folder / f"{one.form.name}.onnx")
        events.finished("trace the graph")
        _write_facts(form, folder, spec, capability, {"scoring": scores.scoring} if scores else {})
        vectors = []
        for one in tried:
            path = proven(folder / f"{one.form.name}.onnx", spec.precision, Path(scratch))
            vectors.append(compare(open_session(path, device="cpu"), one.samples, one.wanted, parity, events))
    if scores is not None:
        _compare_scores(vectors, scores, parity)
    agreed = parity.require(events)
    parameters = base.brief().parameters or 0  # not the module's: transformers gives it a pooler that nothing reads
    exported = OnnxModel(folder)
    outputs = [name.replace("_", " ") for one in form.graphs for name in one.outputs]
    compared = outputs[0] if len(outputs) == 1 else f"all {len(outputs)} outputs"
    return OnnxModel(
        folder,
        metrics={
            "parity": {**agreed, "rows": sum(len(one.wanted) for one in tried)},
            "parameters": parameters,
            "size_bytes": exported.weights_bytes,
        },
        summary=f"{parameters / 1e6:.3g}M parameters, {spec.precision}, {compared} within {agreed['worst']:.1g} of "
        "PyTorch",
    )


def _load(form: Form, source: Path, spec: OnnxSpec, parity: Parity) -> tuple[Any, list[_Tried], _Scores | None]:
    """The network in the precision that is asked for, and what it gives in float32."""
    network = _loaded(form, source)
    scores: _Scores | None = None
    with peaks(network) as wide:
        tried = [_try(network, one, source) for one in form.graphs]
        if form.scoring:
            scores = _Scores(form.scoring(network), _scores(network, tried))
    if spec.precision != "fp32":
        network = _loaded(form, source, dtype=DTYPES[spec.precision])
        with peaks(network) as narrow:
            rounded = [[_run(network, one.form, row) for row in one.samples.alone] for one in tried]
        require_finite(network, narrow, wide, spec.precision)
        for one, rows in zip(tried, rounded, strict=True):
            saw(parity, "rounded", rows, one.wanted)
    return network, tried, scores


def _loaded(form: Form, source: Path, **options: Any) -> Any:
    """The network, attending step by step: PyTorch's kernel for all of it becomes operators that also guard against
    rows without anything to attend to, which onnxruntime fuses with nothing: 6 to 10% of MiniLM's time in int8."""
    network = form.loads(source, device="cpu", **options).module
    network.set_attn_implementation("eager")
    return network


def _try(network: Any, form: GraphForm, source: Path) -> _Tried:
    taken = inspect.signature(getattr(network, form.entry)).parameters
    samples = form.samples(source, taken, network.config)
    return _Tried(form, samples, [_run(network, form, row) for row in samples.alone])


def _run(network: Any, form: GraphForm, inputs: Inputs) -> Outputs:
    with torch.inference_mode():
        found = Traced(network, form, list(inputs))(*(torch.from_numpy(one) for one in inputs.values()))
    return {name: one.numpy() for name, one in zip(form.outputs, found, strict=True)}


def _scores(network: Any, tried: Sequence[_Tried]) -> np.ndarray:
    """(pictures, texts), as the network itself compares them."""
    given = {name: torch.from_numpy(one) for half in tried for name, one in half.samples.batch.items()}
    with torch.inference_mode():
        return network(**given).logits_per_image.numpy()


def _trace(network: Any, one: _Tried, opset: int, path: Path) -> None:
    """Write a graph, in which the batch is free, and what else the samples say."""
    batch, free = one.samples.batch, one.samples.free
    # Two rows of it: torch.export takes an extent of 1 for a constant.
    arguments = tuple(torch.from_numpy(values[:2]) for values in batch.values())
    shapes = tuple({axis: FREE for axis, name in enumerate(free[key]) if name} for key in batch)
    given = Given(list(batch), arguments, (shapes,))  # all of them are one *given of the module's
    module = Traced(network, one.form, list(batch))
    graph = traced(module, given, one.form.outputs, opset, network.config.model_type)
    save(graph, path, free)


def _write_facts(
    form: Form, folder: Path, spec: OnnxSpec, capability: Capability, scoring: dict[str, dict[str, float]]
) -> None:
    signatures = {one.name: read_header(folder / f"{one.name}.onnx").signature for one in form.graphs}
    single = next(iter(signatures.values())) if len(signatures) == 1 else None
    write_facts(
        folder,
        layout="standard",
        precision=spec.precision,
        opset=spec.opset,
        capability=capability,
        signature=single,
        graphs=None if single else signatures,
        **scoring,
    )


def _compare_scores(vectors: Sequence[np.ndarray], scores: _Scores, parity: Parity) -> None:
    """What is made of the graphs' vectors as the artifact says must be what the network says of pictures and texts."""
    text, image = vectors
    found = scores.scoring["scale"] * image @ text.T + scores.scoring["bias"]
    parity.saw("in_batch", "scores", found, scores.wanted)

"""Tracing a transformers model into an ONNX graph, a language model's key/value cache into plain inputs and outputs."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import onnx_ir
import onnx_ir.passes.common as passes
import onnxscript.optimizer
import torch
from transformers import DynamicCache

from aictl.core.errors import WorkFailed
from aictl.export.driving import cache_heads, head_width
from aictl.export.failing import reason

FREE = torch.export.Dim.DYNAMIC


class FlatCache(torch.nn.Module):  # type: ignore[misc]
    """A causal language model whose cache is a flat row of tensors: key and value of the first
    layer, of the second, and so on."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, position_ids: torch.Tensor, *past: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """``input_ids`` and ``position_ids`` (batch, length), ``attention_mask`` (batch, past +
        length), each of ``past`` (batch, heads, past, width). Returns the logits and the present
        cache in the same order."""
        cache: Any = DynamicCache()
        for layer in range(len(past) // 2):
            cache.update(past[2 * layer], past[2 * layer + 1], layer)
        result = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=True,
        )
        present = [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]
        return (result.logits.float(), *present)


def trace(module: Any, path: Path, opset: int) -> None:
    """Write a causal language model as an ONNX file with standard operators, its weights beside it.

    Batch, length and past are dynamic; the cache is of the module's numbers, the logits are float32. The same weights
    give the same bytes. Raises :class:`WorkFailed` if the model cannot be traced.
    """
    batch, length, past = 2, 3, 5  # any sizes above 1: torch.export takes 0 and 1 for constants
    config = module.config
    layers = config.num_hidden_layers
    shape = (batch, cache_heads(config), past, head_width(config))
    cache = [torch.zeros(shape, dtype=module.dtype) for _ in range(2 * layers)]
    tokens = torch.ones(batch, length, dtype=torch.long)
    arguments = (
        tokens,
        torch.ones(batch, past + length, dtype=torch.long),
        torch.arange(past, past + length).expand(batch, length),
        *cache,
    )
    shapes = ({0: FREE, 1: FREE}, {0: FREE, 1: FREE}, {0: FREE, 1: FREE}, tuple({0: FREE, 2: FREE} for _ in cache))
    names = [f"{n}.{part}" for n in range(layers) for part in ("key", "value")]
    inputs = ["input_ids", "attention_mask", "position_ids", *(f"past_key_values.{n}" for n in names)]
    outputs = ["logits", *(f"present.{n}" for n in names)]
    program = traced(FlatCache(module), Given(inputs, arguments, shapes), outputs, opset, config.model_type)
    free = {name: ("batch", None, "past", None) for name in inputs}
    save(program, path, free | {"input_ids": ("batch", "length"), "attention_mask": ("batch", "total")})


class Given(NamedTuple):
    """What a module is traced with: arguments with their names, in whose shapes the extents that are ``FREE`` stay
    so."""

    names: Sequence[str]
    arguments: tuple[Any, ...]
    shapes: tuple[Any, ...]


def traced(module: torch.nn.Module, given: Given, outputs: Sequence[str], opset: int, called: str) -> onnx_ir.Model:
    """The graph of a module, of operators of one version. Raises :class:`WorkFailed` for one, ``called`` so, that
    cannot be traced; it names the layer on which that failed."""
    try:
        with _quiet():
            program = torch.onnx.export(
                module.eval(),
                given.arguments,
                dynamo=True,
                opset_version=opset,
                input_names=list(given.names),
                output_names=list(outputs),
                dynamic_shapes=given.shapes,
                optimize=False,
                verbose=False,
            )
    except Exception as error:  # the exporter raises what its many passes raise
        raise WorkFailed(
            f"{called} could not be traced to ONNX: {reason(error, module)}",
            cure="export a model of another architecture; --debug shows where tracing stopped",
        ) from error
    assert program is not None
    written = program.model.opset_imports.get("")
    if written != opset:  # the converter leaves a graph alone that it cannot convert
        raise WorkFailed(
            f"{called} cannot be written in opset {opset}: the exporter gives {written}", cure=f"--opset {written}"
        )
    return program.model


def save(model: onnx_ir.Model, path: Path, free: Mapping[str, Sequence[str | None]]) -> None:
    """Write a traced graph, its weights beside it; ``free`` names the free extents of its inputs."""
    _simplify(model)
    _tidy(model, free)
    onnx_ir.save(model, path, external_data=path.name + ".data")


def _simplify(model: onnx_ir.Model) -> None:
    """Fold constants and drop what is repeated or unused.

    The exporter's own optimiser also tries hundreds of fusions on every node. For 30 layers that is
    as much work as all the rest of the export (46 of 95 CPU seconds), and onnxruntime decodes no
    faster for it: it fuses by itself when it loads a graph.
    """
    onnxscript.optimizer.fold_constants(model)
    onnx_ir.passes.Sequential(
        passes.RemoveUnusedNodesPass(),
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        passes.DeduplicateInitializersPass(),
        passes.IdentityEliminationPass(),
        passes.CommonSubexpressionEliminationPass(),
        passes.RemoveUnusedNodesPass(),
        passes.OutputFixPass(),
        passes.NameFixPass(),
    )(model)


def _tidy(model: onnx_ir.Model, free: Mapping[str, Sequence[str | None]]) -> None:
    """Name the free dimensions, and drop the exporter's notes: they hold paths of this machine,
    and the same model must give the same bytes."""
    named: dict[str, str] = {}
    for value in model.graph.inputs:
        assert value.shape is not None and value.name is not None
        for extent, name in zip(value.shape, free[value.name], strict=False):
            if isinstance(extent, onnx_ir.SymbolicDim) and name:
                named.setdefault(str(extent.value), name)
    for value in (*model.graph.inputs, *model.graph.outputs):
        assert value.shape is not None and value.name is not None
        present = value.name.startswith("present.")
        value.shape = onnx_ir.Shape(
            [
                _extent(extent, named, "total" if present and axis == 2 else None)
                for axis, extent in enumerate(value.shape)
            ]
        )
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
        for value in node.outputs:
            value.metadata_props.clear()
            if not value.is_graph_output():
                value.shape = None  # inferred again by whoever loads it
    for value in (*model.graph.inputs, *model.graph.initializers.values()):
        value.metadata_props.clear()
    model.graph.metadata_props.clear()
    model.metadata_props.clear()
    model.graph.doc_string = model.doc_string = None


def _extent(extent: Any, named: dict[str, str], instead: str | None) -> int | str:
    if isinstance(extent, int):
        return extent
    return instead or named.get(str(extent.value), str(extent.value))


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of what is missing that nobody asked for; real failures are raised."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)

"""Numbers of half the width: what they may cost, and where they overflow.

A network is loaded in them by transformers, which keeps in float32 what its authors say must be (positions' angles,
some layers of T5), and traced as it is: the graph casts where the network does. Everything is held against the network
in float32, three ways:

- PyTorch's own pass in the narrow numbers (``rounded``). On a processor onnxruntime reckons in float32 between the
  operators of an fp16 graph, so that what overflows on a GPU would not show there; PyTorch rounds after every one.
- The graph in fp16, by onnxruntime.
- The graph in bf16, for which onnxruntime has no kernels on a processor, by its twin: the same graph with the same
  rounded weights, in which every bf16 is a float32. So weights and operators are proven, and the rounding between the
  operators by PyTorch's pass alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx_ir
import torch

from aictl.core.errors import WorkFailed
from aictl.export.spec import Precision

DTYPES: Mapping[Precision, torch.dtype] = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@contextmanager
def peaks(module: torch.nn.Module) -> Iterator[dict[str, float]]:
    """The largest absolute number that comes out of each layer while this lasts, in the order in which they are first
    done; NaN where one is none."""
    found: dict[str, float] = {}

    def watch(name: str) -> Any:
        def look(layer: torch.nn.Module, given: Any, result: Any) -> None:
            for tensor in _tensors(result):
                peak = float(tensor.detach().abs().amax()) if tensor.numel() else 0.0
                before = found.get(name, 0.0)
                found[name] = before if peak <= before or math.isnan(before) else peak

        return look

    hooks = [layer.register_forward_hook(watch(name)) for name, layer in module.named_modules()]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _tensors(result: Any) -> Iterator[torch.Tensor]:
    """The floating tensors in what a layer gives."""
    if isinstance(result, torch.Tensor):
        if result.is_floating_point():
            yield result
    elif isinstance(result, Mapping | list | tuple):
        for one in result.values() if isinstance(result, Mapping) else result:
            yield from _tensors(one)


def require_finite(
    module: torch.nn.Module, found: Mapping[str, float], wide: Mapping[str, float], precision: Precision
) -> None:
    """Raise :class:`WorkFailed` that names the first layer with numbers that are not finite, though they are in
    float32 (``wide``)."""
    for name, peak in found.items():
        if math.isfinite(peak) or not math.isfinite(wide.get(name, 0.0)):
            continue
        kind = type(module.get_submodule(name)).__name__
        reach = f", where they reach {wide[name]:,.6g}" if name in wide else ""
        raise WorkFailed(
            f"in {precision} the numbers that come out of {name or 'the network'} ({kind}) are not finite, and in fp32 "
            f"they are{reach}; {precision} ends at {torch.finfo(DTYPES[precision]).max:,.6g}",
            cure="--precision bf16, whose numbers reach as far as those of fp32, or fp32"
            if precision == "fp16"
            else "--precision fp32",
        )


def proven(path: Path, precision: Precision, scratch: Path) -> Path:
    """The graph that is run to prove the one at ``path``: itself, or its twin in ``scratch``."""
    if precision != "bf16":
        return path
    write_twin(path, scratch / path.name)
    return scratch / path.name


def write_twin(path: Path, twin: Path) -> None:
    """Write the graph at ``path`` to ``twin``, with float32 in place of every bfloat16."""
    model = onnx_ir.load(path)
    narrow, wide = onnx_ir.DataType.BFLOAT16, onnx_ir.DataType.FLOAT
    for value in (*model.graph.inputs, *model.graph.outputs, *model.graph.initializers.values()):
        _widen(value)
    for node in model.graph.all_nodes():
        for value in node.outputs:
            _widen(value)
        for name, attribute in list(node.attributes.items()):
            if attribute.type == onnx_ir.AttributeType.INT and name in ("to", "dtype", "output_dtype"):
                if attribute.as_int() == narrow:
                    node.attributes[name] = onnx_ir.AttrInt64(name, int(wide))
            elif attribute.type == onnx_ir.AttributeType.TENSOR and attribute.as_tensor().dtype == narrow:
                node.attributes[name] = onnx_ir.AttrTensor(name, _widened(attribute.as_tensor()))
    onnx_ir.save(model, twin, external_data=twin.name + ".data")


def _widen(value: onnx_ir.Value) -> None:
    if value.dtype == onnx_ir.DataType.BFLOAT16:
        value.dtype = onnx_ir.DataType.FLOAT
    if value.const_value is not None and value.const_value.dtype == onnx_ir.DataType.BFLOAT16:
        value.const_value = _widened(value.const_value)


def _widened(tensor: Any) -> onnx_ir.Tensor:
    return onnx_ir.Tensor(tensor.numpy().astype("float32"), name=tensor.name)

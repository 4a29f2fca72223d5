"""The matrices of a fused graph in full precision, and their rounded forms put in their place.

Everything here goes by operators and edges, never by the names of an architecture's layers: a
matrix is the constant operand of a MatMul, and an embedding is what token ids pick rows from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import onnx_ir as ir

from aictl.optimize.rounding.grid import Floats, Rounded
from aictl.optimize.rounding.packing import packed_codes, packed_zeros

FUSED = "com.microsoft"  # the domain of onnxruntime's own operators
INT8_ACTIVATIONS = 4  # MatMulNBits' accuracy_level: its inputs are rounded to 8 bits, block by block


@dataclass(frozen=True)
class Matrix:
    """A MatMul by constant weights."""

    node: ir.Node

    @property
    def name(self) -> str:
        return cast(str, self.node.name)

    @property
    def source(self) -> str:
        """The name of what is multiplied. Matrices that share it have the same inputs."""
        return cast(str, cast(ir.Value, self.node.inputs[0]).name)

    @property
    def parameter(self) -> ir.Value:
        """The weights' place in the graph, where they have the shape (inputs, outputs)."""
        return cast(ir.Value, self.node.inputs[1])

    @property
    def weights(self) -> Floats:
        """Of shape (outputs, inputs): a row per output, as all rounding has it."""
        return np.ascontiguousarray(values_of(self.parameter).T)

    @property
    def shape(self) -> tuple[int, int]:
        """(outputs, inputs)"""
        inputs, outputs = (int(size) for size in cast(ir.Shape, self.parameter.shape))
        return outputs, inputs

    @property
    def lookups(self) -> list[ir.Node]:
        """The Gathers that embed tokens with the same weights, transposed."""
        transposes = [user for user, _ in self.parameter.uses() if user.op_type == "Transpose"]
        return [user for transpose in transposes for user, _ in transpose.outputs[0].uses()]


def matrices(model: ir.Model) -> list[Matrix]:
    """All that can be rounded, in the order in which they are computed."""
    return [Matrix(node) for node in model.graph if node.op_type == "MatMul" and _constant_matrix(node.inputs[1])]


def tables(model: ir.Model) -> list[ir.Node]:
    """The Gathers that embed tokens with weights of their own, of shape (vocabulary, width)."""
    ids = next(value for value in model.graph.inputs if value.name == "input_ids")
    return [user for user, _ in ids.uses() if user.op_type == "Gather" and _constant_matrix(user.inputs[0])]


def values_of(parameter: ir.Value) -> Floats:
    tensor = parameter.const_value
    assert tensor is not None
    return np.asarray(tensor.numpy(), np.float32)


def assign(parameter: ir.Value, values: Floats) -> None:
    """Give a parameter other values."""
    parameter.const_value = ir.tensor(values, name=parameter.name)


def place(model: ir.Model, matrix: Matrix, rounded: Rounded) -> None:
    """Put MatMulNBits in the place of a MatMul. Tokens that its weights embed too are looked up in the rounded ones."""
    node, parameter, lookups = matrix.node, matrix.parameter, matrix.lookups
    grid, (rows, columns) = rounded.grid, rounded.codes.shape
    stored = _store(model, parameter, rounded)
    attributes = {"K": columns, "N": rows, "bits": grid.bits, "block_size": grid.block}
    attributes["accuracy_level"] = INT8_ACTIVATIONS
    fused = ir.node(
        "MatMulNBits", [node.inputs[0], *stored], attributes, domain=FUSED, name=f"{node.name}_Q{grid.bits}"
    )
    _exchange(model, node, [fused])
    for lookup in lookups:
        transpose = cast(ir.Node, cast(ir.Value, lookup.inputs[0]).producer())
        _look_up(model, lookup, rounded, stored)
        if not transpose.outputs[0].uses():
            model.graph.remove(transpose, safe=True)
    _drop(model, parameter)


def place_table(model: ir.Model, lookup: ir.Node, rounded: Rounded) -> None:
    """Put GatherBlockQuantized in the place of a Gather."""
    table = cast(ir.Value, lookup.inputs[0])
    _look_up(model, lookup, rounded, _store(model, table, rounded))
    _drop(model, table)


Stored = tuple[ir.Value, ir.Value, ir.Value]


def _look_up(model: ir.Model, lookup: ir.Node, rounded: Rounded, stored: Stored) -> None:
    """GatherBlockQuantized wants codes of shape (rows, bytes), and gives rows of whole blocks."""
    codes, scales, zeros = stored
    grid, (rows, columns) = rounded.grid, rounded.codes.shape
    padded = grid.blocks(columns) * grid.block
    name = f"{lookup.name}_Q{grid.bits}"
    flat = ir.node(
        "Reshape", [codes, _whole(model, f"{name}/shape", [rows, padded * grid.bits // 8])], name=f"{name}/Reshape"
    )
    attributes = {"bits": grid.bits, "block_size": grid.block, "gather_axis": 0, "quantize_axis": 1}
    gather = ir.node(
        "GatherBlockQuantized", [flat.outputs[0], lookup.inputs[1], scales, zeros], attributes, domain=FUSED, name=name
    )
    nodes = [flat, gather]
    if padded != columns:
        bounds = [_whole(model, f"{name}/{word}", [at]) for word, at in (("start", 0), ("stop", columns), ("axis", -1))]
        nodes.append(ir.node("Slice", [gather.outputs[0], *bounds], name=f"{name}/Slice"))
    _exchange(model, lookup, nodes)


def _store(model: ir.Model, parameter: ir.Value, rounded: Rounded) -> Stored:
    codes, scales, zeros = (
        _initializer(model, f"{parameter.name}_{word}", values)
        for word, values in (
            (f"Q{rounded.grid.bits}", packed_codes(rounded)),
            ("scales", rounded.scales),
            ("zeros", packed_zeros(rounded)),
        )
    )
    return codes, scales, zeros


def _whole(model: ir.Model, name: str, numbers: list[int]) -> ir.Value:
    return _initializer(model, name, np.array(numbers, np.int64))


def _initializer(model: ir.Model, name: str, values: np.ndarray) -> ir.Value:
    tensor = ir.tensor(values, name=name)
    value = ir.Value(name=name, shape=ir.Shape(values.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
    model.graph.register_initializer(value)
    return value


def _exchange(model: ir.Model, old: ir.Node, new: list[ir.Node]) -> None:
    ir.convenience.replace_nodes_and_values(model.graph, old, [old], new, [old.outputs[0]], [new[-1].outputs[0]])


def _drop(model: ir.Model, parameter: ir.Value) -> None:
    if not parameter.uses():
        del model.graph.initializers[cast(str, parameter.name)]


def _constant_matrix(value: ir.Value | None) -> bool:
    return value is not None and value.const_value is not None and len(value.const_value.shape) == 2

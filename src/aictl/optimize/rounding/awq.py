"""AWQ-style scaling: inputs that carry much are made small, and their weights large, so that
rounding hurts them less.

Lin et al. 2023 (https://arxiv.org/abs/2306.00978). A column's scale is a power of its input's size;
the power is searched for each tensor, as the one under which the outputs of the matrices it feeds
err least. The scales cost nothing when the model runs: they are folded into what makes the tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from aictl.optimize.rounding.calibration import Moments
from aictl.optimize.rounding.graph import Matrix, assign, values_of
from aictl.optimize.rounding.grid import Floats, Grid, fit, nearest, on

POWERS = tuple(step / 10 for step in range(0, 10))
_NORM_WEIGHT = {"SimplifiedLayerNormalization": 1, "SkipSimplifiedLayerNormalization": 2}  # which input it is


def fold_scales(fed: Sequence[Matrix], moments: Moments, grid: Grid) -> bool:
    """Scale the tensor that feeds the matrices ``fed``, in their graph, and these against it, so that the model
    computes what it did. ``moments`` are the tensor's. Returns False, and does nothing, where
    nothing that makes the tensor can take the scales.
    """
    source = cast(ir.Value, fed[0].node.inputs[0])
    target = _foldable(source, fed)
    if target is None:
        return False
    scales = _best_scales([matrix.weights for matrix in fed], moments, grid)
    for matrix in fed:
        assign(matrix.parameter, matrix.weights.T * scales[:, None])
    assign(target, values_of(target) / scales)  # a norm's weights, or a matrix's along its outputs
    return True


def rounded_behind_scales(matrix: Matrix, fed: Sequence[Matrix], moments: Moments, grid: Grid) -> Floats:
    """What one of the matrices that a tensor feeds comes to, of shape (rows, columns), when it is rounded after
    :func:`fold_scales` and the scales are taken out again. Nothing in the graph changes."""
    importance = moments.diagonal().astype(np.float32)
    if _foldable(cast(ir.Value, matrix.node.inputs[0]), fed) is None:
        return nearest(matrix.weights, grid, importance).weights
    scales = _best_scales([one.weights for one in fed], moments, grid)
    return nearest(matrix.weights * scales, grid, importance / scales**2).weights / scales


def _foldable(source: ir.Value, fed: Sequence[Matrix]) -> ir.Value | None:
    """The weights that ``source`` is a product with: a norm's, or those of the matrix behind one side of a gate."""
    if len(source.uses()) != len(fed) or source.is_graph_output() or any(matrix.lookups for matrix in fed):
        return None
    maker = source.producer()
    if maker is None:
        return None
    if maker.op_type in _NORM_WEIGHT and source.index() == 0:
        weight = cast(ir.Value, maker.inputs[_NORM_WEIGHT[maker.op_type]])
        return weight if weight.const_value is not None and len(weight.uses()) == 1 else None
    if maker.op_type == "Mul":
        for side in maker.inputs:
            behind = side.producer() if side is not None and len(side.uses()) == 1 else None
            if behind is not None and behind.op_type == "MatMul":
                weight = cast(ir.Value, behind.inputs[1])
                if weight.const_value is not None and len(weight.uses()) == 1:
                    return weight
    return None


def _best_scales(weights: Sequence[Floats], moments: Moments, grid: Grid) -> Floats:
    """Of shape (columns,)."""
    size = np.sqrt(np.maximum(moments.diagonal(), 1e-12))
    dense = moments.astype(np.float32)
    least, best = np.inf, np.ones(len(size), np.float32)
    for power in POWERS:
        scales = size**power
        scales = (scales / np.sqrt(scales.max() * scales.min())).astype(np.float32)
        importance = (moments.diagonal() / scales**2).astype(np.float32)
        cost = 0.0
        for matrix in weights:
            scaled = matrix * scales
            rounded = on(scaled, grid, *fit(scaled, grid, importance, shrinks=(1.0,)))
            cost += output_error(rounded.weights / scales - matrix, dense)
        if cost < least:
            least, best = cost, scales
    return best


def output_error(error: Floats, moments: npt.NDArray[np.floating]) -> float:
    """What an error in the weights, of shape (rows, columns), does to the outputs: mean squares, summed over them."""
    return float(np.einsum("rc,rc->", error @ moments.astype(np.float32), error))

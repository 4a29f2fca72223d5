"""Which way of rounding suits a model best, told from a few of its matrices before all of them are rounded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx_ir as ir

from aictl.optimize.rounding.awq import output_error, rounded_behind_scales
from aictl.optimize.rounding.calibration import Moments, Texts, moments
from aictl.optimize.rounding.graph import Matrix, matrices
from aictl.optimize.rounding.grid import Bits, Floats
from aictl.optimize.rounding.rounder import Recipe, Rounding, round_matrix

PROBED = 8  # matrices, evenly spread over the model


def output_errors(
    source: Path, bits: Bits, block: int, ways: Sequence[Rounding], texts: Texts, *, threads: int | None = None
) -> dict[Rounding, float]:
    """What each way of rounding does to the outputs of some of the matrices of the fused graph in ``source``, on
    ``texts``: mean squares of the error as a share of those of the outputs, averaged over the matrices.

    It is what GPTQ and AWQ make small (equation 1 of https://arxiv.org/abs/2210.17323), and between ways with the same
    grids it goes before what the model loses.
    """
    found = matrices(ir.load(source / "model.onnx"))
    probed = _spread([matrix for matrix in found if not matrix.lookups])
    seen = moments(source, [matrix.source for matrix in probed], texts, threads=threads)
    errors: dict[Rounding, float] = dict.fromkeys(ways, 0.0)
    for matrix in probed:
        fed = [one for one in found if one.source == matrix.source]
        weights, felt = matrix.weights, seen[matrix.source]
        whole = output_error(weights, felt)
        for way in ways:
            there = _rounded(matrix, fed, felt, Recipe(bits, way, block))
            errors[way] += output_error(there - weights, felt) / max(whole, 1e-30) / len(probed)
    return errors


def _spread(found: Sequence[Matrix]) -> list[Matrix]:
    places = np.linspace(0, len(found) - 1, min(PROBED, len(found))).round().astype(int)
    return [found[place] for place in dict.fromkeys(places.tolist())]


def _rounded(matrix: Matrix, fed: Sequence[Matrix], seen: Moments, recipe: Recipe) -> Floats:
    grid = recipe.grid(recipe.bits, matrix.shape[1])
    if recipe.rounding == "awq":
        return rounded_behind_scales(matrix, fed, seen, grid)
    return round_matrix(matrix, grid, recipe.rounding, seen).weights

"""HQQ: grids that fit most weights well and give up on the few that stand out, without any text.

Badri and Shaji 2023, half-quadratic quantisation (https://mobiusml.github.io/hqq_blog/): the error
is measured in an lp norm with p below 1, split into a sparse part, found by shrinking, and a part
that is quadratic. There the zero point alone is fitted, and as a fraction; the operator's zero
points are whole numbers, so here the scale is fitted as well.
"""

from __future__ import annotations

import numpy as np

from aictl.optimize.rounding.grid import Floats, Grid, Rounded, fit, on

NORM = 0.7  # p, the paper's
STEPS = 20
STRICTNESS, GROWTH = 10.0, 1.05  # beta and kappa, of the paper's code: the quadratic part counts ever more


def hqq(weights: Floats, grid: Grid) -> Rounded:
    """``weights`` of shape (rows, columns), rounded to nearest on grids of the least lp error per block."""
    rows, columns = weights.shape
    blocks = grid.blocks(columns)
    scales, zeros = fit(weights, grid, shrinks=(1.0,))
    rounded = on(weights, grid, scales, zeros)
    padded = np.zeros((rows, blocks * grid.block), np.float32)
    best, least = rounded, _errors(weights, rounded)
    beta = STRICTNESS
    for _ in range(STEPS):
        error = weights - rounded.weights
        size = np.abs(error)
        sparse = np.sign(error) * np.maximum(size - np.maximum(size, 1e-8) ** (NORM - 1) / beta, 0)
        padded[:, :columns] = weights - sparse
        wanted = padded.reshape(rows, blocks, grid.block).copy()
        padded[:, :columns] = rounded.codes
        codes = padded.reshape(rows, blocks, grid.block)
        zeros = np.clip(np.rint((codes - wanted / scales[..., None]).mean(axis=2)), 0, grid.levels).astype(np.uint8)
        steps = codes - zeros[..., None]
        energy = (steps * steps).sum(axis=2)
        fitted = (steps * wanted).sum(axis=2) / np.where(energy > 0, energy, 1)
        scales = np.where(fitted > 0, fitted, scales).astype(np.float32)
        rounded = on(weights, grid, scales, zeros)
        best, least = _better(best, least, rounded, _errors(weights, rounded))
        beta *= GROWTH
    return best


def _errors(weights: Floats, rounded: Rounded) -> Floats:
    """The lp error of each block, of shape (rows, blocks)."""
    grid, columns = rounded.grid, weights.shape[1]
    error = np.zeros((len(weights), grid.blocks(columns) * grid.block), np.float32)
    error[:, :columns] = np.abs(weights - rounded.weights) ** NORM
    total: Floats = error.reshape(len(weights), -1, grid.block).sum(axis=2)
    return total


def _better(best: Rounded, least: Floats, rounded: Rounded, errors: Floats) -> tuple[Rounded, Floats]:
    """Block by block, whichever of two roundings is the closer."""
    won = errors < least
    columns = np.repeat(won, best.grid.block, axis=1)[:, : best.codes.shape[1]]
    return Rounded(
        best.grid,
        np.where(columns, rounded.codes, best.codes),
        np.where(won, rounded.scales, best.scales),
        np.where(won, rounded.zeros, best.zeros),
    ), np.where(won, errors, least)

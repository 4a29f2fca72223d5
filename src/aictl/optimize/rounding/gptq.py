"""GPTQ: round column by column, and let the columns still to come make up for each error.

Frantar, Ashkboos, Hoefler, Alistarh 2022 (https://arxiv.org/abs/2210.17323). What is kept small is
not the error of the weights but that of the layer's output on real inputs, whose second moments
say how far one column can stand in for another.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aictl.optimize.rounding.grid import Codes, Floats, Grid, Rounded, fit

DAMPING = 0.01  # of the mean second moment, added to each: the paper's
PANEL = 64  # columns whose errors are spread at once beyond themselves: a matter of speed alone
ROWS = 4096  # rows worked on together, so that a panel stays in the cache


def gptq(weights: Floats, moments: npt.NDArray[np.floating], grid: Grid, *, damping: float = DAMPING) -> Rounded:
    """``weights`` of shape (rows, columns), rounded for inputs with second ``moments`` of shape
    (columns, columns): the mean of x xᵀ over calibration text.

    Columns are taken in falling order of their moments ("act-order"), so that what matters most is
    rounded first. Each block's grid is fitted beforehand, because the operator's blocks are of
    neighbouring columns, whenever those are rounded.
    """
    diagonal = moments.diagonal()
    order = np.argsort(-diagonal, kind="stable")
    upper = _spread(moments[np.ix_(order, order)].astype(np.float64), damping)
    scales, zeros = fit(weights, grid, diagonal.astype(np.float32) + np.float32(damping * diagonal.mean()))
    codes = np.empty(weights.shape, np.uint8)
    for start in range(0, len(weights), ROWS):
        part = slice(start, start + ROWS)
        codes[part, order] = _round(weights[part], scales[part], zeros[part], grid, order=order, upper=upper)
    return Rounded(grid, codes, scales, zeros)


def _spread(moments: npt.NDArray[np.float64], damping: float) -> Floats:
    """The upper Cholesky factor of the inverse: row i says how an error in column i is made up for by
    the columns after it (the paper's section 3.3, step 3)."""
    size = len(moments)
    mean = moments.diagonal().mean()
    damped = moments + np.eye(size) * (damping * mean if mean > 0 else 1.0)
    inverse = np.linalg.inv(damped)
    upper: Floats = np.linalg.cholesky((inverse + inverse.T) / 2).T.astype(np.float32)
    return upper


def _round(
    weights: Floats, scales: Floats, zeros: Codes, grid: Grid, *, order: npt.NDArray[np.intp], upper: Floats
) -> Codes:
    """Codes of shape (rows, columns), columns in ``order``."""
    left = np.ascontiguousarray(weights.T[order])  # (columns, rows): what remains to be rounded
    scale, zero = np.ascontiguousarray(scales.T), zeros.T.astype(np.float32)
    codes = np.empty(left.shape, np.uint8)
    for start in range(0, len(left), PANEL):
        stop = min(start + PANEL, len(left))
        errors = np.empty((stop - start, left.shape[1]), np.float32)
        for column in range(start, stop):
            block = order[column] // grid.block
            code = np.clip(np.rint(left[column] / scale[block]) + zero[block], 0, grid.levels)
            codes[column] = code
            error = (left[column] - scale[block] * (code - zero[block])) / upper[column, column]
            left[column + 1 : stop] -= upper[column, column + 1 : stop, None] * error
            errors[column - start] = error
        left[stop:] -= upper[start:stop, stop:].T @ errors
    return codes.T

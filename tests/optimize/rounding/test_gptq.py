"""GPTQ makes the outputs err less than rounding each weight by itself, and says the truth about its grid."""

from __future__ import annotations

import numpy as np
import pytest

from aictl.optimize.rounding.awq import output_error
from aictl.optimize.rounding.gptq import gptq
from aictl.optimize.rounding.grid import Grid, nearest, plain


def correlated(columns=96, seed=0) -> tuple[np.ndarray, np.ndarray]:
    """Weights, and the second moments of inputs of which neighbours go together."""
    rng = np.random.default_rng(seed)
    inputs = np.cumsum(rng.standard_normal((400, columns)), axis=1) * rng.uniform(0.2, 2, columns)
    return rng.standard_normal((40, columns)).astype(np.float32), inputs.T @ inputs / len(inputs)


@pytest.mark.parametrize("grid", [Grid(4, 32), Grid(4, 64), Grid(8, 32)], ids=str)
def test_outputs_err_less_than_by_rounding_to_nearest(grid):
    weights, moments = correlated()
    importance = moments.diagonal().astype(np.float32)
    error = {
        "plain": output_error(plain(weights, grid).weights - weights, moments),
        "nearest": output_error(nearest(weights, grid, importance).weights - weights, moments),
        "gptq": output_error(gptq(weights, moments, grid).weights - weights, moments),
    }
    assert error["gptq"] < 0.2 * min(error["nearest"], error["plain"])


def test_with_inputs_that_do_not_go_together_there_is_nothing_to_make_up_for():
    weights, _ = correlated()
    grid = Grid(4, 32)
    moments = np.diag(np.linspace(1, 2, 96))
    rounded = nearest(weights, grid, moments.diagonal().astype(np.float32))
    codes = gptq(weights, moments, grid, damping=0).codes
    np.testing.assert_array_equal(codes, rounded.codes)


def test_inputs_that_never_move_do_no_harm():
    weights, moments = correlated()
    moments[5] = moments[:, 5] = 0
    rounded = gptq(weights, moments, Grid(4, 32)).weights
    assert np.isfinite(rounded).all()
    assert np.isfinite(gptq(weights, np.zeros_like(moments), Grid(4, 32)).weights).all()
    assert output_error(rounded - weights, moments) < output_error(
        plain(weights, Grid(4, 32)).weights - weights, moments
    )


def test_rows_are_rounded_each_by_itself():
    weights, moments = correlated()
    together = gptq(weights, moments, Grid(4, 32)).codes
    np.testing.assert_array_equal(together[7:8], gptq(weights[7:8], moments, Grid(4, 32)).codes)

"""Grids fit their blocks, and what onnxruntime computes with is exactly what was rounded to."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from aictl.optimize.rounding.grid import Grid, Rounded, nearest, plain
from aictl.optimize.rounding.hqq import NORM, hqq
from aictl.optimize.rounding.packing import packed_codes, packed_zeros


def matrix(rows=24, columns=96, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)


def computed(node: onnx.NodeProto, feed: np.ndarray, constants: dict[str, np.ndarray]) -> np.ndarray:
    """What onnxruntime makes of one node, x -> y."""
    kind = helper.np_dtype_to_tensor_dtype(feed.dtype)
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x", kind, feed.shape)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["y"], {"x": feed})[0]


GRIDS = [Grid(bits, block) for bits in (4, 8) for block in (16, 32, 64)]  # of 96 columns: 6, 3 and 1.5 blocks


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_matmulnbits_computes_with_the_rounded_weights(grid):
    rounded = nearest(matrix(), grid)
    node = helper.make_node(
        "MatMulNBits", ["x", "codes", "scales", "zeros"], ["y"], domain="com.microsoft",
        K=96, N=24, bits=grid.bits, block_size=grid.block,
    )  # fmt: skip
    constants = {"codes": packed_codes(rounded), "scales": rounded.scales, "zeros": packed_zeros(rounded)}
    result = computed(node, np.eye(96, dtype=np.float32), constants)
    np.testing.assert_allclose(result, rounded.weights.T, rtol=0, atol=1e-6)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_gatherblockquantized_looks_up_the_same(grid):
    rounded = nearest(matrix(), grid)
    node = helper.make_node(
        "GatherBlockQuantized", ["codes", "x", "scales", "zeros"], ["y"], domain="com.microsoft",
        bits=grid.bits, block_size=grid.block, gather_axis=0, quantize_axis=1,
    )  # fmt: skip
    codes = packed_codes(rounded).reshape(24, -1)
    result = computed(node, np.arange(24), {"codes": codes, "scales": rounded.scales, "zeros": packed_zeros(rounded)})
    np.testing.assert_array_equal(result[:, :96], rounded.weights)
    assert not result[:, 96:].any()  # what fills up the last block


@pytest.mark.parametrize("bits", [4, 8])
def test_plain_rounding_errs_by_half_a_step_at_most(bits):
    weights, grid = matrix(), Grid(bits, 32)
    rounded = plain(weights, grid)
    assert (np.abs(rounded.weights - weights) <= 1.01 * np.repeat(rounded.scales, 32, axis=1)).all()
    typical = np.abs(rounded.weights - weights).mean() / rounded.scales.mean()
    assert typical == pytest.approx(0.25, abs=0.02)  # the mean of a uniform error within half a step


def test_weights_that_are_on_a_grid_already_stay_as_they_are():
    rng, grid = np.random.default_rng(0), Grid(4, 32)
    codes = rng.integers(0, 16, (24, 96), np.uint8)
    codes[:, ::32], codes[:, 1::32] = 0, 15  # the grid is known by its ends
    scales = rng.uniform(0.1, 1, (24, 3)).astype(np.float32)
    weights = Rounded(grid, codes, scales, rng.integers(1, 15, (24, 3), np.uint8)).weights
    for way in (plain, nearest, hqq):
        np.testing.assert_allclose(way(weights, grid).weights, weights, atol=1e-5)


def test_a_fitted_grid_errs_less_than_a_plain_one_and_least_where_it_matters():
    weights, grid = matrix(), Grid(4, 32)
    importance = np.ones(96, np.float32)
    importance[::8] = 100
    errors = {
        "plain": (plain(weights, grid).weights - weights) ** 2,
        "fitted": (nearest(weights, grid).weights - weights) ** 2,
        "weighed": (nearest(weights, grid, importance).weights - weights) ** 2,
    }
    assert errors["fitted"].mean() < errors["plain"].mean()
    assert errors["weighed"][:, ::8].mean() < 0.7 * errors["fitted"][:, ::8].mean()


def test_hqq_errs_less_in_its_own_norm_when_a_few_weights_stand_out():
    weights, grid = matrix(), Grid(4, 32)
    weights[:, ::31] *= 6
    error = {way.__name__: (np.abs(way(weights, grid).weights - weights) ** NORM).mean() for way in (plain, hqq)}
    assert error["hqq"] < 0.99 * error["plain"]


def test_a_matrix_of_zeros_stays_one():
    for way in (plain, nearest, hqq):
        assert not way(np.zeros((4, 40), np.float32), Grid(4, 32)).weights.any()


def test_size_is_that_of_what_is_stored():
    for grid in GRIDS:
        rounded = nearest(matrix(), grid)
        stored = (packed_codes(rounded), rounded.scales, packed_zeros(rounded))
        assert rounded.size_bytes == sum(array.nbytes for array in stored)

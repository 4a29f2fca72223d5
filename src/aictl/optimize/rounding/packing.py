"""Rounded matrices as onnxruntime's operators keep them.

The layouts are those of MatMulNBits and GatherBlockQuantized in onnxruntime's
docs/ContribOperators.md: codes of shape (rows, blocks, bytes of a block), scales of shape
(rows, blocks), zero points of shape (rows, bytes of a row's); of two 4-bit numbers in a byte the
first is the lower half.
"""

from __future__ import annotations

import numpy as np

from aictl.optimize.rounding.grid import Codes, Rounded


def packed_codes(rounded: Rounded) -> Codes:
    """Of shape (rows, blocks, block * bits / 8). Columns that fill up the last block hold the
    zero point, which is a weight of 0."""
    grid, (rows, columns) = rounded.grid, rounded.codes.shape
    blocks = grid.blocks(columns)
    full = np.repeat(rounded.zeros, grid.block, axis=1)
    full[:, :columns] = rounded.codes
    return _bytes(full, grid.bits).reshape(rows, blocks, -1)


def packed_zeros(rounded: Rounded) -> Codes:
    """Of shape (rows, ceil(blocks * bits / 8))."""
    return _bytes(rounded.zeros, rounded.grid.bits)


def _bytes(numbers: Codes, bits: int) -> Codes:
    if bits == 8:
        return np.ascontiguousarray(numbers)
    if numbers.shape[1] % 2:
        numbers = np.pad(numbers, ((0, 0), (0, 1)))
    halves: Codes = numbers[:, 0::2] | (numbers[:, 1::2] << np.uint8(4))
    return halves

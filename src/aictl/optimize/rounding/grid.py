"""The grid that weights are rounded to: blocks of a row share a scale and a zero point.

A weight is ``scale * (code - zero)``, with code and zero point whole numbers of ``bits`` bits. These
are the numbers that onnxruntime's MatMulNBits and GatherBlockQuantized take.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]
Bits = Literal[4, 8]

SHRINKS = (1.0, 0.97, 0.94, 0.91, 0.88, 0.85, 0.82, 0.79, 0.75, 0.7)
"""How much of a block's range its grid may span: what is cut off at the ends refines all between."""

CACHED = 2**17  # weights worked on together, so that they stay in the processor's cache


@dataclass(frozen=True)
class Grid:
    """``bits`` per weight, ``block`` neighbouring weights of a row to a scale and a zero point."""

    bits: Bits
    block: int

    @property
    def levels(self) -> int:
        """The largest code."""
        return 2**self.bits - 1

    def blocks(self, columns: int) -> int:
        return -(-columns // self.block)

    def size_bytes(self, rows: int, columns: int) -> int:
        """What a matrix comes to on disk: codes, scales in float32, and zero points."""
        blocks = self.blocks(columns)
        return rows * (blocks * self.block * self.bits // 8 + blocks * 4 + -(-blocks * self.bits // 8))


@dataclass(frozen=True)
class Rounded:
    """A matrix of ``rows`` outputs and ``columns`` inputs, rounded.

    ``codes`` has shape (rows, columns), ``scales`` and ``zeros`` have (rows, blocks).
    """

    grid: Grid
    codes: Codes
    scales: Floats
    zeros: Codes

    @property
    def weights(self) -> Floats:
        """What the runtime computes with, in float32 of shape (rows, columns)."""
        block, columns = self.grid.block, self.codes.shape[1]
        scales = np.repeat(self.scales, block, axis=1)[:, :columns]
        zeros = np.repeat(self.zeros, block, axis=1)[:, :columns]
        values: Floats = scales * (self.codes.astype(np.float32) - zeros)
        return values

    @property
    def size_bytes(self) -> int:
        return self.grid.size_bytes(*self.codes.shape)


def fit(
    weights: Floats, grid: Grid, importance: Floats | None = None, shrinks: tuple[float, ...] = SHRINKS
) -> tuple[Floats, Codes]:
    """Scales and zero points, each of shape (rows, blocks), under which rounding ``weights`` to
    nearest costs least.

    Every block tries grids over its own range (which includes 0) and over shorter ones, then
    fits the scale to the codes by least squares. ``importance`` weighs the squared errors of the
    columns: the mean square of each input, say.
    """
    weighed = np.ones(weights.shape[1], np.float32) if importance is None else importance.astype(np.float32)
    weighed = _blocked(weighed[None], grid)  # (1, blocks, block); padding weighs nothing
    rows, blocks = len(weights), grid.blocks(weights.shape[1])
    scales, zeros = np.empty((rows, blocks), np.float32), np.empty((rows, blocks), np.uint8)
    step = max(1, CACHED // weights.shape[1])
    for start in range(0, rows, step):
        part = slice(start, start + step)
        scales[part], zeros[part] = _fit(_blocked(weights[part], grid), grid, weighed, shrinks)
    return scales, zeros


def _fit(blocked: Floats, grid: Grid, weighed: Floats, shrinks: tuple[float, ...]) -> tuple[Floats, Codes]:
    """The same of weights of shape (rows, blocks, block)."""
    low = np.minimum(blocked.min(axis=2), 0)
    high = np.maximum(blocked.max(axis=2), 0)
    span = np.maximum(high - low, np.finfo(np.float32).tiny * 2**grid.bits)
    zero = np.clip(np.rint(-low / span * grid.levels), 0, grid.levels)  # shrinking about 0 leaves it where it is
    least = np.full(low.shape, np.inf, np.float32)
    scales = np.ones_like(low)
    for shrink in shrinks:
        scale = span * np.float32(shrink / grid.levels)
        steps = _steps(blocked, scale, zero, grid)
        pull = steps * weighed
        energy = np.einsum("rbk,rbk->rb", pull, steps)
        fitted = np.einsum("rbk,rbk->rb", pull, blocked) / np.where(energy > 0, energy, 1)
        scale = np.where(fitted > 0, fitted, scale)
        steps = _steps(blocked, scale, zero, grid)  # the codes that are nearest under the scale just fitted
        steps *= scale[..., None]
        steps -= blocked
        steps *= steps
        steps *= weighed
        cost = steps.sum(axis=2)
        better = cost < least
        least = np.where(better, cost, least)
        scales = np.where(better, scale, scales)
    return scales, zero.astype(np.uint8)


def nearest(weights: Floats, grid: Grid, importance: Floats | None = None) -> Rounded:
    """Round every weight by itself to the nearest point of its block's best grid."""
    scales, zeros = fit(weights, grid, importance)
    return on(weights, grid, scales, zeros)


def plain(weights: Floats, grid: Grid) -> Rounded:
    """Round to nearest on grids over each block's whole range: the baseline."""
    scales, zeros = fit(weights, grid, shrinks=(1.0,))
    return on(weights, grid, scales, zeros)


def on(weights: Floats, grid: Grid, scales: Floats, zeros: Codes) -> Rounded:
    """Round to nearest on given grids."""
    steps = _steps(_blocked(weights, grid), scales, zeros.astype(np.float32), grid)
    codes = (steps + zeros[..., None]).reshape(len(weights), -1)[:, : weights.shape[1]]
    return Rounded(grid, codes.astype(np.uint8), scales, zeros)


def _steps(blocked: Floats, scale: Floats, zero: npt.NDArray[np.floating], grid: Grid) -> Floats:
    """Codes less their zero points, of the shape of ``blocked``."""
    steps = blocked / scale[..., None]
    np.rint(steps, out=steps)
    floor = -zero.astype(np.float32)[..., None]
    return np.clip(steps, floor, floor + grid.levels, out=steps)


def _blocked(weights: Floats, grid: Grid) -> Floats:
    """Of shape (rows, blocks, block), the last block filled up with zeros."""
    rows, columns = weights.shape
    blocks = grid.blocks(columns)
    padded = np.zeros((rows, blocks * grid.block), np.float32)
    padded[:, :columns] = weights
    return padded.reshape(rows, blocks, grid.block)

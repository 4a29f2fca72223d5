"""How long one accelerator takes for a matrix product, for attention, and to move bytes.

A product is bound by arithmetic or by memory, whichever is slower. Arithmetic comes in tiles, and
tiles in waves over the compute units, so that a product just past a whole number of waves pays for
one more (NVIDIA, "Matrix Multiplication Background User's Guide"; BigScience measured 94 and 120
TFLOP/s for widths of 14400 and 13824). Where a benchmark measured products of many sizes, attention or
the loss, its curves replace all that.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from aictl.core.errors import BadRequest
from aictl.planning.catalogue import Accelerator
from aictl.planning.constants import SHIPPED, Constants
from aictl.planning.measured import Rates, along

# Rows and columns of a tile and its speed against the largest: smaller ones reuse less of what they read.
TILES = ((256, 128, 1.0), (128, 128, 0.96), (128, 64, 0.80), (64, 64, 0.60))
SYSTOLIC = (8, 128)  # a TPU pads rows and columns to these
ELEMENT_BYTES = {"fp32": 4, "tf32": 4, "bf16": 2, "fp16": 2, "fp8": 2, "int8": 2}  # of what flows between kernels
ACTIVATIONS = {"tf32": "fp32", "fp8": "bf16", "int8": "bf16"}  # the format of activations, where it is another
BACKWARD_ATTENTION = 2.5  # five products against two, https://arxiv.org/abs/2205.14135


class Kernels(NamedTuple):
    """An accelerator at work in one number format.

    ``peak`` is FLOP/s from the data sheet, ``attention_peak`` that of the format in which attention is
    computed, which has 16 bits at least; ``sustained`` is what the best product reaches of the peak in a
    long run, ``bandwidth`` bytes/s that a kernel reaches, ``element_bytes`` the width of activations.
    ``rates`` are of the products' format, ``activation_rates`` of that in which attention and the loss are
    computed; both are empty but for an accelerator that was benched.
    """

    peak: float
    attention_peak: float
    sustained: float
    bandwidth: float
    element_bytes: int
    compute_units: int
    generation: str
    rates: Rates
    activation_rates: Rates
    operator_s: float
    constants: Constants

    @classmethod
    def of(cls, accelerator: Accelerator, precision: str, constants: Constants = SHIPPED) -> Kernels:
        """Raises :class:`BadRequest` for a number format that the accelerator lacks."""
        peak = accelerator.formats.get(precision)
        if peak is None:
            offered = ", ".join(one for one in accelerator.formats if one != "int8")
            raise BadRequest(f"{accelerator.name} has no {precision}", cure=f"give --precision one of {offered}")
        fraction = accelerator.matmul_fraction
        if fraction is None:
            fraction = constants.matmul_tpu
        if accelerator.generation in ("hopper", "blackwell"):
            fraction *= constants.sustained_hopper
        reached = constants.memory_bandwidth if accelerator.memory_fraction is None else accelerator.memory_fraction
        measured = accelerator.measured
        rates = measured.rates if measured else {}
        return cls(
            peak=peak,
            attention_peak=accelerator.formats.get("bf16", peak) if precision in ("fp8", "int8") else peak,
            sustained=peak * fraction,
            bandwidth=accelerator.memory_bytes_per_s * reached,
            element_bytes=ELEMENT_BYTES[precision],
            compute_units=accelerator.compute_units,
            generation=accelerator.generation,
            rates=rates.get(precision, Rates()),
            activation_rates=rates.get(ACTIVATIONS.get(precision, precision), Rates()),
            operator_s=measured.operator_s if measured else 0.0,
            constants=constants,
        )

    def move(self, size_bytes: float) -> float:
        """Seconds to read or write so many bytes of the accelerator's own memory."""
        return size_bytes / self.bandwidth

    def product(self, rows: float, columns: float, depth: float, weight_bytes: float | None = None) -> float:
        """Seconds for (rows, depth) x (depth, columns), whose second factor has ``weight_bytes`` an
        element: ``max(2 · padded rows·columns · depth / rate, bytes / bandwidth)`` with
        ``rate = sustained · depth / (depth + gemm_depth)``."""
        width = self.element_bytes
        read = self.move(width * rows * (depth + columns) + (weight_bytes or width) * depth * columns)
        return self.operator_s + max(self._arithmetic(rows, columns, depth), read)

    def _arithmetic(self, rows: float, columns: float, depth: float) -> float:
        if self.rates.products:
            operations = 2 * rows * columns * depth
            return operations / along(self.rates.products, operations)
        rate = self.sustained * depth / (depth + self.constants.gemm_depth)
        return 2 * self._padded(rows, columns) * depth / rate

    def _padded(self, rows: float, columns: float) -> float:
        """Elements of the result that are computed for those that are asked for."""
        if not self.compute_units:
            return math.ceil(rows / SYSTOLIC[0]) * SYSTOLIC[0] * math.ceil(columns / SYSTOLIC[1]) * SYSTOLIC[1]
        units = self.compute_units
        # Few rows: the depth is split to fill the chip, and the parts are added afterwards.
        best = math.ceil(rows / 16) * 16 * columns / self.constants.split_k
        for tile_rows, tile_columns, speed in TILES:
            tiles = math.ceil(rows / tile_rows) * math.ceil(columns / tile_columns)
            best = min(best, math.ceil(tiles / units) * units * tile_rows * tile_columns / speed)
        return best

    def fused_attention(self, kind: str, flops: float, length: float) -> tuple[float, float]:
        """Seconds, forward and backward, of a kernel that never writes the scores of sequences of ``length``,
        given its forward FLOPs counted in full: ``flops / (peak · share)``, where the share may pass 1 because
        half of them are masked, and ``BACKWARD_ATTENTION`` times that."""
        rates = self.activation_rates
        if rates.attention and rates.attention_backward:
            backward = BACKWARD_ATTENTION * flops / along(rates.attention_backward, length)
            return flops / along(rates.attention, length), backward
        if self.rates.products:
            forward = self.operator_s + flops / self.sustained
            return forward, BACKWARD_ATTENTION * forward
        hopper = self.generation in ("hopper", "blackwell")
        constants = self.constants
        if kind == "flash1":
            share = constants.flash1_hopper if hopper else constants.flash1_ampere
        elif kind == "flash3" and hopper:
            share = constants.flash3_hopper
        else:
            share = constants.flash2_hopper if hopper else constants.flash2_ampere
        forward = flops / (self.attention_peak * share)
        return forward, BACKWARD_ATTENTION * forward

    def loss(self, logits: float) -> float:
        """Seconds of the softmax over so many logits and of its gradient."""
        if self.activation_rates.loss:
            return logits / along(self.activation_rates.loss, logits)
        return self.move(logits * self.constants.logits_traffic_bytes)

    def stored_attention(self, flops: float, head_width: int, scores: float, *, dropout: bool) -> float:
        """Seconds of attention that writes its ``scores`` elements to memory and reads them back: two
        batched products of depth ``head_width``, then 8 bytes an element (13 with dropout)."""
        width = self.element_bytes / 2
        rate = self.sustained * self.attention_peak / self.peak
        batched = flops / (rate * head_width / (head_width + self.constants.gemm_depth))
        beside = self.move(4 * width * scores)
        return max(batched, beside) + self.move((13 if dropout else 8) * width * scores) - beside

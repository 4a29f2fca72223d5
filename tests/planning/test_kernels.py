"""Times of kernels and of messages against arithmetic done by hand."""

from __future__ import annotations

import pytest

from aictl.planning.catalogue import accelerator, link
from aictl.planning.constants import SHIPPED
from aictl.planning.kernels import Kernels
from aictl.planning.traffic import Fabric, exposed

A100 = Kernels.of(accelerator("a100-80gb"), "bf16")


def test_a_large_product_runs_near_the_best_rate_and_never_above_it():
    side = 16384
    rate = 2 * side**3 / A100.product(side, side, side)
    assert 0.9 * A100.sustained < rate < A100.sustained


def test_one_row_takes_as_long_as_reading_the_weights():
    assert A100.product(1, 8192, 8192) == pytest.approx(2 * 8192 * 8192 / (2039e9 * 0.83), rel=0.01)
    eight_bits = A100.product(1, 8192, 8192, 1)
    assert eight_bits == pytest.approx(A100.product(1, 8192, 8192) / 2, rel=0.01)


def test_waves_make_some_widths_slow():
    """BigScience measured 94 TFLOP/s at a width of 14400 and 120 at 13824; shorter steps show here too."""

    def rate(columns: int) -> float:
        return 2048 * columns * 4096 / A100.product(2048, columns, 4096)

    full, just_past = (
        108 * 128 // 8,
        108 * 128 // 8 + 128,
    )  # one whole wave of tiles of 256 x 128, and one tile column more
    assert rate(just_past) < 0.95 * rate(full)


def test_deeper_and_larger_products_are_never_slower_per_operation():
    rates = [side**3 / A100.product(side, side, side) for side in (256, 512, 1024, 4096, 16384)]
    assert rates == sorted(rates)


def test_stored_scores_cost_memory_traffic_and_dropout_more():
    fused, _ = A100.fused_attention("flash2", 1e13, 2048)
    stored = A100.stored_attention(1e13, 128, 1e9, dropout=False)
    assert stored > fused
    assert A100.stored_attention(1e13, 128, 1e9, dropout=True) - stored == pytest.approx(A100.move(5e9))


def test_newer_attention_is_faster_on_hopper_alone():
    h100 = Kernels.of(accelerator("h100-80gb"), "bf16")
    newest, usual, oldest = (h100.fused_attention(kind, 1e12, 2048) for kind in ("flash3", "flash2", "flash1"))
    assert newest < usual < oldest
    assert A100.fused_attention("flash3", 1e12, 2048) == A100.fused_attention("flash2", 1e12, 2048)


def test_a_ring_inside_a_node_and_across_nodes():
    fabric = Fabric.of(accelerator("a100-80gb"))
    inside = fabric.gather(8e9, 8, 8)
    assert inside == pytest.approx(8e9 * 7 / 8 / (300e9 * 0.783) + 3 * SHIPPED.hop_s)
    across = fabric.gather(8e9, 16, 8)  # eight ranks of a node share its eight cards: 160 GB/s
    assert across == pytest.approx(8e9 * 15 / 16 / (8 * 25e9 * 0.8) + 4 * SHIPPED.hop_s)
    alone = fabric.gather(8e9, 16, 1)
    assert alone == pytest.approx(8e9 * 15 / 16 / (25e9 * 0.8) + 4 * SHIPPED.hop_s)
    assert fabric.gather(8e9, 1, 1) == 0


def test_a_slow_network_is_slow():
    chip = accelerator("h100-80gb")
    tcp = Fabric.of(chip.with_links(network=link("ethernet-10-tcp")))
    assert tcp.network == pytest.approx(1.25e9 / 8 * 0.8)  # eight share the node's port
    assert Fabric.of(chip.with_links(network=link("ib-ndr"))).network == pytest.approx(50e9 * 0.8)
    assert tcp.gather(1e9, 64, 8) > 10 * Fabric.of(chip).gather(1e9, 64, 8)


def test_hiding_is_not_free():
    constants = SHIPPED._replace(contention=0.4)
    assert exposed(3.0, 10.0, constants) == pytest.approx(1.2)
    assert exposed(10.0, 3.0, constants) == pytest.approx(7 + 1.2)
    assert exposed(0.0, 3.0, constants) == 0

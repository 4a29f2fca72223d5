"""Matrix products: that what is timed is the product, in every format, at sizes that fit."""

from __future__ import annotations

import pytest
import torch

from aictl.core.events import Advanced, Events, Finished, Started
from aictl.hw.bench import gemm
from aictl.hw.bench.devices import Device, devices
from aictl.hw.bench.gemm import Shape

CPU = devices(["cpu"], 1, 0.1)[0]


@pytest.mark.parametrize("name", gemm.formats(CPU))
def test_the_product_is_that_of_its_operands(name):
    """The call gives its result each time anew, and it is the product in float64 but for the format's rounding."""
    call = gemm.product("cpu", name, Shape(32, 16, 64))
    out = call()
    x, weight = (cell.cell_contents for cell in call.__closure__ if _is_operand(cell.cell_contents, out))
    if x.shape != (32, 64):
        x, weight = weight, x
    wanted = x.double() @ weight.double().t()
    torch.testing.assert_close(out.double(), wanted, rtol=0.02, atol=0.15)
    again = call()
    assert again.data_ptr() == out.data_ptr(), "no call allocates"


def _is_operand(value, out):
    return isinstance(value, torch.Tensor) and value.dim() == 2 and value.data_ptr() != out.data_ptr()


def test_every_format_has_a_curve_and_a_best_rate():
    told = []
    sizes = [Shape(8, 16, 16), Shape(32, 32, 32)]
    rows, notes = gemm.measure(CPU, budget_s=0.01, sizes=sizes, events=Events(told.append))
    assert not notes
    assert [(row["dtype"], row["m"]) for row in rows] == [(name, m) for name in gemm.formats(CPU) for m in (8, 32)]
    for name, best in gemm.best_rates(rows).items():
        assert best == max(row["flops_per_s"] for row in rows if row["dtype"] == name) > 0
    assert isinstance(told[0], Started) and isinstance(told[-1], Finished)
    assert [event.done for event in told if isinstance(event, Advanced)] == list(range(1, 11))


def test_what_does_not_fit_is_left_out_and_said():
    small = Device("cpu", None, 2**20, 2**14, 0, 1)
    rows, notes = gemm.measure(small, budget_s=0.01, only=["fp32"], sizes=[Shape(8, 8, 8), Shape(64, 64, 64)])
    assert [row["m"] for row in rows] == [8]
    assert notes == ["cpu fp32: 64 x 64 x 64 and larger need more memory than --memory-share"]


def test_what_a_kernel_refuses_is_said_and_the_rest_measured(monkeypatch):
    def product(device, name, shape):
        if shape.m == 1:
            raise RuntimeError("m must be greater than 16\nand more")
        return real(device, name, shape)

    real = gemm.product
    monkeypatch.setattr(gemm, "product", product)
    rows, notes = gemm.measure(CPU, budget_s=0.01, only=["fp32"], sizes=[Shape(1, 8, 8), Shape(8, 8, 8)])
    assert [row["m"] for row in rows] == [8]
    assert notes == ["cpu fp32: 1 x 8 x 8 refused: m must be greater than 16"]


def test_a_product_too_slow_for_its_budget_ends_the_curve():
    sizes = [Shape(64, 64, 64), Shape(2**14, 2**12, 2**12)]
    rows, _ = gemm.measure(CPU._replace(usable_bytes=2**40), budget_s=0.001, only=["fp32"], sizes=sizes)
    assert [row["m"] for row in rows] == [64]


def test_sizes_reach_from_few_rows_to_large_squares():
    shapes = gemm.shapes(CPU, quick=False)
    assert shapes == sorted(shapes, key=lambda shape: (shape.operations, shape))
    assert {1, 8} <= {shape.m for shape in shapes}
    assert max(shape.operations for shape in shapes) >= 2 * 4096**3
    assert set(gemm.shapes(CPU, quick=True)) < set(shapes)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
def test_a_gpu_s_formats_are_measured_and_tensor_cores_show():
    gpu = devices(["cuda:0"], None, 0.2)[0]
    rows, _ = gemm.measure(gpu, budget_s=0.1, sizes=[Shape(4096, 4096, 4096)])
    best = gemm.best_rates(rows)
    assert {"fp32", "fp16"} <= set(best)
    if torch.cuda.get_device_capability() >= (8, 0):
        assert best["bf16"] > 2 * best["fp32"]
        assert best["tf32"] > best["fp32"]

from __future__ import annotations

import pytest
import torch

from aictl.core.errors import MachineLacks
from aictl.training.precision import choose, cpu_multiplies_bf16
from aictl.training.spec import PrecisionSpec


def test_auto_takes_bf16_on_a_cpu_only_where_it_is_fast():
    chosen = choose(PrecisionSpec(device="cpu"))
    assert chosen.precision == ("bf16" if cpu_multiplies_bf16() else "fp32")
    assert chosen.tokens_at_once == 1024


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_what_is_asked_for_is_taken(precision):
    chosen = choose(PrecisionSpec(device="cpu", precision=precision))
    with chosen.autocast():
        product = torch.nn.functional.linear(torch.ones(2, 2), torch.ones(2, 2))
    assert product.dtype == chosen.dtype
    assert chosen.scaler().is_enabled() == (precision == "fp16")


def test_a_missing_gpu_is_said_to_be_missing():
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(MachineLacks, match="--device cuda"):
        choose(PrecisionSpec(device="cuda"))

"""The worst difference of each output is known, and judged by what is accepted of it."""

from __future__ import annotations

import numpy as np
import pytest

from aictl.core.errors import GateMissed
from aictl.core.events import silent
from aictl.export.parity import Parity
from aictl.export.spec import OnnxSpec


def numbers(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_the_worst_of_each_situation_is_kept():
    parity = Parity(OnnxSpec(tolerance=1.0))
    for got in (0.5, 0.25):
        parity.saw("alone", "logits", numbers(got, 0), numbers(0, 0))
    parity.saw("in_batch", "logits", numbers(0.75), numbers(0))
    parity.saw("in_batch", "logits", numbers(), numbers())
    assert parity.require(silent) == {"alone": 0.5, "in_batch": 0.75, "worst": 0.75, "tolerance": 1.0}


def test_each_output_is_judged_by_its_own_size():
    parity = Parity(OnnxSpec(precision="fp16"))
    parity.saw("alone", "logits", numbers(64.5), numbers(64))
    parity.saw("alone", "boxes", numbers(0.5), numbers(0.5))
    found = parity.require(silent)
    assert (found["worst"], found["tolerance"]) == (0.5, 1.0)
    assert found["outputs"]["boxes"] == {"alone": 0.0, "tolerance": 0.5 / 64}
    parity.saw("alone", "boxes", numbers(0.25), numbers(0.5))
    with pytest.raises(GateMissed, match=r"by up to 0\.25 \(boxes, alone\), and 0\.00781 is accepted"):
        parity.require(silent)


def test_no_number_is_worse_than_any():
    parity = Parity(OnnxSpec(tolerance=10.0))
    parity.saw("alone", "logits", numbers(np.nan), numbers(0))
    parity.saw("alone", "logits", numbers(1), numbers(0))
    parity.saw("in_batch", "logits", numbers(5), numbers(0))
    with pytest.raises(GateMissed, match=r"nan \(logits, alone\)"):
        parity.require(silent)

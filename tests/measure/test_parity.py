"""A model agrees with itself, and its distance from another is the largest one."""

from __future__ import annotations

import numpy as np

from aictl.inference.load import load
from aictl.measure.parity import parity


class Shifted:
    """A model whose logits differ from another's at one place."""

    def __init__(self, model, token: int, by: float) -> None:
        self._model, self._token, self._by = model, token, by

    def logits(self, ids):
        logits = np.array(self._model.logits(ids))
        logits[-1, self._token] += self._by
        return logits


def test_the_worst_difference_and_the_agreement(chat_model):
    model = load(chat_model, device="cpu")
    prompts = [model.encode("one"), model.encode("three")]
    assert parity(model, model, prompts) == parity(model, model, prompts)
    assert (parity(model, model, prompts).worst, parity(model, model, prompts).agreement) == (0.0, 1.0)
    changed = parity(model, Shifted(model, 7, 100.0), prompts)
    assert abs(changed.worst - 100) < 1e-3
    assert changed.agreement == (8 - 2) / 8

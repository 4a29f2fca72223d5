"""What is a gate, what is none, and what is held against it."""

from __future__ import annotations

import pytest

from aictl.core.errors import BadRequest
from aictl.evaluate.gates import Gate, judge, read


def test_gates_are_read_and_judged():
    gates = read(["accuracy>=0.9", " recall@5 > 1e-1", "bleu<=other", "perplexity<20"], compared=True)
    assert gates[0] == Gate("accuracy>=0.9", "accuracy", ">=", 0.9)
    values = {"accuracy": 0.9, "recall@5": 0.1, "bleu": 12, "perplexity": 19.9}
    found = judge(gates, values, {"bleu": 11})
    assert [one.passed for one in found] == [True, False, False, True]
    assert found[2].bound == 11


@pytest.mark.parametrize(
    "text", ["accuracy", "accuracy=0.9", ">=0.9", "accuracy>=high", "accuracy>=nan", "accuracy>=inf", "", "a>=1>=2"]
)
def test_what_is_no_gate_is_refused(text):
    with pytest.raises(BadRequest, match="is no gate"):
        read([text], compared=True)


def test_other_needs_another_model():
    with pytest.raises(BadRequest, match="no other model"):
        read(["accuracy>=other"], compared=False)

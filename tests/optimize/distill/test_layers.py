"""A student that begins as some of the teacher's layers."""

from __future__ import annotations

import pytest

from aictl.core.errors import BadRequest
from aictl.optimize.distill.layers import spread


def test_layers_are_evenly_spread():
    assert spread(12, 6) == [0, 2, 4, 7, 9, 11]
    assert spread(3, 3) == [0, 1, 2]
    assert spread(4, 2) == [0, 3]
    assert spread(5, 1) == [0]
    with pytest.raises(BadRequest, match="has 3"):
        spread(3, 4)

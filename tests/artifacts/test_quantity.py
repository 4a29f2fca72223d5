from __future__ import annotations

import pytest

from aictl.artifacts.quantity import number_shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (0, "0"),
        (999, "999"),
        (8192, "8.192k"),
        (134_515_008, "134.5M"),
        (7_241_732_096, "7.242G"),
        (2 * 10**15, "2000T"),
    ],
)
def test_a_count_has_four_digits_at_most(value, shown):
    assert number_shown(value) == shown

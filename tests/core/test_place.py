from __future__ import annotations

import pytest

from aictl.core.errors import BadRequest
from aictl.core.place import place

THERE = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost"}


def test_a_process_has_a_place_where_all_three_names_say_so():
    assert place(THERE) == (1, 2)
    for name in THERE:
        assert place({key: value for key, value in THERE.items() if key != name}) is None


@pytest.mark.parametrize("wrong", [{"RANK": "2"}, {"RANK": "-1"}, {"RANK": "x"}, {"WORLD_SIZE": ""}])
def test_a_place_that_cannot_be_is_refused(wrong):
    with pytest.raises(BadRequest, match=f"RANK={(THERE | wrong)['RANK']}"):
        place(THERE | wrong)

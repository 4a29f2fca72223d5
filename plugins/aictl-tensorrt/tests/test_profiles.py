"""Shape profiles: consistent at every point, and no input is left without one."""

from __future__ import annotations

import pytest

from aictl.core.errors import BadInput
from aictl_tensorrt.profiles import Profile, profiles

INPUTS = {
    "input_ids": (-1, -1),
    "attention_mask": (-1, -1),
    "position_ids": (-1, -1),
    "past_key_values.0.key": (-1, 2, -1, 8),
    "past_key_values.0.value": (-1, 2, -1, 8),
}


def points(profile: Profile) -> list[dict[str, tuple[int, ...]]]:
    return [
        {name: getattr(shapes, point) for name, shapes in profile.ranges.items()}
        for point in ("least", "usual", "largest")
    ]


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("max_sequence", [2, 3, 64, 2048])
def test_mask_is_as_long_as_past_and_sequence_at_every_point(max_sequence: int, apart: bool) -> None:
    for profile in profiles(INPUTS, 4, max_sequence, apart=apart):
        for shapes in points(profile):
            past, sequence = shapes["past_key_values.0.key"][2], shapes["input_ids"][1]
            assert shapes["attention_mask"][1] == past + sequence
            assert shapes["position_ids"] == shapes["input_ids"]
            assert max(sequence, past + 1) <= max_sequence


def test_prefill_starts_empty_and_decode_takes_one_token() -> None:
    prefill, decode = profiles(INPUTS, 4, 64, apart=True)
    assert [shapes["past_key_values.0.key"] for shapes in points(prefill)] == [(1, 2, 0, 8), (1, 2, 0, 8), (4, 2, 0, 8)]
    assert points(prefill)[2]["attention_mask"] == (4, 64)
    assert [shapes["input_ids"] for shapes in points(decode)] == [(1, 1), (1, 1), (4, 1)]
    assert points(decode)[2]["past_key_values.0.key"] == (4, 2, 63, 8)


@pytest.mark.parametrize(("past", "sequence"), [(0, 1), (0, 64), (63, 1), (32, 32)])
def test_the_whole_holds_every_way_to_use_the_context(past: int, sequence: int) -> None:
    (whole,) = profiles(INPUTS, 4, 64, apart=False)
    actual = {"input_ids": sequence, "position_ids": sequence, "attention_mask": past + sequence}
    for name, shapes in whole.ranges.items():
        extent, axis = (past, 2) if name.startswith("past") else (actual[name], 1)
        assert shapes.least[axis] <= extent <= shapes.largest[axis]


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("max_sequence", [2, 3, 5])
def test_each_range_grows(max_sequence: int, apart: bool) -> None:
    for profile in profiles(INPUTS, 1, max_sequence, apart=apart):
        for shapes in profile.ranges.values():
            columns = zip(shapes.least, shapes.usual, shapes.largest, strict=True)
            assert all(least <= usual <= largest for least, usual, largest in columns)


def test_fixed_inputs_need_no_range() -> None:
    assert "scale" not in profiles({**INPUTS, "scale": (1, 3)}, 1, 8, apart=True)[0].ranges


def test_an_input_that_varies_in_an_unknown_way_is_named() -> None:
    with pytest.raises(BadInput, match=r"'pixels' of shape .* along axis 0"):
        profiles({**INPUTS, "pixels": (-1, 3)}, 1, 8, apart=True)

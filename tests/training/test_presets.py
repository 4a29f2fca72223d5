from __future__ import annotations

from typing import get_args

import pytest
from pydantic import ValidationError

from aictl.core.spec import flat_fields
from aictl.train.spec import TrainSpec
from aictl.training.presets import PRESETS, PresetName


def test_every_name_has_a_preset_and_every_preset_a_name():
    assert set(get_args(PresetName)) == set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_shapes_fit_together(name):
    preset = PRESETS[name]
    assert preset.hidden_size == 64 * preset.heads
    assert preset.heads % preset.key_value_heads == 0
    assert preset.hidden_size % 128 == preset.intermediate_size % 128 == 0
    assert preset.sequence_length <= preset.context


def test_an_unknown_preset_is_refused_with_those_there_are():
    with pytest.raises(ValidationError, match="'tiny', 'small', 'base' or 'large'"):
        TrainSpec(preset="tny")


def test_every_option_has_a_help_text_and_a_name_of_its_own():
    for path, field in flat_fields(TrainSpec):
        assert field.description, path


def test_the_help_states_what_the_tiny_preset_does():
    tiny, fields = PRESETS["tiny"], TrainSpec.model_fields
    assert f"(tiny: {tiny.max_steps})" in (fields["max_steps"].description or "")
    assert f"(tiny: {tiny.batch_size})" in (fields["batch_size"].description or "")
    assert f"(tiny: {tiny.vocabulary})" in (fields["vocab_size"].description or "")
    assert f"(tiny: {tiny.sequence_length}, at most {tiny.context})" in (fields["sequence_length"].description or "")

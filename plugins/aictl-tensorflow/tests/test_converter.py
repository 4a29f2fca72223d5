"""The converter's own decisions that need no TensorFlow."""

from __future__ import annotations

import pytest

from aictl_tensorflow.converter import Refused, require_repaired


@pytest.mark.parametrize("version", ["2.15.0", "3.9.2", "3.13.1"])
def test_a_keras_with_holes_in_its_safe_mode_is_refused(version):
    with pytest.raises(Refused, match=r"3\.14 or later") as caught:
        require_repaired(version)
    assert caught.value.kind == "ExtraMissing"


@pytest.mark.parametrize("version", ["3.14.0", "3.15.1", "4.0.0.dev1"])
def test_a_repaired_keras_is_taken(version):
    require_repaired(version)

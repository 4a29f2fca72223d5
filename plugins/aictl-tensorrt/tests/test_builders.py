"""Finding a builder: what is missing is said, with the line that brings it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aictl.core.errors import MachineLacks
from aictl_tensorrt.builders import OFFERS, Offer, find

ABSENT = Offer("rtx", "TensorRT-RTX", "aictl_tensorrt_no_such_module", "pip install 'aictl-tensorrt[rtx]'")


def test_without_any_builder_the_error_names_each_and_how_to_install_it() -> None:
    other = Offer("tensorrt", "TensorRT", "aictl_tensorrt_nor_this", "pip install 'aictl-tensorrt[tensorrt]'")
    with pytest.raises(MachineLacks) as caught:
        find("auto", (ABSENT, other))
    assert caught.value.exit_code == 5
    assert "TensorRT-RTX is not installed; TensorRT is not installed" in caught.value.message
    assert caught.value.cure is not None
    assert ABSENT.install in caught.value.cure and other.install in caught.value.cure


def test_a_library_that_cannot_be_loaded_is_told_from_one_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "aictl_tensorrt_broken.py").write_text("import ctypes; ctypes.CDLL('libnvinfer_nowhere.so.10')\n")
    (tmp_path / "aictl_tensorrt_partial.py").write_text("import aictl_tensorrt_missing_libs\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    broken = Offer("rtx", "TensorRT-RTX", "aictl_tensorrt_broken", "")
    partial = Offer("tensorrt", "TensorRT", "aictl_tensorrt_partial", "")
    with pytest.raises(MachineLacks) as caught:
        find("auto", (broken, partial))
    assert "cannot be loaded: OSError: libnvinfer_nowhere.so.10" in caught.value.message
    assert "TensorRT is not installed whole: no module 'aictl_tensorrt_missing_libs'" in caught.value.message


def test_auto_takes_the_first_that_can_be_imported() -> None:
    here = Offer("tensorrt", "the json module", "json", "")
    assert find("auto", (ABSENT, here)).offer is here
    with pytest.raises(MachineLacks):
        find("rtx", (ABSENT, here))


def test_offers_are_the_choices_of_the_option() -> None:
    from typing import get_args

    from aictl_tensorrt.spec import TrtSpec

    assert {"auto", *(offer.name for offer in OFFERS)} == set(get_args(TrtSpec.model_fields["builder"].annotation))

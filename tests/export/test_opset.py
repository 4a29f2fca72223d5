"""Versions of the operators: what is asked for is written, and what cannot be read is refused before work starts."""

from __future__ import annotations

import onnx
import pytest
from pydantic import ValidationError
from tests.model.networks import write

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import MachineLacks
from aictl.core.events import silent
from aictl.export import opset
from aictl.export.onnx import export
from aictl.export.opset import require_opset
from aictl.export.spec import OnnxSpec


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return Checkpoint(write(tmp_path_factory.mktemp("c") / "model", "text-classification"), name="c")


@pytest.mark.parametrize("version", [18, 21, 25])
def test_the_version_that_was_asked_for_is_written(classifier, tmp_path, version):
    made = export(classifier, OnnxSpec(opset=version), tmp_path, events=silent)
    assert made.header.opset == made.facts["opset"] == version
    onnx.checker.check_model(made.model_path, full_check=True)


def test_a_language_model_can_be_written_in_the_newest(chat_model, tmp_path):
    made = export(chat_model, OnnxSpec(opset=25), tmp_path, events=silent)
    assert made.header.opset == 25


@pytest.mark.parametrize("version", [17, 26])
def test_what_the_exporter_does_not_write_is_no_setting(version):
    with pytest.raises(ValidationError):
        OnnxSpec(opset=version)


def test_what_this_machine_does_not_read_is_refused_first(classifier, tmp_path, monkeypatch):
    require_opset(25)
    with pytest.raises(MachineLacks, match="onnx .* knows opsets up to"):
        require_opset(99)
    monkeypatch.setattr(opset.onnx.defs, "onnx_opset_version", lambda: 99)
    with pytest.raises(MachineLacks, match="does not read opset 90"):
        require_opset(90)
    with pytest.raises(MachineLacks, match="does not read opset 90"):
        export(classifier, OnnxSpec.model_construct(opset=90), tmp_path, events=silent)
    assert not list(tmp_path.iterdir())

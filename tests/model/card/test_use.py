"""The program on a card runs as it stands."""

from __future__ import annotations

import importlib.util

import pytest
from PIL import Image
from tests.model import networks

from aictl.artifacts.capability import ABILITIES
from aictl.artifacts.checkpoint import Checkpoint
from aictl.model.card.use import python_lines


@pytest.mark.parametrize("capability", [one for one in ABILITIES if one != "text-generation"])
def test_the_program_on_a_card_runs(tmp_path, capability, capsys):
    if capability == "embedding" and importlib.util.find_spec("sentence_transformers") is None:
        pytest.skip("sentence-transformers, by which embedding models are used elsewhere, is not installed")
    folder = networks.write(tmp_path / "model", capability)
    Image.new("RGB", (40, 30), "red").save(tmp_path / "picture.png")
    program = "\n".join(python_lines(Checkpoint(folder)))
    exec(program.replace("FOLDER", str(folder)).replace("PICTURE", str(tmp_path / "picture.png")), {})
    assert capsys.readouterr().out.strip()


def test_that_of_a_language_model_runs_too(chat_model, capsys):
    exec("\n".join(python_lines(chat_model)).replace("FOLDER", str(chat_model.folder)), {})
    assert capsys.readouterr().out.strip()

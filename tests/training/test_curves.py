from __future__ import annotations

from xml.etree import ElementTree

from aictl.core.events import silent
from aictl.training.curves import draw
from aictl.training.loop import fit


def test_a_run_leaves_its_history_and_a_picture_of_it(job, tmp_path):
    outcome = fit(job(max_steps=12), silent)
    outcome.leave(tmp_path, silent)
    assert (tmp_path / "metrics.jsonl").read_text() == outcome.history.path.read_text()
    text = (tmp_path / "curves.svg").read_text()
    ElementTree.fromstring(text)
    assert "held out" in text
    assert "Learning rate" in text


def test_a_long_history_is_drawn_as_means_and_the_same_gives_the_same(tmp_path):
    rows = [{"step": 0, "held_out_loss": 3.0}]
    rows += [{"step": step, "loss": 3 / step, "learning_rate": 0.1} for step in range(1, 1001)]
    pictures = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        draw(rows, tmp_path / name, silent)
        pictures.append((tmp_path / name / "curves.svg").read_text())
    assert pictures[0] == pictures[1]
    assert "mean of 3 steps" in pictures[0]

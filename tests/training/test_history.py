from __future__ import annotations

from aictl.training.history import History


def test_rows_after_the_saved_step_and_half_lines_are_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    history = History(path, 0)
    for step in range(1, 6):
        history.add({"step": step, "loss": 1.0 / step})
    with path.open("a") as file:
        file.write('{"step": 6, "lo')
    again = History(path, 3)
    assert [row["step"] for row in again.rows] == [1, 2, 3]
    again.add({"step": 4, "held_out_loss": 0.5})
    assert again.evaluated == 4
    assert len(path.read_text().splitlines()) == 4


def test_a_run_from_the_start_forgets_the_old_history(tmp_path):
    path = tmp_path / "metrics.jsonl"
    History(path, 0).add({"step": 1, "loss": 2.0})
    assert History(path, 0).rows == []

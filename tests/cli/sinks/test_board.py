"""What the screen shows of a run, at every size, and what is said again when it has gone."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.screen import Screen

from aictl.cli.sinks.board import MOST_LINES, Board
from aictl.core.events import Advanced, Event, Finished, Measured, Noted, Started


def shown(board: Board, width: int = 120, height: int = 36) -> str:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    console.print(Screen(board.picture(width, height)))
    return console.file.getvalue()


def told(*events: Event) -> Board:
    board = Board("train notes")
    for event in events:
        board.take(event)
    return board


def training(steps: int = 40) -> list[Event]:
    events: list[Event] = [Started("train", 1000, "steps"), Measured("held_out_loss", 8.0, 0)]
    for step in range(1, steps + 1):
        events += [
            Measured("loss", 2 + 6 / step, step),
            Measured("learning_rate", 0.0003, step),
            Measured("gradient_norm", 1.5, step),
            Measured("tokens_per_second", 12345.6, step),
            Measured("mfu", 0.4123, step),
            Measured("memory_bytes", 3.21e9, step),
            Advanced("train", step),
        ]
    return [*events, Noted("read this", "warning"), Noted("for the curious", "detail")]


def test_a_training_at_a_glance():
    text = shown(told(*training(), Measured("held_out_loss", 2.2, 40)))
    for part in ("train notes", "step 40 of 1,000", "4 %", "2.1500", "2.2000", "0.0003", "12,346", "41.2 %", "3.21 GB"):
        assert part in text, part
    assert text.count("◆") == 3  # two evaluations and the legend
    assert "! read this" in text and "curious" not in text
    assert "learning rate ─" in text and "gradient norm ─" in text


@pytest.mark.parametrize(
    ("size", "there", "gone"),
    [
        ((120, 36), ["gradient norm ─", "╭─ memory", "╭─ notes"], []),
        ((80, 24), ["╭─ memory", "╭─ notes", "loss  ━ training"], ["gradient norm ─"]),
        ((60, 16), ["memory", "! read this", "loss  ━ training", "3.21 GB"], ["╭─ memory", "╭─ notes"]),
        ((40, 9), ["2.1500", "! read this", "4 %"], ["━ training", "of 1,000"]),
    ],
)
def test_less_room_shows_less(size, there, gone):
    text = shown(told(*training()), *size)
    assert all(part in text for part in there) and not any(part in text for part in gone), text


@pytest.mark.parametrize("width", [1, 10, 40, 60, 79, 100, 250])
@pytest.mark.parametrize("height", [1, 2, 5, 9, 16, 21, 28, 80])
@pytest.mark.parametrize("events", [[], training()[:1], training(1), training(), training()[-2:]])
def test_it_is_as_large_as_the_screen(events, width, height):
    lines = shown(told(*events), width, height).splitlines()
    assert len(lines) == height and all(len(line) == width for line in lines)


def test_a_verb_without_steps_has_tasks_and_values():
    text = shown(
        told(Started("fetch", 10, "files"), Advanced("fetch", 4), Started("look"), Measured("size_bytes", 2e6))
    )
    assert "fetch" in text and "file 4 of 10" in text and "40 %" in text and "look" in text and "2 MB" in text
    assert "┤" not in text


def test_names_are_no_markup():
    text = shown(told(Started("[/b] of [red]", 3), Noted("[/i]")))
    assert "[/b] of [red]" in text and "· [/i]" in text


def test_what_is_told_cannot_steer_the_terminal():
    board = told(Started("a\x1b[2Jb"), Noted("c\x1b]0;d\x07\ne"), Measured("f\x1bg", 1.0), Finished("a\x1b[2Jb"))
    assert "\x1b" not in shown(board) and "\x07" not in shown(board)
    assert all("\x1b" not in line.drawn().plain and "\n" not in line.drawn().plain for line in board.lines)


def test_finished_tasks_and_notes_are_said_again_in_order():
    board = told(Started("encode"), Finished("encode"), *training(), Finished("train"))
    lines = [line.drawn().plain for line in board.lines]
    assert lines[0] == "✓ encode 0.0 s" and lines[1] == "! read this"
    assert lines[2].startswith(
        "✓ train 0.0 s  loss 2.1500  held-out loss 8.0000  learning rate 0.0003  tokens/s 12,346"
    )


def test_a_task_that_is_cut_short_says_where():
    board = told(*training(), Started("quick"))
    board.stop()
    lines = [line.drawn().plain for line in board.lines]
    assert lines[1].startswith("· train stopped at step 40 of 1,000, 0.0 s  loss 2.1500")
    assert lines[2].startswith("· quick stopped, 0.0 s")


def test_lines_are_bounded():
    board = told(*(Noted(f"note {number}") for number in range(MOST_LINES + 5)))
    assert board.told == MOST_LINES + 5
    assert [board.lines[0].text, board.lines[-1].text] == ["note 5", f"note {MOST_LINES + 4}"]

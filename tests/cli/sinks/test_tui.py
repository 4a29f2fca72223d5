"""The full screen on a real terminal: it shows a run while it goes on, and leaves the terminal as it was."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from tests.cli.sinks.conftest import HIDDEN, LEFT, OPENED, SHOWN, plain

RUN = """
import sys, warnings
from aictl.cli.running import running
from aictl.cli.sinks import choose
from aictl.core.events import Events
running.words = ["train", "notes", "--tui"]
sink = choose("tui")
events = Events(sink)
try:
    events.noted("told before")
    events.started("train", 60, "steps")
    for step in range(1, 31):
        events.measured("loss", 9 - step / 10, step)
        events.advanced("train", step)
    {then}
    events.finished("train")
finally:
    sink.close()
events.noted("told after")
print("result")
"""
WAIT = 'events.noted("half of it"); sys.stdin.readline()'


def restored(raw: str) -> bool:
    """Whether the other screen was left and the cursor is shown, as often as they were taken, and last."""
    ends = [(raw.count(one), raw.count(other)) for one, other in ((OPENED, LEFT), (HIDDEN, SHOWN))]
    return ends == [(1, 1), (1, 1)] and raw.rindex(LEFT) > raw.rindex("\x1b[H")


def test_a_run_is_shown_and_then_said(terminal):
    screen = terminal(RUN.format(then=WAIT))
    screen.go_on("half of it")
    assert screen.finish() == (0, "result\n")
    assert plain(screen.raw.partition(OPENED)[0]).strip() == "· told before"
    last = screen.frames[-1]
    assert "aictl train notes --tui" in last and "step 30 of 60" in last and "6.0000" in last and "· half of it" in last
    assert "⠤" in last or "⠒" in last
    assert restored(screen.raw)
    said = screen.left.splitlines()
    assert said[0] == "· half of it" and said[1].startswith("✓ train ") and "loss 6.0000" in said[1]
    assert said[2:] == ["· told after"]


def test_an_error_leaves_the_screen_proper(terminal):
    screen = terminal(RUN.format(then=f"{WAIT}; raise ValueError('it broke')"))
    screen.go_on("half of it")
    assert screen.finish() == (1, "")
    assert restored(screen.raw)
    said = screen.left.splitlines()
    assert said[1].startswith("· train stopped at step 30 of 60, ")
    assert said[-1] == "ValueError: it broke"


def test_what_a_library_writes_is_kept(terminal):
    wrote = 'print("10 %\\r20 %", file=sys.stderr); warnings.warn("take care"); sys.stderr.write("no end")'
    screen = terminal(RUN.format(then=f"{wrote}; {WAIT}"))
    screen.go_on("half of it")
    screen.finish()
    assert "take care" in screen.frames[-1] and restored(screen.raw)
    assert "· 20 %\n" in screen.left and "UserWarning: take care\n" in screen.left and "· no end\n" in screen.left


def test_a_forked_worker_speaks_for_itself_and_leaves_the_screen_alone(terminal):
    fork = """import os, signal
    if not (child := os.fork()):
        print("said by the worker", file=sys.stderr)
        signal.raise_signal(signal.SIGTSTP)
        os._exit(0)
    os.waitpid(child, os.WUNTRACED)
    os.kill(child, signal.SIGCONT)
    os.waitpid(child, 0)"""
    screen = terminal(RUN.format(then=fork))
    assert screen.finish() == (0, "result\n")
    assert "said by the worker" in screen.raw and restored(screen.raw)


def test_it_follows_the_size_of_the_terminal(terminal):
    screen = terminal(RUN.format(then=WAIT), columns=120, rows=36)
    screen.wait_for("half of it")
    screen.resize(60, 16)
    screen.go_on(r"(?m)\A.{60}$(.|\n)*half of it")
    screen.finish()
    rows = screen.frames[-1].split("\n")
    assert len(rows) == 16 and all(len(row) == 60 for row in rows)


def test_the_shell_has_the_terminal_while_the_run_is_suspended(terminal):
    screen = terminal(RUN.format(then=WAIT))
    screen.wait_for("half of it")
    os.kill(screen.process.pid, signal.SIGTSTP)
    os.waitpid(screen.process.pid, os.WUNTRACED)
    os.kill(screen.process.pid, signal.SIGCONT)
    os.write(screen.master, b"\n")
    assert screen.finish()[0] == 0
    assert re.findall(r"\x1b\[\?(?:1049|25)[hl]", screen.raw) == [OPENED, HIDDEN, SHOWN, LEFT] * 2
    assert screen.raw.partition(LEFT)[2].startswith(OPENED)


def test_no_colour_where_none_is_wanted(terminal):
    for env, colours in (({"NO_COLOR": "1"}, False), ({}, True)):
        screen = terminal(RUN.format(then=WAIT), env=env)
        screen.go_on("half of it")
        screen.finish()
        assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]m", screen.raw)) == colours


def test_a_dumb_terminal_has_plain_lines(terminal):
    screen = terminal(RUN.format(then=""), env={"TERM": "dumb"})
    assert screen.finish() == (0, "result\n")
    assert "\x1b" not in screen.raw and "train: done in" in screen.raw


def test_a_terminal_that_goes_away_ends_the_view_alone(terminal):
    screen = terminal(RUN.format(then="import time; time.sleep(2); events.noted('unheard')"))
    screen.wait_for("step 30 of 60")
    screen.hang_up()
    out, _ = screen.process.communicate(timeout=60)
    assert (screen.process.returncode, out) == (0, b"result\n")


def test_a_view_that_cannot_be_drawn_is_done_without(terminal):
    broken = """sys.stdin.readline()
    screen = sink._sink._screen
    screen._board.picture = None
    screen._thread.join(60)
    events.noted("it goes on")"""
    screen = terminal(RUN.format(then=broken))
    screen.go_on("step 30 of 60")
    assert screen.finish() == (0, "result\n")
    assert "! the live view ended: TypeError" in screen.left and "· it goes on" in screen.left


@pytest.fixture
def place(tmp_path: Path, aictl) -> Path:
    assert aictl("init", "w", cwd=tmp_path).returncode == 0
    notes = tmp_path / "w" / "notes"
    notes.mkdir()
    for number in range(40):
        (notes / f"{number}.txt").write_text(f"Note {number} says that {number * 7} is seven times as much.\n" * 30)
    return tmp_path / "w"


def test_a_command_with_a_screen_prints_its_path_alone(terminal, place):
    words = [sys.executable, "-m", "aictl", "data", "prep", "notes", "--name", "docs"]
    screen = terminal([*words, "--tui"], cwd=place)
    assert screen.finish() == (0, f"{place}/artifacts/dataset/docs@1\n")
    assert screen.raw.count(OPENED) == screen.raw.count(LEFT) == 1 and "made dataset 'docs'" in screen.left
    for force, opened in ([], 0), (["--force"], 1):
        again = terminal([*words, "--tui", "--json", *force], cwd=place)
        status, out = again.finish()
        assert (status, json.loads(out)["up_to_date"]) == (0, not force) and again.raw.count(OPENED) == opened
    planned = terminal([*words, "--events", "tui", "--force", "--dry-run"], cwd=place)
    assert planned.finish()[0] == 0 and planned.raw == ""


def test_in_a_log_it_is_plain_lines(aictl, place):
    done = aictl("data", "prep", "notes", "--tui", cwd=place)
    assert done.returncode == 0 and "done in" in done.stderr and "\x1b" not in done.stderr


def test_two_ways_to_show_are_refused(aictl, place):
    done = aictl("data", "prep", "notes", "--tui", "--events", "plain", cwd=place)
    assert (
        done.returncode == 2 and "--tui is short for --events tui, and --events plain is given as well" in done.stderr
    )
    assert aictl("data", "prep", "notes", "--tui", "--events=tui", cwd=place).returncode == 0
    assert aictl("artifact", "ls", "--tui", cwd=place).returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_training_that_is_interrupted(terminal, place, aictl, number):
    assert aictl("data", "prep", "notes", "--name", "notes", cwd=place).returncode == 0
    words = ["train", "notes", "--preset", "tiny", "--max-steps", "500", "--tui"]
    screen = terminal([sys.executable, "-m", "aictl", *words], cwd=place)
    screen.wait_for(r"step [1-9]\d* of 500")
    os.kill(screen.process.pid, number)
    assert screen.finish() == (128 + number, "")
    assert screen.raw.count(OPENED) == screen.raw.count(LEFT) == 1 and screen.raw.count(SHOWN) == 1
    said = screen.left.splitlines()
    assert any(line.startswith("✓ tokenizer ") for line in said)
    assert any(line.startswith("· train stopped at step ") for line in said)
    assert said[-1].startswith("interrupted; nothing is half-made")

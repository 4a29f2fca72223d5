"""Questions in a process of their own, and those that are never answered."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from aictl.hw.limited import Asked, python


def test_an_answer_a_failure_and_a_program_that_is_not_there():
    assert Asked(["echo", "yes"], 60).reply() == ("answered", "yes\n", "")
    failed = Asked([sys.executable, "-c", "import sys; print('half'); sys.exit('no\\nreason at last')"], 60).reply()
    assert failed == ("failed", "half\n", "reason at last")
    absent = Asked(["no-such-program-here"], 60).reply()
    assert (absent.state, absent.reason) == ("absent", "no-such-program-here is not installed")


def test_what_was_said_before_the_time_was_up_is_kept_and_what_it_started_is_ended():
    script = "import subprocess, sys; one = subprocess.Popen(['sleep', '600']); print(one.pid, flush=True); one.wait()"
    reply = Asked([sys.executable, "-c", script], 1.5).reply()
    assert (reply.state, reply.reason) == ("unanswered", "no answer within 1.5 s")
    child = int(reply.said)
    for _ in range(100):  # the kernel takes its time to end it
        if not _runs(child):
            break
        time.sleep(0.05)
    assert not _runs(child)


def _runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_several_are_asked_side_by_side():
    asked = [Asked([sys.executable, "-c", "import time; time.sleep(600)"], 1.0) for _ in range(4)]
    began = time.monotonic()
    assert [one.reply().state for one in asked] == ["unanswered"] * 4
    assert time.monotonic() - began < 4  # one after the other would be at least that


def test_an_answer_that_came_in_time_is_heard_after_one_that_never_comes():
    never = Asked([sys.executable, "-c", "import time; time.sleep(600)"], 3.0)
    long = Asked([sys.executable, "-c", "print('x' * 1_000_000)"], 3.0)  # more than a pipe holds
    assert never.reply().state == "unanswered"
    reply = long.reply()
    assert (reply.state, len(reply.said)) == ("answered", 1_000_001)


def test_a_file_in_the_working_directory_is_not_taken_for_a_module(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    monkeypatch.chdir(tmp_path)
    reply = python("aictl.hw.disks", "tell_space", [str(tmp_path)], timeout_s=60).reply()
    assert reply.state == "answered" and str(tmp_path) in reply.said


def test_a_program_that_may_not_be_started(tmp_path):
    program = tmp_path / "program"
    program.write_text("no program")
    assert Asked([str(program)], 60).reply().state == "failed"

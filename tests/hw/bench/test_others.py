"""What others did meanwhile."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from aictl.hw.bench import others
from aictl.hw.bench.others import Moment


def test_what_is_neither_idle_nor_ours_is_that_of_others():
    before = Moment(0.0, 100.0, 5.0, 10.0, 2)
    after = Moment(10.0, 112.0, 7.0, 18.0, 2)
    assert others.share(before, after) == (pytest.approx((12 - 8) / 20), pytest.approx(2 / 20))


def test_another_program_s_work_is_seen_and_our_own_is_not():
    """A child that was waited for is ours; while it is not, it is anybody's."""
    before = others.now()
    assert before is not None
    spin = "import time; until = time.process_time() + 1.0\nwhile time.process_time() < until: pass"
    child = subprocess.Popen([sys.executable, "-c", spin + "\ninput()"], stdin=subprocess.PIPE)
    while others.now().busy - before.busy < 1.0:
        time.sleep(0.05)
    seen = others.now()
    child.communicate(b"\n")
    ours = others.now()
    assert (seen.busy - before.busy) - (seen.own - before.own) > 0.5
    assert ours.own - before.own > 0.9


def test_only_what_is_notable_is_said():
    assert others.notes((0.01, 0.0)) == []
    assert others.notes((0.37, 0.1)) == [
        "other programs took 37% of the processors' time meanwhile: on a quiet machine the rates are higher",
        "the hypervisor gave other machines 10% of the processors' time meanwhile: on a quiet machine the rates "
        "are higher",
    ]


@pytest.mark.parametrize("text", ["", "cpu  1 2\n", "intr 1\n"])
def test_a_kernel_that_does_not_tell_is_not_asked_twice(machine, text):
    assert others.now(machine({"proc/stat": text})) is None
    assert others.share(None, others.now()) is None
    assert others.notes(None) == []

"""Numbers as a person reads them."""

from __future__ import annotations

import math

import pytest

from aictl.cli.sinks.words import Task, clock, label, lasted, written
from aictl.core.events import Started


def test_values_have_their_units():
    assert [written("loss", value) for value in (2.0, 123.456, 1e-5, math.nan)] == ["2.0000", "123.5", "1e-05", "nan"]
    assert [written("peak_bytes", value) for value in (5e6, 1.5e12)] == ["5 MB", "1,500.00 GB"]
    assert [written("mfu", 0.4123), written("tokens_per_second", 12345.6)] == ["41.2 %", "12,346"]
    assert [label(name) for name in ("mfu", "held_out_loss", "images_per_second")] == [
        "MFU",
        "held-out loss",
        "images/s",
    ]


def test_times():
    assert [clock(seconds) for seconds in (5, 65, 3605, 180_000)] == ["0:05", "1:05", "1:00:05", "2 d 2:00:00"]
    assert [lasted(seconds) for seconds in (1.23, 99.9, 3605)] == ["1.2 s", "99.9 s", "1:00:05"]


@pytest.mark.parametrize(
    ("started", "done", "words"),
    [
        (Started("train", 1000, "steps"), 40, "step 40 of 1,000"),
        (Started("fetch", 2e9, "bytes"), 5e6, "5 MB of 2.00 GB"),
        (Started("fetch", None, "bytes"), 5e6, "5 MB"),
        (Started("look", None, "files"), 7, "7 files"),
        (Started("look", 9), 7, "7 of 9"),
        (Started("look"), 0, ""),
    ],
)
def test_where_a_task_is(started, done, words):
    task = Task(started, 0.0)
    task.advance(done, 1.0)
    assert task.counted() == words


def test_the_time_left_is_that_of_the_mean_pace_since_it_went_on():
    task = Task(Started("train", 100, "steps"), 0.0)
    assert task.left_s(1.0) is None
    task.advance(40, 10.0)  # a resumed run
    assert task.left_s(11.0) is None
    task.advance(50, 30.0)
    assert task.left_s(30.0) == 100.0 and task.left_s(35.0) == 95.0 and task.left_s(999.0) == 0.0

"""Many jobs at once: all done, or the first failure told; an interrupt waits for nobody."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from aictl.core.errors import NotFound, TryLater
from aictl.stores.crew import Crew, Stopped


def test_every_job_is_done_and_told_from_this_thread():
    told = []
    crew = Crew(lambda moved: told.append((threading.get_ident(), moved)), workers=4)
    done = []

    def job(number: int) -> None:
        crew.moved(10)
        done.append(number)

    crew.run(partial(job, number) for number in range(100))
    assert sorted(done) == list(range(100))
    assert crew.bytes_moved == 1000
    assert told[-1] == (threading.get_ident(), 1000)
    crew.run([])


def test_jobs_are_done_at_once():
    together = threading.Barrier(4, timeout=20)
    Crew(workers=4).run([together.wait] * 4)


def test_the_first_failure_stops_the_others_and_is_raised():
    crew = Crew(workers=4)
    begun = []

    def job(number: int) -> None:
        begun.append(number)
        if number == 3:
            raise NotFound("three")
        for _ in range(1000):
            time.sleep(0.005)
            crew.moved(1)

    with pytest.raises(NotFound, match="three"):
        crew.run(partial(job, number) for number in range(50))
    assert len(begun) < 50


def test_a_failure_of_whoever_makes_the_jobs_is_told():
    def jobs():
        yield lambda: None
        raise NotFound("no more")

    with pytest.raises(NotFound, match="no more"):
        Crew().run(jobs())


def test_an_interrupt_does_not_wait_for_jobs():
    release, stopped = threading.Event(), threading.Event()

    def told(moved: int) -> None:
        raise KeyboardInterrupt

    crew = Crew(told, workers=1)

    def job() -> None:
        release.wait(20)
        try:
            crew.moved(1)
        except Stopped:
            stopped.set()
            raise

    with pytest.raises(KeyboardInterrupt):
        crew.run([job])
    assert not stopped.is_set()
    release.set()
    assert stopped.wait(20)


def test_what_is_kept_is_told_when_it_has_to_be_tried_later():
    crew = Crew()
    crew.moved(2_500_000)
    with pytest.raises(TryLater, match=r"no answer; 2\.5 of 10\.0 MB") as later, crew.telling_what_is_kept(10_000_000):
        raise TryLater("no answer")
    assert "goes on from there" in str(later.value.cure)

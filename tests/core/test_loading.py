from __future__ import annotations

import gc
import weakref

import pytest

from aictl.core.loading import loading


class Knot:
    """Garbage that only a collection finds."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before():
    yield
    gc.unfreeze()
    gc.enable()


def test_no_garbage_is_looked_for_while_it_lasts_and_then_again():
    with loading():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), loading():
        raise ImportError("no such library")
    assert gc.isenabled()


def test_whoever_had_turned_it_off_finds_it_off():
    gc.disable()
    with loading():
        pass
    assert not gc.isenabled()


def test_what_a_large_library_made_is_never_looked_at_again_and_what_comes_later_is(monkeypatch):
    before = gc.get_freeze_count()
    with loading():
        pass
    assert gc.get_freeze_count() == before  # nothing was imported
    monkeypatch.setattr("aictl.core.loading.MANY", -1)
    with loading():
        kept = Knot()
    assert gc.get_freeze_count() > before
    later = weakref.ref(Knot())
    gc.collect()
    assert later() is None
    assert kept.itself is kept

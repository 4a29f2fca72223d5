"""Importing what is heavy. torch and transformers are a million objects, and none of them is garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Around imports: looking for garbage meanwhile is a sixth of the time that they take, and what they have made
    stays, so that it need never be looked at again."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()

"""Importing what is heavy. torch and transformers are a million objects, and none of them is garbage."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

MANY = 500  # modules: so many come with a library such as torch, and not with a room of ours


@contextmanager
def loading() -> Iterator[None]:
    """Around imports: looking for garbage meanwhile is a sixth of the time that they take, and what a large library has
    made stays, so that it need never be looked at again. (Nor is whatever else there is by then: it is for the start of
    a program.)"""
    collects, before = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) - before > MANY:
            gc.freeze()
        if collects:
            gc.enable()

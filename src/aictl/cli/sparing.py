"""What is left out while a command's words are read, and put back before it works.

Nothing is garbage yet, and pydantic would read the metadata of everything that is installed in
search of plugins of its own: together a tenth of what a short command costs.
"""

from __future__ import annotations

import gc
import os

_VARIABLE = "PYDANTIC_DISABLE_PLUGINS"
_changed = _VARIABLE not in os.environ


def begin() -> None:
    """Called first of all."""
    gc.disable()
    os.environ.setdefault(_VARIABLE, "true")


def end() -> None:
    """Called before a command runs: its own libraries, and the programs it starts, find all as ever."""
    if _changed:
        os.environ.pop(_VARIABLE, None)
    gc.enable()

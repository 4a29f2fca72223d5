"""Where this process stands among those that run one command together.

Every one of them runs the same command line, and whoever started it (``torchrun``, or ``aictl`` itself) says in its
environment which it is: ``RANK`` of ``WORLD_SIZE``, who meet at ``MASTER_ADDR``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from aictl.core.errors import BadRequest

_NAMES = ("RANK", "WORLD_SIZE", "MASTER_ADDR")


class Place(NamedTuple):
    """Process number ``rank`` of ``ranks``; number 0 keeps what is made and tells."""

    rank: int
    ranks: int


def place(environment: Mapping[str, str] | None = None) -> Place | None:
    """This process's place, or None for one that runs on its own. Raises :class:`BadRequest` for one that cannot be."""
    given = os.environ if environment is None else environment
    if not all(name in given for name in _NAMES):
        return None
    try:
        found = Place(int(given["RANK"]), int(given["WORLD_SIZE"]))
    except ValueError:
        found = Place(-1, 0)
    if not 0 <= found.rank < found.ranks:
        raise BadRequest(
            f"RANK={given['RANK']} and WORLD_SIZE={given['WORLD_SIZE']} in the environment are no place among others",
            cure="unset both, or start the processes with torchrun",
        )
    return found

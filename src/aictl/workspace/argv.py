"""The command line as it may be written down: without the values of options named like secrets, and
without the credentials that a URL carries."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

from aictl.core.redaction import redacted

_SECRET = re.compile(r"(?i)(--[\w-]*(?:key|token|secret|password))(=.*)?", re.S)


def words() -> list[str]:
    """What was typed after the program's name."""
    return without_secrets(sys.argv[1:])


def without_secrets(argv: Sequence[str]) -> list[str]:
    """The words with ``***`` for each value that follows an option named like a secret."""
    kept: list[str] = []
    hide = False
    for word in argv:
        named = None if hide else _SECRET.fullmatch(word)
        if named:
            kept.append(named[1] + ("=***" if named[2] else ""))
        else:
            kept.append("***" if hide else redacted(word))
        hide = bool(named and not named[2])
    return kept

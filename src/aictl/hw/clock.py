"""Whether the clock is kept right, as the kernel's own bookkeeping says (man 2 adjtimex)."""

from __future__ import annotations

import ctypes
import struct
from typing import Any

_UNSYNCHRONISED = 0x40  # STA_UNSYNC
_ERROR = 5  # TIME_ERROR
# struct timex of a 64-bit Linux: modes, offset, frequency, greatest and estimated error, status.
_TIMEX = struct.Struct("@i4xqqqqi")
_SIZE = 512  # room to spare: the kernel writes some 208 bytes


def probe() -> dict[str, Any]:
    """``synchronised``, and the greatest error that the kernel allows for, in seconds; None where the
    kernel does not tell."""
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (AttributeError, OSError):
        return {"synchronised": None, "max_error_s": None, "offset_s": None}
    buffer = ctypes.create_string_buffer(_SIZE)  # modes 0: nothing is set, all is read
    state = adjtimex(buffer)
    if state < 0:
        return {"synchronised": None, "max_error_s": None, "offset_s": None}
    _, offset, _, greatest, _, status = _TIMEX.unpack_from(buffer.raw)
    nanoseconds = bool(status & 0x2000)  # STA_NANO
    return {
        "synchronised": state != _ERROR and not status & _UNSYNCHRONISED,
        "max_error_s": greatest / 1e6,
        "offset_s": offset / (1e9 if nanoseconds else 1e6),
    }

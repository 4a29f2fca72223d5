"""A number with its unit, as a person reads it. What a field is counted in stands at the end of its
name: ``memory_bytes``, ``power_draw_w``."""

from __future__ import annotations

from typing import Any

LEAST_SHARE = 1e-5  # that is said with its digits
_UNITS = {"mhz": "MHz", "w": "W", "c": "°C", "percent": "%", "s": "s"}


def size(value: float | None) -> str:
    """Bytes in the unit that leaves at most four digits: ``80 GiB``."""
    if value is None:
        return ""
    amount = float(value)
    for scale in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(amount) < 1024 or scale == "TiB":
            return f"{amount:.0f} {scale}" if scale == "B" or amount >= 100 else f"{amount:.3g} {scale}"
        amount /= 1024
    return ""


def number_shown(value: int | None) -> str:
    """A count of things in three or four digits: ``134.5M``; nothing for None."""
    if value is None:
        return ""
    amount = float(value)
    for letter in ("", "k", "M", "G", "T"):
        if abs(amount) < 1000 or letter == "T":
            return f"{amount:.4g}{letter}"
        amount /= 1000
    return ""


def rate(mbit: float | None) -> str:
    """Mbit/s in the unit in which cards are sold: ``100 Gbit/s``."""
    if mbit is None:
        return ""
    return f"{mbit / 1000:g} Gbit/s" if mbit >= 1000 else f"{mbit:g} Mbit/s"


def shown(name: str, value: Any) -> str:
    """Any field's value with the unit that its name ends in; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(shown("", one) for one in value)
    unit = name.rpartition("_")[2]
    if unit == "bytes":
        return size(value)
    number = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{number} {_UNITS[unit]}" if unit in _UNITS else number


def change(measure: str, loss: float, *, is_relative: bool) -> str:
    """What a loss of quality did to its measure: ``perplexity +4.6%``, of a share ``accuracy -0.3 points``."""
    return f"{measure} {loss:+.1%}" if is_relative else f"{measure} {-100 * loss:+.2g} points"


def percent(share: float) -> str:
    """A share with two digits that say something: ``12 %``, ``0.031 %``."""
    if 0 < share < LEAST_SHARE:
        return f"< {100 * LEAST_SHARE:g} %"
    if 0.995 <= share < 1:
        return f"{100 * share:.1f} %" if share < 0.9995 else "> 99.9 %"
    return f"{100 * share:.2g} %" if 0 < share < 0.995 else f"{100 * share:.0f} %"

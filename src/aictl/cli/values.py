"""Values as text: one as a person reads it, and a table's rows for another program to read."""

from __future__ import annotations

import json
import sys
from typing import Any

from aictl.core.answer import Table


def cell(value: Any) -> str:
    """One value as text: nothing for None, plain for words and numbers, JSON for the rest."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value) if isinstance(value, str | int) else json.dumps(value, ensure_ascii=False)


def tabbed(table: Table, *, heading: bool = True) -> None:
    """A table for another program to read: tab-separated values."""
    if heading:
        sys.stdout.write("\t".join(table.columns) + "\n")
    for row in table.rows:
        sys.stdout.write("\t".join(map(whole, row)) + "\n")


def whole(value: Any) -> str:
    """One value for another program to read: on one line, and no digit lost."""
    return (repr(value) if isinstance(value, float) else cell(value)).replace("\t", " ").replace("\n", " ")

"""Machines made of small files, as a kernel would show them."""

from __future__ import annotations

import pytest


@pytest.fixture
def machine(tmp_path):
    """``machine({"proc/meminfo": "..."})`` writes files below a folder that stands for ``/``."""

    def make(files):
        for name, content in files.items():
            path = tmp_path / "root" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        (tmp_path / "root").mkdir(exist_ok=True)
        return tmp_path / "root"

    return make

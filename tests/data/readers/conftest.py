"""Files written by others, read by the reader that is chosen for them."""

from __future__ import annotations

import pytest

from aictl.data.documents import InputFile, Reading
from aictl.data.readers import reader_for


@pytest.fixture
def read(write):
    """``read(name, content, format, **options)`` → what the chosen reader yields."""

    def run(name, content, format="text", **options):
        path = write(name, content)
        return read_file(InputFile(name, path, path.stat().st_size), format, **options)

    return run


@pytest.fixture
def read_path():
    """``read_path(path, format, **options)`` → what the chosen reader yields of a file that is there."""
    return lambda path, format="text", **options: read_file(
        InputFile(path.name, path, path.stat().st_size), format, **options
    )


def read_file(file, format, **options):
    reader = reader_for(file, format)
    assert reader, f"nobody reads {file.name} as {format}"
    return list(reader(file, Reading(**options)))

"""What the tests of stores stand on: real servers, connections that break, and little patience."""

from __future__ import annotations

from pathlib import Path

import pytest

from aictl.stores import backend
from aictl.stores.patience import Patience
from tests.stores.faulty import faulty  # noqa: F401
from tests.stores.web_server import site  # noqa: F401


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is tried again at once, and not for long; places are opened anew for each test."""
    monkeypatch.setattr(backend, "USUAL", Patience(attempts=4, first_wait_s=0.01))
    monkeypatch.setattr(backend, "FIRST", Patience(attempts=2, first_wait_s=0.01))
    forget()


def forget() -> None:
    """Sign in anew, as another process would: places and s3fs keep their sessions."""
    from s3fs import S3FileSystem

    backend._opened.cache_clear()
    S3FileSystem.clear_instance_cache()


@pytest.fixture
def write(tmp_path: Path):
    """Writes a file: ``write(name, bytes)``."""

    def written(name: str, data: bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return written

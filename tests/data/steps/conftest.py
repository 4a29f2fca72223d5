"""Real text in many languages, fetched once."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.bench import multilingual


@pytest.fixture(scope="session")
def real_documents(tmp_path_factory) -> list[multilingual.Labelled]:
    """What Debian's translators wrote; about 60 MB are fetched, unless the folder AICTL_CACHE has them."""
    if shutil.which("apt-get") is None:
        pytest.skip("apt-get is not installed, and Debian's packages hold the texts")
    folder = Path(os.environ.get("AICTL_CACHE") or tmp_path_factory.mktemp("debian")) / "multilingual"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return multilingual.gather(folder)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"Debian's packages cannot be fetched: {' '.join(map(str, error.cmd))}")

"""Wheels made by hand, and a package index that is a folder."""

from __future__ import annotations

import os
import stat
import zipfile

import pytest


@pytest.fixture
def make_wheel(tmp_path):
    """Writes a wheel: ``make_wheel({"pkg/data/a.txt": b"..."}, name="corpus", version="1.0")``."""

    def make(files, *, name="corpus", version="1.0", links=(), folder=None):
        folder = folder or tmp_path / "index"
        folder.mkdir(exist_ok=True)
        path = folder / f"{name}-{version}-py3-none-any.whl"
        info = f"{name}-{version}.dist-info"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: MIT\nRequires-Python: >=99\n"
        rows = {
            **files,
            f"{info}/METADATA": metadata.encode() + b"Requires-Dist: does-not-exist-anywhere\n",
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/licenses/LICENSE": b"MIT",
            f"{info}/RECORD": b"",
        }
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for inner, data in rows.items():
                archive.writestr(inner, data)
            for inner in links:
                entry = zipfile.ZipInfo(inner)
                entry.external_attr = (stat.S_IFLNK | 0o777) << 16
                archive.writestr(entry, "/etc/passwd")
        return path

    return make


@pytest.fixture
def index(tmp_path, monkeypatch):
    """pip sees this folder and no other index."""
    folder = tmp_path / "index"
    folder.mkdir(exist_ok=True)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder

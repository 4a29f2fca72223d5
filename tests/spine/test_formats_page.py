"""The page on the formats of datasets, run as it stands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aictl.artifacts.dataset import Dataset

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "formats.md"


@pytest.mark.slow
def test_the_page_runs(tmp_path):
    page = [sys.executable, ROOT / "docs/run_page.py", PAGE]
    words = [*page, "--folder", tmp_path, "--path", Path(sys.executable).parent]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 0, done.stderr[-3000:]
    made = {
        name: Dataset(tmp_path / f"formats/artifacts/dataset/{name}@1")
        for name in ("moods", "films", "stars", "ships", "sums", "shapes")
    }
    assert {one.format for one in made.values()} == {"text", "pair", "preference", "image"}
    assert made["moods"].classes == made["films"].classes == ("bad", "good")
    assert next(made["stars"].documents())["output"].startswith("Veo ")
    assert next(made["sums"].documents())["prompt"][0]["role"] == "user"
    shape = next(made["shapes"].documents())
    assert made["shapes"].classes == ("square",) and shape["caption"].startswith("a ")
    assert [one["label"] for one in shape["boxes"]] == ["square"]

"""The page on looking at datasets, run as it stands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "looking.md"


@pytest.mark.slow
def test_the_page_runs(tmp_path):
    words = [
        sys.executable,
        ROOT / "docs/run_page.py",
        PAGE,
        "--folder",
        tmp_path,
        "--path",
        Path(sys.executable).parent,
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 0, done.stderr[-3000:]
    place = tmp_path / "looking"
    found = [json.loads(line) for line in (place / "rfc.jsonl").read_text().splitlines()]
    assert len(found) > 5 and all(re.search("RFC ?[0-9]{4}", one["text"]) for one in found)
    stats = json.loads((place / "stats.json").read_text())
    assert stats["total"]["documents"] > 300 and stats["scripts"][0]["script"] == "Latin"
    assert "filters.min_chars" in done.stdout
    assert (place / "artifacts/page/docs-report@1/index.html").read_text().startswith("<!doctype html>")


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE.read_text("utf-8")):
        assert (PAGE.parent / target).exists(), target

"""The page on evaluating models, run as it stands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "evaluating.md"


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
    assert "exit code 1" in done.stdout
    made = tmp_path / "evaluating" / "artifacts" / "evaluation"
    found = json.loads((made / "compared@1" / "evaluation.json").read_text())
    by_name = {one["name"]: one for one in found["measures"]}
    assert by_name["bits_per_byte"]["difference"]["is_real"]
    assert by_name["bits_per_byte"]["value"] < by_name["bits_per_byte"]["other"]


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", PAGE.read_text("utf-8")):
        assert (PAGE.parent / target).exists(), target

"""The page on labelling, run as it stands: its files are written, its commands run in order."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "labelling.md"
TOPICS = {"coding": "programming", "money": "money", "sports": "sport", "emotion": "feelings", "science": "science"}


def script() -> str:
    spec = importlib.util.spec_from_file_location("run_page", ROOT / "docs" / "run_page.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.script(PAGE.read_text("utf-8"))


def labelled(folder: Path) -> list[tuple[str | None, str]]:
    """Label and true topic of every document."""
    rows = [json.loads(line) for path in sorted(folder.glob("*-0*.jsonl")) for line in path.read_text().splitlines()]
    return [(row["label"], TOPICS[Path(row["source"].rpartition(":")[0]).stem]) for row in rows]


@pytest.mark.slow
def test_the_page_runs_and_its_labels_are_right(tmp_path):
    for name, text in re.findall(r"^`([\w.]+)`\n\n```\w+\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S):
        (tmp_path / name).write_text(text, "utf-8")
    assert {path.name for path in tmp_path.iterdir()} == {"labels.toml", "rules.py", "person.py"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script()], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": path},
    )  # fmt: skip
    if done.returncode == 75:
        pytest.skip(f"the package index cannot be reached: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr[-3000:]
    first, last = (labelled(tmp_path / "artifacts/dataset" / name) for name in ("topics@1", "topics@2"))
    assert len(first) == len(last) == 226
    for rows, least in ((first, 0.94), (last, 0.96)):
        right = [label == topic for label, topic in rows if label]
        assert len(right) > 0.9 * len(rows) and sum(right) / len(right) >= least
    assert re.search(r"cohen.0.kappa\t0\.[5-9]", done.stdout)
    (summary,) = re.findall(r"`(\d+ of 226 documents labelled.*?), \.\.\.`", PAGE.read_text("utf-8"))
    assert summary in done.stderr and "review.csv: 30 documents to review" in done.stderr

"""data prep of pictures, as it is typed."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def pictures(project):
    """A folder per class in the workspace, as ``{path: bytes}``."""
    files = {}
    for number in range(24):
        file = io.BytesIO()
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (9, 9, 3), np.uint8)).save(file, "PNG")
        files[f"{('cats', 'dogs')[number % 2]}/{number}.png"] = file.getvalue()
    for name, data in files.items():
        path = project.root / "zoo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return files


def test_from_a_folder_to_what_is_looked_at(aictl, project, pictures):
    made = aictl("data", "prep", "zoo", "--name", "zoo", "--json", cwd=project.root)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["metrics"]["labels"] == {"cats": 12, "dogs": 12}
    again = aictl("data", "prep", "zoo", "--name", "zoo", "--json", cwd=project.root)
    assert json.loads(again.stdout)["up_to_date"]
    (row,) = map(json.loads, aictl("data", "head", "zoo", "-n", "1", cwd=project.root).stdout.splitlines())
    assert (row["label"], row["width"], row["height"]) == ("cats", 9, 9)
    stats = json.loads(aictl("data", "stats", "zoo", "--json", cwd=project.root).stdout)
    assert stats["labels"]["different"] == 2
    assert aictl("artifact", "check", "zoo", cwd=project.root).returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("data", "label", "zoo", "--functions", "labels.toml"), "is of format image, and text or chat is needed"),
        (("data", "tokenizer", "train", "zoo"), "is of format image, and text is needed"),
        (("data", "find", "zoo", "a"), "looks at text, chat, pair and preference"),
        (("data", "prep", "zoo/", "--min-chars", "3"), "--min-chars is about text"),
    ],
)
def test_what_needs_texts_says_so(aictl, project, pictures, words, said):
    aictl("data", "prep", "zoo", "--name", "zoo", cwd=project.root)
    (project.root / "labels.toml").write_text('[labels]\na = "x"\nb = "y"\n[functions.f]\nkeywords = { a = ["x"] }\n')
    done = aictl(*words, cwd=project.root)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_it_is_the_same_dataset_from_a_store(aictl, project, pictures, bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("AICTL_CACHE", str(tmp_path / "cache"))
    for name, data in pictures.items():
        bucket.put(f"zoo/{name}", data)
    ids = []
    for source in ("zoo", bucket.url("zoo")):
        made = aictl("data", "prep", source, "--json", cwd=project.root)
        assert made.returncode == 0, made.stderr
        ids.append(json.loads(made.stdout)["id"])
    assert ids[0] == ids[1]

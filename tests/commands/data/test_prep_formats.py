"""Pairs, preferences and pictures with captions by the program: made, sent to a store, and brought back."""

from __future__ import annotations

import json

from PIL import Image


def test_every_format_goes_to_a_store_and_comes_back(aictl, tmp_path):
    for name in ("here", "there"):
        assert aictl("init", name, cwd=tmp_path).returncode == 0
    here, there = tmp_path / "here", tmp_path / "there"
    rows = [{"prompt": f"{n}?", "chosen": "yes", "rejected": "no", "input": f"{n}", "output": "b"} for n in range(20)]
    (here / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (here / "shown").mkdir()
    for number in range(10):
        Image.new("RGB", (8 + number, 8), "red").save(here / f"shown/{number}.png")
    rows = [{"file_name": f"{n}.png", "caption": f"{n} red"} for n in range(10)]
    (here / "shown/metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = {"pair": "rows.jsonl", "preference": "rows.jsonl", "image": "shown"}
    for format, source in made.items():
        done = aictl("data", "prep", source, "--format", format, "--name", format, cwd=here)
        assert done.returncode == 0, done.stderr
    store = tmp_path / "store"
    assert aictl("artifact", "push", *made, "--store", store, cwd=here).returncode == 0
    assert aictl("artifact", "pull", *made, "--store", store, cwd=there).returncode == 0
    for format in made:
        shown = [aictl("data", "head", format, "-n", "50", cwd=place).stdout for place in (here, there)]
        assert shown[0] == shown[1] and len(shown[0].splitlines()) > 5
    done = aictl("data", "prep", "rows.jsonl", "--format", "pair", "--quality", "c4", cwd=here)
    assert done.returncode == 2
    assert "--quality is about text, and this is a dataset of pairs" in done.stderr

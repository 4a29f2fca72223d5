"""data tokenizer train as it is typed, and training a model with what it makes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

TEXT = "The cat sees the mouse in the garden, and the dog follows the bird to the harbour. Number {}.\n"


@pytest.fixture
def docs(aictl, project) -> Path:
    """A workspace with a small dataset called docs."""
    folder = project.root / "raw"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.txt").write_text("".join(TEXT.format(number * 7 + line) for line in range(20)))
    result = aictl("data", "prep", "raw", "--name", "docs", cwd=project.root)
    assert result.returncode == 0, result.stderr
    return project.root


def said(result) -> dict:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_one_is_made_found_again_and_made_anew_when_it_would_differ(aictl, docs):
    words = ("data", "tokenizer", "train", "docs", "--vocab-size", "300", "--name", "tok", "--json")
    made = said(aictl(*words, cwd=docs))
    assert made["kind"] == "tokenizer" and made["metrics"]["vocabulary"] == 300
    assert made["metrics"]["held_out"]["bytes_per_token"] > 1.5
    assert {path.name for path in Path(made["path"]).iterdir()} == {
        "tokenizer.json", "tokenizer_config.json", "artifact.json"
    }  # fmt: skip
    again = said(aictl(*words, cwd=docs))
    assert again["up_to_date"] and again["path"] == made["path"]
    other = said(aictl(*words, "--special", "<|user|>", cwd=docs))
    assert not other["up_to_date"] and other["id"] != made["id"]


def test_a_pipe_gets_the_path_alone(aictl, docs):
    result = aictl("data", "tokenizer", "train", "docs", "--vocab-size", "280", cwd=docs)
    assert result.returncode == 0, result.stderr
    assert Path(result.stdout.strip()).joinpath("tokenizer.json").is_file()


def test_what_is_asked_wrongly_says_what_to_do(aictl, docs):
    small = aictl("data", "tokenizer", "train", "docs", "--vocab-size", "100", cwd=docs)
    assert small.returncode == 2 and not small.stdout
    assert "256 bytes and 3 special tokens" in small.stderr and "--vocab-size 259 or more" in small.stderr
    double = aictl("data", "tokenizer", "train", "docs", "--special", "<|pad|>", cwd=docs)
    assert double.returncode == 2 and "is there twice" in double.stderr
    missing = aictl("data", "tokenizer", "train", "nothing", cwd=docs)
    assert missing.returncode == 3


@pytest.mark.slow
def test_a_model_is_trained_with_it(aictl, docs):
    tokenizer = said(
        aictl("data", "tokenizer", "train", "docs", "--vocab-size", "300", "--name", "tok", "--json", cwd=docs)
    )
    training = ("train", "docs", "--max-steps", "8", "--batch-size", "2", "--sequence-length", "32")
    given = said(aictl(*training, "--tokenizer", "tok", "--name", "given", "--json", cwd=docs))
    assert given["metrics"]["vocabulary"] == 300
    made = Path(given["path"])
    assert (made / "tokenizer.json").read_bytes() == (Path(tokenizer["path"]) / "tokenizer.json").read_bytes()
    # Learnt in passing it is the same one, and so is the model.
    learnt = said(aictl(*training, "--vocab-size", "300", "--json", cwd=docs))
    assert learnt["id"] == given["id"]
    # A checkpoint's own tokenizer does as well.
    again = said(aictl(*training, "--tokenizer", "given", "--json", cwd=docs))
    assert again["id"] == given["id"]
    lineage = aictl("artifact", "lineage", "given", cwd=docs)
    assert "tok" in lineage.stdout and "docs" in lineage.stdout
    both = aictl(*training, "--tokenizer", "tok", "--vocab-size", "300", cwd=docs)
    assert both.returncode == 2 and "--tokenizer gives one" in both.stderr
    wrong = aictl(*training, "--tokenizer", "docs", cwd=docs)
    assert wrong.returncode == 2 and "dataset" in wrong.stderr

"""Python functions: from a file that was given and from installed distributions, and from nowhere else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from aictl.core import doors
from aictl.core.errors import BadInput, BadRequest, NotFound

RULES = """
import re
from dataclasses import dataclass

print("imported")

@dataclass
class Rule:
    word: str

def rain(text):
    print("asked")
    return "weather" if re.search("rain", text) else None

def strange(text):
    return "wether"

def broken(text):
    return {}["secret " + text]

number = 3
"""


@pytest.fixture
def rules(tmp_path) -> Path:
    path = tmp_path / "rules.py"
    path.write_text(RULES)
    return path


def test_a_function_of_a_file_votes_and_prints_nothing_into_the_result(open_one, rules, capsys):
    voter = open_one("kind = 'python'\ncall = 'rules.py:rain'", code=[rules])
    assert voter.vote(["rain", "snow"], 0).tolist() == [0, -1]
    assert "asked" not in capsys.readouterr().out


def test_code_that_was_not_given_is_never_run(open_one, rules):
    mark = rules.with_name("ran")
    rules.write_text(f"open({str(mark)!r}, 'w')\ndef rain(text): return None\n")
    for call in (f"{rules}:rain", "rules.py:rain", "./rules.py:rain"):
        with pytest.raises(NotFound, match="was not given with --code"):
            open_one(f"kind = 'python'\ncall = '{call}'")
    with pytest.raises(NotFound, match="no labeler is called 'os:system'; none is installed"):
        open_one("kind = 'python'\ncall = 'os:system'")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        ("rules.py:rian", NotFound, "rules.py has no function 'rian'; did you mean 'rain'?"),
        ("rule.py:rain", NotFound, "rule.py was not given with --code; did you mean 'rules.py'?"),
        ("rules.py:number", BadInput, "rules.py:number is no function"),
    ],
)
def test_what_is_not_there(open_one, rules, call, error, said):
    with pytest.raises(error) as told:
        open_one(f"kind = 'python'\ncall = '{call}'", code=[rules])
    assert said in told.value.message


def test_a_function_that_fails_is_named_with_its_line_and_without_the_text(open_one, rules):
    voter = open_one("kind = 'python'\ncall = 'rules.py:broken'", code=[rules])
    with pytest.raises(BadInput) as told:
        voter.vote(["private"], 41)
    assert "rules.py:broken raised KeyError in line 19 at document 42" in told.value.message
    assert "private" not in told.value.message


def test_a_label_that_it_may_not_give(open_one, rules):
    voter = open_one("kind = 'python'\ncall = 'rules.py:strange'", code=[rules])
    with pytest.raises(BadInput, match="gave 'wether' for document 1, which is none of its labels; did you mean 'wea"):
        voter.vote(["x"], 0)
    voter = open_one("kind = 'python'\ncall = 'rules.py:rain'\nlabels = ['alarm', 'other']", code=[rules])
    with pytest.raises(BadInput, match="which is none of its labels"):
        voter.vote(["rain"], 0)


@pytest.mark.parametrize(
    ("text", "said"), [("def rain(:", "line 1: SyntaxError"), ("\n\n1 / 0", "line 3: ZeroDivisionError")]
)
def test_a_file_that_cannot_be_imported(open_one, rules, text, said):
    rules.write_text(text)
    with pytest.raises(BadInput, match=said):
        open_one("kind = 'python'\ncall = 'rules.py:rain'", code=[rules])


def test_an_entry_point_is_called_in_the_version_that_was_named(open_one, tmp_path, monkeypatch):
    (tmp_path / "house_rules.py").write_text("def rain(text): return 'weather' if 'rain' in text else None\n")
    info = tmp_path / "house_rules-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: house-rules\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[aictl.labelers]\nrain = house_rules:rain\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    doors.doors.cache_clear()
    try:
        voter = open_one("kind = 'python'\ncall = 'rain'\nversion = '1.2'")
        assert voter.vote(["rain", "sun"], 0).tolist() == [0, -1]
        with pytest.raises(BadRequest) as told:
            open_one("kind = 'python'\ncall = 'rain'\nversion = '1.1'")
        assert "comes from house-rules 1.2, and version 1.1 is asked for" in told.value.message
        with pytest.raises(BadRequest, match="its version is not named"):
            open_one("kind = 'python'\ncall = 'rain'")
        with pytest.raises(NotFound, match="no labeler is called 'rian'; did you mean 'rain'?"):
            open_one("kind = 'python'\ncall = 'rian'\nversion = '1.2'")
    finally:
        doors.doors.cache_clear()
        sys.modules.pop("house_rules", None)

"""URLs lose their secrets wherever they are told or written down."""

from __future__ import annotations

import json

import pytest

from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.core.redaction import in_values, redacted
from aictl.workspace.argv import without_secrets
from aictl.workspace.journal import Journal


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://me:pw@host/x", "https://***@host/x"),
        ("https://token@host", "https://***@host"),
        ("https://me:p/w@host/x", "https://***@host/x"),
        ("https://me:p@w@host/x?a=1", "https://***@host/x?a=***"),
        ("see https://h/x?X-Amz-Signature=abc&n=1, then", "see https://h/x?X-Amz-Signature=***&n=***, then"),
        ("(https://h/x?secret)", "(https://h/x?***)"),
        ("https://h/x#access_token=abc", "https://h/x#access_token=***"),
        ("hdfs://me:pw@nn:8020/x", "hdfs://me:***@nn:8020/x"),
        ("two: http://a:b@c/ http://d:e@f/", "two: http://***@c/ http://***@f/"),
        ("HTTPS://ME:PW@HOST/", "HTTPS://***@HOST/"),
    ],
)
def test_what_is_secret_goes(text, expected):
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "no url at all: me:pw@host",
        "https://host:8080/@me/page",
        "s3://bucket/key/with space",
        "abfs://container@account.dfs.core.windows.net/x",
        "webhdfs://me@host:9870/x",
        f"https://h/wheel.whl#sha256={'a' * 64}",
        "http://[::1]:8000/v1",
    ],
)
def test_what_is_not_stays(text):
    assert redacted(text) == text


def test_it_reaches_into_values():
    value = {"a": ["http://x:y@z/", 1, None], "http://k:v@h/": {"b": True}}
    assert in_values(value) == {"a": ["http://***@z/", 1, None], "http://***@h/": {"b": True}}


def test_errors_and_events_and_the_command_line_are_told_without_secrets(tmp_path):
    error = BadRequest("bad: https://me:hunter2@h/", cure="try https://me:hunter2@h/x?sig=hunter2")
    told = []
    events = Events(told.append)
    events.started("read https://h/?sig=hunter2")
    events.noted("https://me:hunter2@h/")
    words = without_secrets(["data", "prep", "https://me:hunter2@h/", "--store=https://h/?k=hunter2"])
    said = f"{error} {error.message} {error.cure} {told} {words}"
    assert "hunter2" not in said
    assert "***" in said


def test_the_journal_keeps_no_secret_of_an_exception_either(tmp_path):
    with pytest.raises(ValueError, match="hunter2"), Journal(tmp_path, "test"):
        raise ValueError("cannot connect to https://me:hunter2@host/x?token=hunter2")
    (journal,) = tmp_path.glob("*.jsonl")
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    assert rows[-1]["event"] == "Failed"
    assert "cannot connect to https://***@host/x?token=***" in rows[-1]["traceback"]
    # The line of source that is quoted is this test's own.
    assert "hunter2" not in rows[-1]["error"]

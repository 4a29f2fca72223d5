"""A record is read back as it was written, and never with a bit that was flipped."""

from __future__ import annotations

import json

import pytest

from aictl.core.artifact import RECORD_NAME, InputRecord, Record
from aictl.core.errors import Damaged, NotFound

RECORD = Record(
    kind="dataset",
    id="0f" * 32,
    key="f0" * 32,
    command="data.prep",
    revision=1,
    spec={"seed": 0, "include": ["*.md"]},
    inputs=(InputRecord("sources", "ab" * 32, uri="notes/caf\u00e9-\udce9.txt", path="/notes/caf\u00e9-\udce9.txt"),),
    files={"train-00000.jsonl": {"sha256": "cd" * 32, "size": 12}},
    metrics={"perplexity": 1.25e-05},
    summary="7 train documents",
    created="2025-01-31T12:00:00.000+00:00",
    seconds=0.125,
)


def test_a_record_is_read_back_as_it_was_written(tmp_path):
    (tmp_path / RECORD_NAME).write_bytes(RECORD.to_json())
    assert Record.read(tmp_path) == RECORD
    assert json.loads((tmp_path / RECORD_NAME).read_text("utf-8"))["summary"] == RECORD.summary


def test_no_bit_of_a_record_can_flip_unnoticed():
    whole = RECORD.to_json()
    for place in range(len(whole)):
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[place] ^= 1 << bit
            with pytest.raises((ValueError, TypeError, KeyError)):
                Record.from_json(bytes(flipped))


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b'"x"', b"{}", b'{"schema": 1}', b"\xff\xfe\0"])
def test_what_is_no_record_is_damage(tmp_path, text):
    (tmp_path / RECORD_NAME).write_bytes(text)
    with pytest.raises(Damaged, match=RECORD_NAME):
        Record.read(tmp_path)


def test_a_folder_without_a_record_is_no_artifact(tmp_path):
    with pytest.raises(NotFound):
        Record.read(tmp_path)

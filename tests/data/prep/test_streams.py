"""How files are divided among workers, and that nothing is lost or read twice for it."""

from __future__ import annotations

import gzip
import json

import pytest

from aictl.data.documents import Document, InputFile, Reading, Rejected
from aictl.data.prep import streams as room
from aictl.data.prep.streams import Began, LeftOut, divide, read

READING = Reading()


@pytest.fixture
def file(write):
    def make(name, content):
        path = write(name, content)
        return InputFile(name, path, path.stat().st_size)

    return make


def items(found):
    return [item for stream in found for item in read(stream, "text", READING)]


@pytest.mark.parametrize("stream_bytes", [100, 997, 5000, 10**9])
def test_a_file_of_lines_in_parts_is_the_whole_file(file, monkeypatch, stream_bytes):
    lines = [json.dumps({"text": "line " + "x" * (number % 90), "n": number}) for number in range(300)]
    lines[50] = "{broken"
    lines[100] = ""
    lines[150] = json.dumps({"text": "é" * 3000})
    one = file("a.jsonl", "\n".join(lines))
    whole = items(divide([(0, one)], "text"))
    monkeypatch.setattr(room, "STREAM_BYTES", stream_bytes)
    monkeypatch.setattr(room, "_BLOCK_BYTES", 64)
    parts = divide([(0, one)], "text")
    assert (len(parts) > 1) == (stream_bytes < one.size_bytes)
    found = items(parts)
    documents = [item for item in found if isinstance(item, Document | Rejected)]
    assert documents == [item for item in whole if isinstance(item, Document | Rejected)]
    assert documents[-1].source == "a.jsonl:300"
    assert sum(isinstance(item, Rejected) for item in documents) == 1
    assert sum(isinstance(item, Began) and (item.file.part is None or item.file.part.begin == 0) for item in found) == 1


def test_what_cannot_be_divided_is_one_part(file, write, monkeypatch):
    monkeypatch.setattr(room, "STREAM_BYTES", 100)
    row = json.dumps({"text": "some words that repeat " * 10}) + "\n"
    packed = write("b.jsonl.gz", gzip.compress((row * 40).encode()))
    files = [
        file("a.jsonl", (row * 10).encode("utf-16")),
        InputFile("b.jsonl.gz", packed, packed.stat().st_size),
        file("c.txt", "plain text " * 100),
    ]
    found = divide(list(enumerate(files)), "text")
    assert [len(stream.files) for stream in found] == [1, 1, 1]
    assert all(stream.files[0].part is None for stream in found)
    assert sum(isinstance(item, Document) for item in items(found)) == 51


def test_small_files_share_a_stream_and_keep_their_source(file):
    files = [(number // 3, file(f"{number}.txt", f"document {number} of a few")) for number in range(9)]
    (stream,) = divide(files, "text")
    began = [item for item in read(stream, "text", READING) if isinstance(item, Began)]
    assert [item.source for item in began] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_files_of_no_use_are_left_out_and_bad_ones_rejected(file):
    files = [file("a.png", b"\x89PNG\0"), file("b.json", '{"settings": 1}'), file("c.txt", b"\xff\xff\xff")]
    found = items(divide([(0, one) for one in files], "text"))
    assert [type(item) for item in found] == [LeftOut, LeftOut, Began, Rejected]


def test_a_line_longer_than_a_part_stays_whole(file, monkeypatch):
    monkeypatch.setattr(room, "STREAM_BYTES", 1000)
    monkeypatch.setattr(room, "_BLOCK_BYTES", 64)
    texts = ["short one", "long " * 2000, "short two"]
    one = file("a.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in texts))
    found = [item.content for item in items(divide([(0, one)], "text")) if isinstance(item, Document)]
    assert found == texts

"""CSV and TSV, most of it written by the csv module of Python."""

from __future__ import annotations

import codecs
import csv
import gzip
import io

import pytest

from aictl.data.documents import Document, InputFile, Reading, Rejected, Unreadable
from aictl.data.readers import format_of, tables


def table(*rows, **dialect):
    out = io.StringIO(newline="")
    csv.writer(out, **dialect).writerows(rows)
    return out.getvalue()


HARD = [
    "plain",
    "with, comma; semicolon\tand tab",
    'she said "no"',
    "two\nlines\r\nand three",
    "",
    " spaces ",
    '"',
    "nul \0 in it",
    "日本語 🙂",
    "x" * 300_000,
]


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize(("name", "delimiter"), [("a.csv", ","), ("a.tsv", "\t"), ("deep/A.CSV", ",")])
def test_every_field_comes_back_as_it_was_written(read, name, delimiter, encoding, quoting):
    written = table(["id", "text"], *enumerate(HARD), delimiter=delimiter, quoting=quoting).encode(encoding)
    if encoding == "utf-8":
        written = written.replace(b"nul \0", b"nul \\0")
    wanted = [one.replace("\0", "\\0") if encoding == "utf-8" else one for one in HARD]
    assert read(name, written) == [Document(f"{name}:{row}", text) for row, text in enumerate(wanted, 2)]


def test_unpacked_and_with_line_ends_of_unix(read):
    texts = [one for one in HARD if one and "\0" not in one]
    written = table(["text"], *([one] for one in texts), lineterminator="\n").encode()
    assert [one.content for one in read("a.csv.gz", gzip.compress(written))] == texts


def test_rows_are_numbered_as_a_spreadsheet_does_it(read):
    items = read("a.csv", 'text\none\n"two\nlines"\n\nthree,4\nfive')
    assert items == [
        Document("a.csv:2", "one"),
        Document("a.csv:3", "two\nlines"),
        Rejected("a.csv:5", "wrong number of fields", "2, and the header names 1 (line 6)"),
        Document("a.csv:6", "five"),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("only one", "wrong number of fields"),
        ("1,two,3", "wrong number of fields"),
        ('1,"two" and more', "broken row"),
        ("1,two\rthree,4", "broken row"),
        (b"1,gr\xf6\xdfe", "not UTF-8"),
        (b'1,"gr\xf6\xdfe\nund mehr"', "not UTF-8"),
        (b"\xff,fine", "not UTF-8"),
    ],
)
def test_a_bad_row_is_set_aside_and_the_next_one_is_read(read, row, reason):
    row = row if isinstance(row, bytes) else row.encode()
    before, bad, after = read("a.csv", b"id,text\n0,before\n" + row + b"\n2,after\n")
    assert (before, after) == (Document("a.csv:2", "before"), Document("a.csv:4", "after"))
    assert (bad.source, bad.reason) == ("a.csv:3", reason)


@pytest.mark.parametrize(
    ("content", "reason", "detail"),
    [
        ("", "no header", "names the columns"),
        ("\n\na,b\n", "no header", "names the columns"),
        ("a,b\n1,2\n", "no field 'text'", "found a, b; --text-field names another"),
        ("text;label\nx;1\n", "no field 'text'", "found text;label"),
        ("text,text\n1,2\n", "broken header", "several columns are called 'text'"),
        (b"t\xff,text\n1,2\n", "broken header", "not UTF-8"),
        ('"text\n', "broken header", "unexpected end"),
        (b"text\n\0\0\0", "binary file", ""),
        ("," * 20_000, "broken header", "20,001 columns"),
    ],
)
def test_a_file_without_the_column_says_what_it_has(read, content, reason, detail):
    with pytest.raises(Unreadable) as caught:
        read("a.csv", content)
    assert caught.value.reason == reason
    assert detail in caught.value.detail


def test_another_column_may_hold_the_text(read):
    assert read("a.tsv", "id\tbody\n1\tHello\n", text_field="body") == [Document("a.tsv:2", "Hello")]


def test_a_quote_that_is_never_closed_takes_a_bounded_piece(read, monkeypatch):
    monkeypatch.setattr(tables, "MAX_ROW_BYTES", 1000)
    lines = [f'{number},"text {number}"' for number in range(200)]
    lines[50] = '50,"text 50'
    lines[150] = "150," + "x" * 5000
    items = read("a.csv", "id,text\n" + "\n".join(lines))
    assert [item.reason for item in items if isinstance(item, Rejected)].count("broken row") >= 2
    kept = {item.content for item in items if isinstance(item, Document)}
    assert {f"text {number}" for number in (*range(50), *range(130, 150), *range(151, 200))} <= kept
    assert len(items) > 150


def test_a_row_that_goes_on_without_end_takes_a_bounded_piece(read, monkeypatch):
    monkeypatch.setattr(tables, "MAX_ROW_BYTES", 10_000)
    items = read("a.csv", b"text\n" + b'"a"' + b',"b\nc"' * 5000 + b"\nafter\n")
    assert all(isinstance(item, Rejected) for item in items[:-1])
    assert items[0].detail == "more than 10,000 bytes in one row; is a quote never closed? (from line 2 on)"
    assert items[-1].content == "after"


def test_a_gzip_that_was_cut_short_keeps_what_was_read(read):
    written = table(["text"], *([f"row {number} " + "x" * 500] for number in range(5000))).encode()
    items = read("a.csv.gz", gzip.compress(written)[:-500])
    assert len(items) > 4000
    assert items[-1].reason == "truncated"


def test_conversations_by_columns(read, write):
    rows = [
        ["instruction", "input", "output"],
        ["Say hi.", "", "Hi."],
        ["Add.", "1 and 2", "3"],
        ["Say nothing.", "", ""],
    ]
    first, second, empty = read("a.csv", table(*rows), "chat")
    assert [turn["content"] for turn in first.content] == ["Say hi.", "Hi."]
    assert [turn["content"] for turn in second.content] == ["Add.\n\n1 and 2", "3"]
    assert empty == Rejected("a.csv:4", "empty message")
    with pytest.raises(Unreadable, match="not a conversation"):
        read("b.csv", "text\nhello\n", "chat")
    wanted = {
        table(*rows): "chat",
        "prompt,completion\n": "chat",
        "id,text\n": "text",
        "id,body\n": None,
        "": None,
        codecs.BOM_UTF16_LE.decode("latin-1"): None,
    }
    for content, format in wanted.items():
        assert format_of(InputFile("c.csv", write("c.csv", content), 9), Reading()) == format

"""What would fill the memory: each is read by a process of its own, which says how much it took."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aictl.data.decode import SMALL_WHOLE_BYTES, zstd
from aictl.data.documents import Document, HoldsNoDocuments, InputFile, Reading, Rejected, Unreadable
from aictl.data.readers import apart, format_of, reader_for

PROGRAM = """
import json, resource, sys
from pathlib import Path
from aictl.data.documents import Document, InputFile, Reading, Unreadable
from aictl.data.readers import apart, reader_for
path = Path(sys.argv[1])
file = InputFile(path.name, path, path.stat().st_size)
counts = {}
try:
    for item in reader_for(file, "text")(file, Reading("text", 20_000)):
        name = "read" if isinstance(item, Document) else item.reason
        counts[name] = counts.get(name, 0) + 1
except Unreadable as error:
    counts[error.reason] = 1
for process in apart._idle:
    process.close()
# Not ru_maxrss, which a process has from the one that it was forked from.
own = int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
below = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([counts, max(own, below) / 1024]))
"""


@pytest.fixture
def measured():
    """``measured(path)`` → how many items of which kind were read, and the most MiB that it took."""

    def run(path):
        done = subprocess.run([sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def sparse(path, begin, size_bytes, end=b""):
    """A file of some gigabytes that takes no room on the disk."""
    with path.open("wb") as stream:
        stream.write(begin)
        stream.seek(size_bytes)
        stream.write(end)
    return path


@pytest.mark.slow
def test_a_line_of_two_gigabytes(tmp_path, measured):
    path = sparse(tmp_path / "a.jsonl", b'{"text": "' + b"x" * 10_000, 2 * 2**30, b'"}\n{"text": "after"}\n')
    counts, most = measured(path)
    assert counts == {"line too long": 1, "read": 1}
    assert most < 250


@pytest.mark.slow
def test_a_row_of_two_gigabytes(tmp_path, measured):
    path = sparse(tmp_path / "a.csv", b'text\n"' + b"x" * 10_000, 2 * 2**30, b'"\nafter\n')
    counts, most = measured(path)
    assert counts == {"broken row": 1, "read": 1}
    assert most < 400


@pytest.mark.slow
def test_a_record_of_two_gigabytes(tmp_path, measured):
    head = b"WARC/1.0\r\nWARC-Type: resource\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
    size_bytes = 2 * 2**30
    begin = head % size_bytes
    after = head % 5 + b"after\r\n\r\n"
    path = sparse(tmp_path / "a.warc", begin, len(begin) + size_bytes, b"\r\n\r\n" + after)
    counts, most = measured(path)
    assert counts == {"record too long": 1, "read": 1}
    assert most < 200


def bomb(kind, begin, size_bytes):
    """What unpacks to this many bytes, most of them spaces."""
    packer = zstd.ZstdCompressor() if kind == "zst" else zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b" " * 2**20
    return packer.compress(begin) + b"".join(packer.compress(block) for _ in range(size_bytes >> 20)) + packer.flush()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "kind"),
    [(suffix, "zst") for suffix in ("txt", "jsonl", "csv", "html", "json", "warc", "pdf", "parquet")]
    + [("jsonl", "gz"), ("warc", "gz")],
)
def test_a_packed_file_that_stands_for_gigabytes(tmp_path, measured, suffix, kind):
    begin = {"warc": b"WARC/1.0\r\nContent-Length: 99999999999\r\n\r\n", "csv": b"text\n"}.get(suffix, b"")
    path = tmp_path / f"a.{suffix}.{kind}"
    path.write_bytes(bomb(kind, begin, 2 * 2**30))
    assert path.stat().st_size < 3 * 2**20
    counts, most = measured(path)
    assert set(counts) <= {"unpacks to too much", "too large", "broken row", "line too long", "broken record"}
    assert counts
    assert most < 300


def test_a_large_json_document_is_read_apart_and_says_the_same(write):
    rows = [{"text": f"{number} " + "words " * 2000} for number in range(6000)]
    path = write("a.json", json.dumps(rows))
    file = InputFile("a.json", path, path.stat().st_size)
    assert file.size_bytes > SMALL_WHOLE_BYTES
    assert format_of(file, Reading()) == "text"
    items = list(reader_for(file, "text")(file, Reading()))
    assert items == [Document(f"a.json:{number}", row["text"]) for number, row in enumerate(rows, 1)]
    with pytest.raises(HoldsNoDocuments):
        list(reader_for(file, "chat")(file, Reading()))
    path.write_text("[]" + " " * SMALL_WHOLE_BYTES)
    assert format_of(file, Reading()) is None


def test_json_of_which_more_is_made_than_the_process_may_take(write):
    path = write("a.json", b"[" + b"[[]],{}," * 2**22 + b"0]")
    file = InputFile("a.json", path, path.stat().st_size)
    few = apart.Bounds(memory_bytes=2**29)
    with pytest.raises(Unreadable, match="takes too much memory"):
        list(apart.items("aictl.data.readers.json_records", "read_json_texts", file, Reading(), few))


@pytest.mark.slow
def test_one_value_of_fifty_megabytes_two_thousand_times(tmp_path, measured):
    """A hundred gigabytes of text in two kilobytes."""
    path = tmp_path / "a.parquet"
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 2000, pa.int32()), pa.array(["x" * (50 * 2**20)]))
    pq.write_table(pa.table({"text": column}), path, compression="zstd", dictionary_pagesize_limit=2**30)
    assert path.stat().st_size < 5000
    counts, most = measured(path)
    assert counts == {"read": 20, "unpacks to too much": 1}
    assert most < 700


def test_a_small_file_may_be_packed_well(read):
    text = "word " * 200_000
    assert read("a.txt.gz", gzip.compress(text.encode())) == [Document("a.txt.gz", text)]


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 100_000 + "deep down",
        "<ul><li>" * 20_000 + "deep down" + "</li></ul>" * 20_000,
        "<table><tr><td>" * 10_000 + "deep down",
        "<b>" * 50_000 + "deep down" + "</i>" * 50_000,
        "<p>deep down" + "</div>" * 100_000,
    ],
    ids=len,
)
def test_html_that_is_nested_without_end(read, page):
    (document,) = read("a.html", page)
    assert "deep down" in document.content
    record = f"WARC/1.0\r\nWARC-Type: resource\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\n\r\n{page}"
    (document,) = read("a.warc", record)
    assert "deep down" in document.content


@pytest.mark.parametrize("value", ["[" * 100_000, '{"a":' * 100_000, '{"text": ' + "[" * 50_000 + "]" * 50_000 + "}"])
def test_json_that_is_nested_without_end(read, value):
    bad, good = read("a.jsonl", value + '\n{"text": "after"}')
    assert isinstance(bad, Rejected)
    assert good == Document("a.jsonl:2", "after")


def test_a_reader_of_what_is_gone(tmp_path):
    for name in ("a.txt", "a.jsonl", "a.csv", "a.warc", "a.pdf", "a.parquet", "a.html", "a.csv.gz"):
        file = InputFile(name, tmp_path / name, 10)
        reasons = []
        try:
            reasons += [item.reason for item in reader_for(file, "text")(file, Reading())]
        except Unreadable as error:
            reasons.append(error.reason)
        assert reasons == ["cannot be read"], name

"""Parquet files written by pyarrow, some of them spoiled afterwards."""

from __future__ import annotations

import io
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aictl.data.documents import Document, InputFile, Reading, Rejected, Unreadable
from aictl.data.prep import streams
from aictl.data.readers import format_of, parquet

CHAT = [{"role": "user", "content": "How?"}, {"role": "assistant", "content": "So."}]


def table(columns, **options):
    out = io.BytesIO()
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), out, **options)
    return out.getvalue()


def texts(count, seed=0):
    rng = random.Random(seed)
    return [f"{number} {rng.randbytes(rng.randrange(400)).hex()}" for number in range(count)]


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "brotli", "lz4"])
@pytest.mark.parametrize("dictionary", [True, False])
def test_each_row_is_a_document(read, compression, dictionary):
    wanted = texts(300)
    written = table({"id": range(300), "text": wanted}, compression=compression, use_dictionary=dictionary)
    items = read("deep/a.parquet", written)
    assert items == [Document(f"deep/a.parquet:{row}", text) for row, text in enumerate(wanted, 1)]


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string()), pa.binary()]
)
def test_text_however_it_is_typed(read, kind):
    wanted = ["größer", "", "日本語 🙂", "größer"]
    column = pa.array(wanted).cast(kind) if kind != pa.string_view() else pa.array(wanted, kind)
    items = read("a.parquet", table({"text": column}))
    assert [item.content for item in items] == wanted


def test_rows_without_text_are_set_aside(read):
    items = read("a.parquet", table({"text": ["one", None, "three"]}))
    assert items == [
        Document("a.parquet:1", "one"),
        Rejected("a.parquet:2", "not a string", "'text' is of type NoneType"),
        Document("a.parquet:3", "three"),
    ]
    (number,) = read("b.parquet", table({"text": [7]}))
    assert number == Rejected("b.parquet:1", "not a string", "'text' is of type int")


@pytest.mark.parametrize("kind", [pa.binary(), pa.string()])
def test_bytes_that_are_no_text_are_set_aside_one_by_one(read, kind):
    bad = pa.array([b"good", b"gr\xf6\xdfe", b"better"], pa.binary())
    column = bad if kind == pa.binary() else pa.StringArray.from_buffers(3, *bad.buffers()[1:])
    first, second, third = read("a.parquet", table({"text": column}))
    assert (first.content, third.content) == ("good", "better")
    assert (second.source, second.reason) == ("a.parquet:2", "not UTF-8")


def test_a_file_without_the_column_says_what_it_has(read):
    for columns, found in (({"body": ["x"], "id": [1]}, "found body, id; --text-field"), ({}, "found no fields")):
        with pytest.raises(Unreadable, match="no field 'text'") as caught:
            read("a.parquet", table(columns))
        assert caught.value.detail.startswith(found)
    assert read("b.parquet", table({"body": ["x"]}), text_field="body") == [Document("b.parquet:1", "x")]
    assert read("c.parquet", table({"text": pa.array([], pa.string())})) == []


class TestConversations:
    @pytest.mark.parametrize(
        "row",
        [
            {"messages": CHAT},
            {"conversations": [{"from": "human", "value": "How?"}, {"from": "gpt", "value": "So."}]},
            {"instruction": "How?", "input": None, "output": "So."},
            {"instruction": "How?", "input": "", "output": "So.", "system": None},
            {"prompt": "How?", "completion": "So."},
            {"prompt": CHAT[:1], "chosen": CHAT[1:], "rejected": CHAT[:1]},
            {"messages": [{"role": it["role"], "content": [{"type": "text", "text": it["content"]}]} for it in CHAT]},
        ],
    )  # fmt: skip
    def test_every_known_shape(self, read, write, row):
        written = table(pa.Table.from_pylist([row, row]))
        assert read("a.parquet", written, "chat") == [Document(f"a.parquet:{number}", CHAT) for number in (1, 2)]
        path = write("a.parquet", written)
        assert format_of(InputFile("a.parquet", path, 9), Reading()) == "chat"

    def test_fields_that_only_some_turns_have(self, read):
        rows = [
            {"messages": [{**CHAT[0], "name": "ada"}, CHAT[1]], "id": 1},
            {"messages": [CHAT[0], {"role": "tool", "content": "x"}], "id": 2},
            {"messages": [CHAT[0], {"role": "assistant", "content": None}], "id": 3},
            {"messages": [], "id": 4},
            {"messages": None, "id": 5},
        ]
        first, *rest = read("a.parquet", table(pa.Table.from_pylist(rows)), "chat")
        assert first == Document("a.parquet:1", CHAT)
        assert [item.reason for item in rest] == [
            "unknown role", "not a string", "not a conversation", "not a conversation"
        ]  # fmt: skip

    def test_other_columns_are_no_conversations(self, read, write):
        for columns in ({"text": ["x"]}, {"messages": ["x"]}, {"messages": [["x"]]}, {"prompt": ["x"]}):
            with pytest.raises(Unreadable, match="not a conversation"):
                read("a.parquet", table(columns), "chat")
        path = write("a.parquet", table({"text": ["x"], "id": [1]}))
        assert format_of(InputFile("a.parquet", path, 9), Reading()) == "text"
        assert format_of(InputFile("a.parquet", path, 9), Reading("id")) == "text"
        assert format_of(InputFile("a.parquet", path, 9), Reading("body")) is None
        path.write_bytes(b"no parquet")
        assert format_of(InputFile("a.parquet", path, 9), Reading()) is None


class TestDamage:
    @pytest.mark.parametrize("cut", [0, 3, 4, 11, 12, 500, -1, -4, -8, -100])
    def test_a_file_without_its_footer_is_refused(self, read, cut):
        with pytest.raises(Unreadable) as caught:
            read("a.parquet", table({"text": texts(100)})[:cut])
        assert caught.value.reason == "broken Parquet"

    def test_a_row_group_that_is_damaged_is_told_and_the_others_are_read(self, read):
        options = {"row_group_size": 100, "write_page_checksum": True, "use_dictionary": False, "compression": "none"}
        written = bytearray(table({"text": texts(400)}, **options))
        place = pq.ParquetFile(io.BytesIO(written)).metadata.row_group(1).column(0).data_page_offset
        written[place + 5000] ^= 1
        items = read("a.parquet", bytes(written))
        (lost,) = [item for item in items if isinstance(item, Rejected)]
        assert lost.reason == "damaged"
        assert lost.source.startswith("a.parquet:1")
        assert "to 200 are lost: " in lost.detail
        kept = [int(item.content.split()[0]) for item in items if isinstance(item, Document)]
        assert set(kept) >= {*range(100), *range(200, 400)}

    def test_a_column_whose_type_changes_half_way_is_told(self, read):
        """A file whose footer says text, where the second row group was written as numbers."""
        first = table({"text": texts(50)}, row_group_size=50, compression="none", use_dictionary=False)
        both = bytearray(table({"text": texts(100)}, row_group_size=50, compression="none", use_dictionary=False))
        place = pq.ParquetFile(io.BytesIO(both)).metadata.row_group(1).column(0).data_page_offset
        numbers = table({"text": range(50)}, compression="none", use_dictionary=False)
        begin = pq.ParquetFile(io.BytesIO(numbers)).metadata.row_group(0).column(0).data_page_offset
        page = numbers[begin : begin + 300]
        both[place : place + len(page)] = page
        items = read("a.parquet", bytes(both))
        assert items[:50] == read("a.parquet", first)
        assert items[50].reason == "damaged"
        assert items[50].source == "a.parquet:51"
        assert items[50].detail.startswith("rows 51 to 100 are lost: ")

    def test_rows_that_are_promised_and_not_there_are_told(self, read):
        whole = table({"text": texts(100)}, compression="none", use_dictionary=False)
        rows = b"\x16\xc8\x01"  # a hundred, as the footer says it of the file, of the row group and of its column
        footer = whole.rindex(b"text") - 200
        assert whole.count(rows, footer) >= 2
        spoiled = whole[:footer] + whole[footer:].replace(rows, b"\x16\xd0\x01")
        items = read("a.parquet", spoiled)
        assert len(items) == 101
        assert items[-1].reason == "damaged"
        assert items[-1].detail.startswith("rows 101 to 104 are lost: ")

    def test_no_spoiled_byte_ends_the_process_or_is_passed_over_in_silence(self, read):
        rows = [{"text": text, "messages": CHAT} for text in texts(60)]
        whole = table(pa.Table.from_pylist(rows), row_group_size=20, compression="zstd")
        reasons = set()
        for seed in range(300):
            rng = random.Random(seed)
            spoiled = bytearray(whole)
            for _ in range(rng.choice((1, 1, 3, 30))):
                place = rng.randrange(len(spoiled)) if seed % 2 else len(spoiled) - 1 - rng.randrange(900)
                spoiled[place] = rng.randrange(256)
            try:
                items = read("a.parquet", bytes(spoiled), ("text", "chat")[seed % 3 == 0])
            except Unreadable as error:
                reasons.add(error.reason)
            else:
                reasons.update(item.reason if isinstance(item, Rejected) else "read" for item in items)
                assert len(items) >= 60 or any(isinstance(item, Rejected) for item in items)
        assert {"read", "damaged", "broken Parquet"} <= reasons

    def test_a_file_of_which_the_library_dies_costs_no_more_than_itself(self, read):
        """Arrow 26 ends its process, by an exception in a place where none may be, over a footer whose statistics of
        sizes contradict it."""
        whole = table({"messages": [CHAT] * 60}, row_group_size=20)
        good = read("a.parquet", whole, "chat")
        assert len(good) == 60
        reasons = set()
        for place in range(len(whole) - 1500, len(whole) - 8):
            spoiled = bytearray(whole)
            spoiled[place] ^= 0x18
            try:
                read("a.parquet", bytes(spoiled), "chat")
            except Unreadable as error:
                reasons.add(error.detail)
            if "the library that reads it died of it (SIGABRT)" in reasons:
                break
        else:
            pytest.skip(f"this Arrow died of none of these footers: {len(reasons)} other reasons")
        assert read("b.parquet", whole, "chat")[0] == Document("b.parquet:1", CHAT)


class TestBombs:
    """A megabyte that stands for gigabytes. The bounds are made small so that the tests are, and reading is done here
    and not apart, where they would not be."""

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch):
        monkeypatch.setattr(parquet, "SMALL_BYTES", 2**20)

    @pytest.fixture
    def here(self, write):
        def read(content):
            path = write("a.parquet", content)
            return list(parquet.read_texts(InputFile("a.parquet", path, len(content)), Reading()))

        return read

    def test_one_value_repeated(self, here):
        column = pa.DictionaryArray.from_arrays(pa.array([0] * 2000, pa.int32()), pa.array(["x" * 100_000]))
        written = table({"text": column}, compression="zstd", dictionary_pagesize_limit=2**30)
        assert len(written) < 5000
        with pytest.raises(Unreadable, match="unpacks to too much"):
            here(written)

    def test_a_page_that_is_packed_well(self, here):
        written = table({"text": ["x" * 2**22]}, compression="zstd", use_dictionary=False)
        with pytest.raises(Unreadable, match="unpacks to too much"):
            here(written)

    def test_nothing_without_end(self, here, monkeypatch):
        monkeypatch.setattr(parquet, "MAX_VALUES", 10_000)
        with pytest.raises(Unreadable, match="unpacks to too much") as caught:
            here(table({"text": pa.nulls(1_000_000, pa.string())}, row_group_size=1_000_000))
        assert "1,000,000 values" in caught.value.detail

    def test_a_value_too_long_to_be_a_document(self, here, monkeypatch):
        monkeypatch.setattr(parquet, "MAX_FIELD_BYTES", 1000)
        monkeypatch.setattr(parquet, "BATCH_ROWS", 1)
        first, second, third = here(table({"text": ["one", "x" * 5000, "three"]}))
        assert (first.content, third.content) == ("one", "three")
        assert (second.source, second.reason) == ("a.parquet:2", "field too long")


class TestParts:
    @pytest.fixture
    def large(self, write, monkeypatch):
        monkeypatch.setattr(streams, "STREAM_BYTES", 20_000)
        path = write("a.parquet", table({"text": texts(1000)}, row_group_size=50, compression="none"))
        return InputFile("a.parquet", path, path.stat().st_size)

    def test_a_large_file_is_read_in_parts_of_whole_row_groups(self, large):
        divided = streams.divide([(0, large)], "text")
        assert len(divided) > 5
        items = [item for stream in divided for item in streams.read(stream, "text", Reading())]
        documents = [item for item in items if isinstance(item, Document)]
        assert documents == [Document(f"a.parquet:{row}", text) for row, text in enumerate(texts(1000), 1)]
        parts = [stream.files[0].part for stream in divided]
        assert parts[0].begin == 0
        assert [part.begin for part in parts[1:]] == [part.end for part in parts[:-1]]
        assert sum(part.size_bytes for part in parts) == large.size_bytes

    def test_a_large_file_that_is_broken_is_one_part(self, large):
        large.path.write_bytes(large.path.read_bytes()[:-100])
        (stream,) = streams.divide([(0, large)], "text")
        _, rejected = streams.read(stream, "text", Reading())
        assert rejected.reason == "broken Parquet"

    def test_many_processes_make_the_same_dataset_as_one(self, large, prep, monkeypatch):
        from aictl.data.prep import running

        alone = prep(min_chars=1, workers=1)
        monkeypatch.setattr(running, "ALONE_BYTES", 0)
        together = prep(min_chars=1, workers=3)
        for split in alone.splits:
            mine, theirs = ([path.read_bytes() for path in one.shards(split)] for one in (alone, together))
            assert mine == theirs
        assert alone.metrics["documents"]["out"] == 1000
        assert alone.metrics["files"] == {"read": 1, "left_out": 0}

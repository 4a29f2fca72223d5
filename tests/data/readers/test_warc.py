"""Web archives, most of them written by warcio, some by a hand that means harm."""

from __future__ import annotations

import functools
import gzip
import http.server as http_server
import io
import random
import shutil
import subprocess
import threading
import zlib

import brotli
import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from aictl.data.decode import zstd
from aictl.data.documents import Document, InputFile, Reading, Rejected, Unreadable
from aictl.data.readers import format_of, gzip_members, http, warc

PAGE = b"<html><body><h1>Title</h1><p>Some words of a page.</p></body></html>"
TEXT = "# Title\n\nSome words of a page."


def archive(*pages, gz=False):
    """An archive of answers: each a body, or a dict of what differs from an ordinary one."""
    out = io.BytesIO()
    writer = WARCWriter(out, gzip=gz)
    writer.write_record(writer.create_warcinfo_record("a.warc", {"software": "a test"}))
    for number, given in enumerate(pages):
        page = {"body": given} if isinstance(given, bytes) else given
        fields = [("Content-Type", page.get("type", "text/html; charset=utf-8")), *page.get("headers", ())]
        head = StatusAndHeaders(page.get("status", "200 OK"), fields, protocol="HTTP/1.1")
        writer.write_record(
            writer.create_warc_record(
                page.get("url", f"http://example.org/{number}"),
                page.get("kind", "response"),
                payload=io.BytesIO(page.get("body", PAGE)),
                http_headers=head if page.get("kind", "response") in ("response", "request") else None,
                warc_content_type=page.get("warc_type", ""),
            )
        )
    return out.getvalue()


def record(block, *, length=None, url="http://example.org/raw", extra=b""):
    """A record as bytes, which may lie about its length."""
    length = len(block) if length is None else length
    head = f"WARC/1.1\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nContent-Type: application/http\r\n"
    return head.encode() + extra + f"Content-Length: {length}\r\n\r\n".encode() + block + b"\r\n\r\n"


def answer(body=PAGE, *, type="text/html", headers=""):
    return f"HTTP/1.1 200 OK\r\nContent-Type: {type}\r\n{headers}\r\n".encode() + body


def stripped(items):
    return [
        Document(item.source, item.content.strip()) if isinstance(item, Document) else (item.source, item.reason)
        for item in items
    ]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd.compress])
def test_pages_and_plain_text_are_read_and_nothing_else(read, pack):
    written = archive(
        {},
        {"type": "text/plain", "body": b"plain words"},
        {"type": "image/png", "body": b"\x89PNG"},
        {"type": "application/json", "body": b"{}"},
        {"status": "404 Not Found"},
        {"status": "301 Moved", "body": b""},
        {"kind": "request"},
        {"type": "application/xhtml+xml"},
        {"kind": "resource", "warc_type": "text/plain", "body": "größer".encode()},
        {"kind": "conversion", "warc_type": "text/plain", "body": b"of a WET file"},
        {"kind": "metadata", "warc_type": "text/plain", "body": b"about it"},
    )
    name = {bytes: "a.warc", gzip.compress: "a.warc.gz", zstd.compress: "a.warc.zst"}[pack]
    assert stripped(read(name, pack(written))) == [
        Document(f"{name}:http://example.org/0", TEXT),
        Document(f"{name}:http://example.org/1", "plain words"),
        Document(f"{name}:http://example.org/7", TEXT),
        Document(f"{name}:http://example.org/8", "größer"),
        Document(f"{name}:http://example.org/9", "of a WET file"),
    ]


def test_members_of_gzip_one_for_each_record(read):
    pages = [f"<p>page number {number}</p>".encode() for number in range(300)]
    items = read("a.warc.gz", archive(*pages, gz=True) + b"\0" * 512)
    assert [item.content.strip() for item in items] == [f"page number {number}" for number in range(300)]


def test_a_wet_file_is_text_and_an_archive_is_of_the_format_text(write):
    for name in ("a.warc", "a.warc.gz", "CC-MAIN-1.warc.wet.gz"):
        path = write(name, archive({}))
        assert format_of(InputFile(name, path, 9), Reading()) == "text"


def test_a_url_is_no_file_name_and_is_shown_on_one_line(read):
    written = archive({"url": "http://e.org/notes.txt.gz", "type": "text/plain", "body": b"not packed"})
    assert stripped(read("a.warc", written)) == [Document("a.warc:http://e.org/notes.txt.gz", "not packed")]
    odd = record(answer(), url="http://e.org/\x1b[31m" + "x" * 5000)
    (document,) = read("b.warc", odd)
    assert document.source.startswith("b.warc:http://e.org/\\x1b[31mxxx")
    assert len(document.source) < 2100
    (nameless,) = read("c.warc", odd.replace(b"WARC-Target-URI", b"X"))
    assert nameless.source == "c.warc:1"


@pytest.mark.integration
def test_what_wget_keeps_of_a_site(tmp_path, read_path):
    if not (wget := shutil.which("wget")):
        pytest.skip("wget is not installed: apt install wget")
    site = tmp_path / "site"
    site.mkdir()
    for number in range(5):
        link = f'<a href="page{number + 1}.html">next</a>'
        (site / f"page{number}.html").write_text(f"<!doctype html><h1>Page {number}</h1><p>Größe {number}</p>{link}")
    (site / "page5.html").write_text('<a href="notes.txt">notes</a><img src="dot.png">')
    (site / "notes.txt").write_text("plain words")
    (site / "dot.png").write_bytes(b"\x89PNG\r\n")
    handler = functools.partial(QuietHandler, directory=site)
    with http_server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        command = [
            wget,
            "-q",
            "-r",
            "-p",
            "-l",
            "9",
            "-e",
            "robots=off",
            "--no-proxy",
            f"--warc-file={tmp_path / 'kept'}",
        ]
        subprocess.run([*command, "-P", str(tmp_path / "out"), f"{address}/page0.html"], check=False)
        server.shutdown()
    items = stripped(read_path(tmp_path / "kept.warc.gz"))
    assert {item.source for item in items} == {
        f"kept.warc.gz:{address}/{name}" for name in (*(f"page{number}.html" for number in range(6)), "notes.txt")
    }
    assert "Größe 3" in next(item.content for item in items if item.source.endswith("page3.html"))


class QuietHandler(http_server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def guess_type(self, path):
        kind = super().guess_type(path)
        return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


class TestEncodings:
    @pytest.mark.parametrize(
        ("type", "body"),
        [
            ("text/html; charset=ISO-8859-1", "<p>Größe „so“ für 3 €</p>".encode("cp1252")),  # as browsers take it
            ('text/html; charset="shift_jis"', "<p>日本語のページ①</p>".encode("cp932")),
            ("text/html; charset=utf-8", "<p>Größe 日本語</p>".encode()),
            ("text/html", "<p>Größe 日本語</p>".encode()),
            ("text/html; charset=latin1", "\ufeff<p>Größe 日本語</p>".encode()),  # a mark is stronger
            ("text/html", '<meta charset="windows-1251"><p>Русский</p>'.encode("cp1251")),
            ("text/html; charset=utf-8", '<meta charset="windows-1251"><p>Русский</p>'.encode()),
            ("text/html; charset=nonsense", "<p>Größe 日本語</p>".encode()),
        ],
    )
    def test_what_the_server_says_goes_before_what_the_page_says(self, read, type, body):
        (document,) = read("a.warc", archive({"type": type, "body": body}))
        for encoding in ("utf-8-sig", "cp1252", "cp932", "cp1251"):
            try:
                wanted = body.decode(encoding).partition("<p>")[2].partition("</p>")[0]
            except UnicodeDecodeError:
                continue
            if document.content.strip() == wanted:
                break
        else:
            pytest.fail(document.content)
        assert any(word in document.content for word in ("Größe", "日本語のページ①", "Русский"))

    def test_pages_of_no_known_encoding_are_set_aside(self, read):
        body = "<p>Größe</p>".encode("latin-1")
        assert stripped(read("a.warc", archive({"type": "text/html", "body": body}))) == [
            ("a.warc:http://example.org/0:1", "not UTF-8")
        ]

    @pytest.mark.parametrize("name", ["punycode", "idna", "unicode_escape", "zlib", "hex", "rot13", "undefined"])
    def test_notations_of_python_are_no_encodings(self, read, name):
        written = archive({"type": f"text/html; charset={name}", "body": b"<p>a\\u0041 word</p>"})
        assert stripped(read("a.warc", written)) == [Document("a.warc:http://example.org/0", "a\\u0041 word")]


class TestPacking:
    CHUNKED = b"20\r\n%s\r\n%x;note=1\r\n%s\r\n0\r\n\r\n" % (PAGE[:32], len(PAGE) - 32, PAGE[32:])

    @pytest.mark.parametrize(
        ("headers", "body"),
        [
            ("Transfer-Encoding: chunked\r\n", CHUNKED),
            ("Content-Encoding: gzip\r\n", gzip.compress(PAGE, mtime=0)),
            ("Content-Encoding: x-gzip\r\nTransfer-Encoding: identity\r\n", gzip.compress(PAGE, mtime=0)),
            ("Content-Encoding: deflate\r\n", zlib.compress(PAGE)),
            ("Content-Encoding: deflate\r\n", zlib.compress(PAGE)[2:-4]),
            ("Content-Encoding: br\r\n", brotli.compress(PAGE)),
            ("Content-Encoding: zstd\r\n", zstd.compress(PAGE)),
            ("Content-Encoding: gzip, br\r\n", brotli.compress(gzip.compress(PAGE, mtime=0))),
            # what an archive unpacked and kept under the old header
            ("Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n", PAGE),
            ("Content-Encoding: br\r\n", PAGE),
            ("Content-Encoding: zstd\r\n", PAGE),
        ],
    )
    def test_a_page_however_it_was_sent(self, read, headers, body):
        assert stripped(read("a.warc", record(answer(body, headers=headers)))) == [
            Document("a.warc:http://example.org/raw", TEXT)
        ]

    @pytest.mark.parametrize(
        ("headers", "body", "reason"),
        [
            ("Transfer-Encoding: chunked\r\n", CHUNKED[:60], "truncated"),
            ("Transfer-Encoding: chunked\r\n", CHUNKED.replace(b"\r\n0\r\n", b"\r\nzero\r\n"), "truncated"),
            ("Transfer-Encoding: chunked\r\n", b"FFFFFFFF\r\n" + PAGE, "truncated"),
            ("Content-Encoding: gzip\r\n", gzip.compress(PAGE, mtime=0)[:-30], "truncated"),
            ("Content-Encoding: gzip\r\n", gzip.compress(PAGE, mtime=0)[:-4] + b"oops", "damaged"),
            ("Content-Encoding: br\r\n", brotli.compress(PAGE * 9)[:-9], "truncated"),
            ("Content-Encoding: zstd\r\n", zstd.compress(PAGE)[:-9], "truncated"),
            ("Content-Encoding: sdch\r\n", PAGE, "unknown packing"),
        ],
    )
    def test_what_was_not_all_sent_is_set_aside_and_the_next_is_read(self, read, headers, body, reason):
        written = record(answer(body, headers=headers)) + archive({})
        assert stripped(read("a.warc", written)) == [
            ("a.warc:http://example.org/raw", reason),
            Document("a.warc:http://example.org/0", TEXT),
        ]

    @pytest.mark.parametrize(
        ("coding", "pack"),
        [("gzip", gzip.compress), ("deflate", zlib.compress), ("br", brotli.compress), ("zstd", zstd.compress)],
    )
    def test_bombs_are_not_unpacked(self, read, monkeypatch, coding, pack):
        monkeypatch.setattr(http, "MAX_PAGE_BYTES", 2**20)
        body = pack(b"<p>boom " * 2**19)
        assert len(body) < 50_000
        written = record(answer(body, headers=f"Content-Encoding: {coding}\r\n")) + archive({})
        assert stripped(read("a.warc", written)) == [
            ("a.warc:http://example.org/raw", "unpacks to too much"),
            Document("a.warc:http://example.org/0", TEXT),
        ]


class TestLies:
    """Records that are not as long as they say."""

    @pytest.mark.parametrize("length", [0, 1, 50, 111])
    def test_too_short(self, read, length):
        block = answer(PAGE)
        assert len(block) > 111
        items = stripped(read("a.warc", record(block, length=length) + archive({})))
        assert ("a.warc:http://example.org/raw", "broken record") in items
        assert items[-1] == Document("a.warc:http://example.org/0", TEXT)

    @pytest.mark.parametrize("more", [2, 3, 5, 60, 400, 10**6, 10**9, 10**17])
    def test_too_long(self, read, more):
        block = answer(PAGE)
        items = stripped(read("a.warc", record(block, length=len(block) + more) + archive({}, {})))
        assert items[0] == ("a.warc:http://example.org/raw", "broken record")
        kept = [one for one in items if isinstance(one, Document)]
        # Of one that is too long to be read at all, what it swallows is lost with it.
        assert len(kept) == (2 if len(block) + more <= warc.MAX_RECORD_BYTES else 0)

    @pytest.mark.parametrize("length", ["-5", "1e3", "9" * 30, "", "0x10", "٣"])
    def test_no_number(self, read, length):
        items = stripped(read("a.warc", record(answer(), length=length) + archive({})))
        assert items == [("a.warc:1", "broken record"), Document("a.warc:http://example.org/0", TEXT)]

    def test_rubbish_between_records_and_at_the_end(self, read):
        written = archive({}) + b"rubbish\r\n" * 1000 + archive({}) + b"\0" * 100
        assert [type(item) for item in read("a.warc", written)] == [Document, Rejected, Document, Rejected]

    def test_a_header_without_an_end(self, read, monkeypatch):
        endless = b"WARC/1.0\r\n" + b"X-Field: value\r\n" * 10_000
        items = stripped(read("a.warc", endless + b"\r\n\r\n" + archive({})))
        assert items[0] == ("a.warc:1", "broken record")
        assert items[-1] == Document("a.warc:http://example.org/0", TEXT)
        assert stripped(read("b.warc", b"WARC/1.0\r\n" + b"X" * 10**6)) == [("b.warc:1", "broken record")]

    def test_a_file_that_ends_within_a_record(self, read):
        written = archive({}, {})
        items = stripped(read("a.warc", written[:-40]))
        assert items == [
            Document("a.warc:http://example.org/0", TEXT),
            ("a.warc:http://example.org/1", "broken record"),
        ]

    def test_records_that_all_swallow_all_others_end(self, read, monkeypatch):
        monkeypatch.setattr(warc, "MAX_BACK_BYTES", 100_000)
        monkeypatch.setattr(warc, "MAX_RECORD_BYTES", 50_000)
        items = read("a.warc", record(answer(b"<p>x"), length=45_000) * 1000)
        assert all(isinstance(item, Rejected) for item in items)

    def test_a_record_too_long_to_be_read_is_told_and_passed_over(self, read, monkeypatch):
        monkeypatch.setattr(warc, "MAX_RECORD_BYTES", 1000)
        items = stripped(read("a.warc", archive({"body": b"x" * 2000}, {"type": "image/png", "body": b"x" * 2000}, {})))
        assert items[0] == ("a.warc:http://example.org/0", "record too long")
        assert items[-1] == Document("a.warc:http://example.org/2", TEXT)

    @pytest.mark.parametrize("content", [b"", b"\r\n\r\n"])
    def test_an_empty_file_holds_nothing(self, read, content):
        assert read("a.warc", content) == []

    def test_what_is_no_archive(self, read):
        with pytest.raises(Unreadable) as caught:
            read("a.warc", PAGE)
        assert caught.value.reason == "not a WARC file"


class TestTornMembers:
    @staticmethod
    def members():
        rng = random.Random(7)
        pages = [b"<p>%d %s</p>" % (number, rng.randbytes(3000).hex().encode()) for number in range(5)]
        whole = archive(*pages, gz=True)
        begins = [place for place in range(len(whole)) if whole.startswith(b"\x1f\x8b\x08\0", place)]
        assert len(begins) == 6
        return [whole[begin:end] for begin, end in zip(begins, [*begins[1:], None], strict=True)]

    @staticmethod
    def numbers(items):
        return [int(item.content.split()[0]) for item in items if isinstance(item, Document)]

    @pytest.mark.parametrize("keep", [1, 9, 30, 1000, -100, -8, -4])
    def test_reading_goes_on_behind_a_torn_member(self, read, keep):
        members = self.members()
        members[3] = members[3][:keep]
        items = read("a.warc.gz", b"".join(members))
        assert set(self.numbers(items)) - {2} == {0, 1, 3, 4}
        assert any(isinstance(item, Rejected) for item in items)

    def test_reading_goes_on_behind_one_that_unpacks_all_others_as_its_own(self, read):
        """Huffman codes may fit whatever follows: then no byte is wrong, and the file ends too early."""
        rng = random.Random(5)
        pages = [b"<p>%d %s</p>" % (number, rng.randbytes(600).hex().encode()) for number in range(3)]
        packed = [
            gzip.compress(record(answer(page), url=f"http://example.org/{number}"), mtime=0)
            for number, page in enumerate(pages)
        ]
        torn = b"".join([packed[0][:817], *packed[1:]])
        unpacker = zlib.decompressobj(31)
        unpacker.decompress(torn)
        assert not unpacker.eof
        items = read("a.warc.gz", torn)
        assert set(self.numbers(items)) - {0} == {1, 2}
        assert any(isinstance(item, Rejected) for item in items)

    @pytest.mark.parametrize("where", [12, 500, -6])
    def test_reading_goes_on_behind_a_member_in_which_bytes_are_wrong(self, read, where):
        members = self.members()
        broken = bytearray(members[3])
        broken[where] ^= 0xFF
        members[3] = bytes(broken)
        items = read("a.warc.gz", b"".join(members))
        assert set(self.numbers(items)) - {2} == {0, 1, 3, 4}
        assert "damaged" in [item.reason for item in items if isinstance(item, Rejected)]

    def test_a_file_that_breaks_off(self, read):
        whole = b"".join(self.members())
        items = read("a.warc.gz", whole[:-1500])
        assert self.numbers(items) == [0, 1, 2, 3]
        assert [item.reason for item in items if isinstance(item, Rejected)] == ["truncated"]

    def test_rubbish_instead_of_members_ends(self, read, monkeypatch):
        monkeypatch.setattr(gzip_members, "MAX_SOUGHT_BYTES", 2**20)
        torn = [member[:1000] for member in self.members()[1:2]] * 5000
        items = read("a.warc.gz", b"".join(self.members() + torn))
        assert self.numbers(items) == [0, 1, 2, 3, 4]
        assert items[-1].reason == "damaged"

"""Each shape of file, read from real bytes."""

from __future__ import annotations

import codecs
import gzip
import json
import pydoc_data.topics
from pathlib import Path

import brotli
import pytest

from aictl.core import extras
from aictl.core.errors import ExtraMissing
from aictl.data import decode
from aictl.data.documents import Document, HoldsNoDocuments, InputFile, Reading, Rejected, Unreadable
from aictl.data.readers import format_of, reader_for


class TestPlainText:
    @pytest.mark.parametrize(
        "content",
        [
            "grüße\n".encode(),
            codecs.BOM_UTF8 + "grüße\n".encode(),
            "grüße\n".encode("utf-16"),
            codecs.BOM_UTF16_BE + "grüße\n".encode("utf-16-be"),
            "grüße\n".encode("utf-32"),
        ],
    )
    def test_the_encodings_that_say_what_they_are(self, read, content):
        assert read("a.txt", content) == [Document("a.txt", "grüße\n")]
        assert read("b.txt.gz", gzip.compress(content)) == [Document("b.txt.gz", "grüße\n")]

    @pytest.mark.parametrize(
        ("content", "reason", "line"),
        [
            (b"gut\n" + "grüße\n".encode("latin-1"), "not UTF-8", 2),
            (b"\x7fELF\0\0\0", "binary file", None),
            ("grüße".encode("utf-16")[:-1], "not UTF-16-LE", 1),
        ],
    )
    def test_any_other_bytes_are_refused_with_their_line(self, read, content, reason, line):
        with pytest.raises(Unreadable) as caught:
            read("a.txt", content)
        assert (caught.value.reason.upper().replace("_", "-"), caught.value.line) == (reason.upper(), line)

    def test_a_gzip_that_was_cut_short(self, read):
        with pytest.raises(Unreadable) as caught:
            read("a.txt.gz", gzip.compress(b"text" * 1000)[:-20])
        assert caught.value.reason == "truncated"
        assert "gzip -t" in caught.value.detail

    def test_pieces_of_a_long_file_say_their_line(self, read):
        lines = [f"line {number}" for number in range(1, 101)]
        documents = read("a.md", "\n".join(lines), max_chars=120)
        assert len(documents) > 5
        for document in documents:
            _, _, number = document.source.partition(":")
            assert document.content.startswith(f"line {number or 1}\n")
        assert "".join(document.content for document in documents) == "\n".join(lines)

    @pytest.mark.parametrize("gz", [False, True])
    def test_a_file_of_many_blocks_reads_as_if_it_were_one(self, read, monkeypatch, gz):
        monkeypatch.setattr(decode, "BLOCK_BYTES", 101)  # blocks end inside characters
        text = "\n".join(f"größer {number} 🙂" for number in range(300))
        data = gzip.compress(text.encode()) if gz else text.encode()
        name = "a.txt.gz" if gz else "a.txt"
        documents = read(name, data, max_chars=500)
        assert "".join(document.content for document in documents) == text
        (whole,) = read(name, data, max_chars=0)
        assert whole.content == text

    def test_a_bad_byte_in_a_late_block_sets_aside_all_of_it(self, read, monkeypatch):
        monkeypatch.setattr(decode, "BLOCK_BYTES", 64)
        with pytest.raises(Unreadable) as caught:
            read("a.txt", b"good line\n" * 50 + b"\xff", max_chars=20)
        assert (caught.value.reason, caught.value.line) == ("not UTF-8", 51)

    def test_a_file_without_a_suffix_is_text_if_it_begins_like_text(self, write):
        for name, content, wanted in (
            ("README", b"hello", True),
            ("tool", b"\x7fELF\0", False),
            ("latin", b"\xe9!", False),
        ):
            path = write(name, content)
            assert (reader_for(InputFile(name, path, 5), "text") is not None) == wanted

    def test_an_unknown_suffix_is_read_only_where_the_user_named_the_file(self, write):
        path = write("a.log", "hello")
        assert reader_for(InputFile("a.log", path, 5), "text") is None
        assert reader_for(InputFile("a.log", path, 5, named=True), "text") is not None


class TestPython:
    SOURCE = '''"""What the module is for."""
import does_not_exist_anywhere
class Shape(Base, metaclass=M):
    """A shape."""
    def area(self, scale: float = 1.0, *rest, deep=None) -> float:
        """How much it covers."""
        def inner():
            """Nobody calls this from outside."""
    def silent(self): pass
    class Error(Exception):
        """What goes wrong."""
if True:
    async def run():
        """Run it. \\d"""
raise SystemExit("this must not run")
'''

    def test_docstrings_with_name_and_signature(self, read):
        assert read("pkg/mod.py", self.SOURCE) == [
            Document("pkg/mod.py", "pkg.mod\n\nWhat the module is for."),
            Document("pkg/mod.py:Shape", "class pkg.mod.Shape(Base)\n\nA shape."),
            Document(
                "pkg/mod.py:Shape.area",
                "pkg.mod.Shape.area(self, scale: float=1.0, *rest, deep=None) -> float\n\nHow much it covers.",
            ),
            Document("pkg/mod.py:Shape.Error", "class pkg.mod.Shape.Error(Exception)\n\nWhat goes wrong."),
            Document("pkg/mod.py:run", "pkg.mod.run()\n\nRun it. \\d"),
        ]

    def test_a_package_is_called_by_its_name(self, read):
        assert read("json/__init__.py", '"""About."""') == [Document("json/__init__.py", "json\n\nAbout.")]

    def test_the_topics_of_the_python_documentation_are_a_document_each(self, read):
        documents = read("topics.py", Path(pydoc_data.topics.__file__).read_bytes())
        assert {document.source: document.content for document in documents} == {
            f"topics.py:{name}": text for name, text in pydoc_data.topics.topics.items()
        }

    def test_a_dictionary_of_settings_is_no_document(self, read):
        assert read("a.py", "NAMES = {'a': 'short', 'b': 'too'}") == []

    def test_the_encoding_that_the_source_declares_is_obeyed(self, read):
        (document,) = read("a.py", '# coding: latin-1\n"""grüße"""'.encode("latin-1"))
        assert document.content == "a\n\ngrüße"

    @pytest.mark.parametrize("content", [b"print 'old'", b"x = (", b"\0", b"(" * 5000, b"# coding: nonsense\n"])
    def test_what_is_no_python_is_refused(self, read, content):
        with pytest.raises(Unreadable) as caught:
            read("a.py", content)
        assert caught.value.reason == "not valid Python"


class TestHtml:
    def test_the_text_that_a_reader_sees(self, read):
        page = """<!doctype html><html><head><title>T</title><style>p{}</style></head><body>
        <nav>Home</nav><h1>Big &amp; small</h1><p>One
        line.<br>Next</p><script>var x = "<p>no</p>";</script><ul><li>a<li>b</ul>
        <pre>keep
          this</pre><table><tr><td>1</td><td>2</td></tr></table><p>unclosed"""
        (document,) = read("a.html", page)
        text = document.content
        for wanted in ("# Big & small", "One line.\nNext", "- a\n- b", "keep\n          this", "1\t2", "unclosed"):
            assert wanted in text, text
        for unwanted in ("Home", "var x", "p{}"):
            assert unwanted not in text

    def test_a_declared_encoding_is_obeyed(self, read):
        (document,) = read("a.html", '<meta charset="iso-8859-1"><p>grüße'.encode("latin-1"))
        assert document.content.strip() == "grüße"

    @pytest.mark.parametrize("page", ["<![bad", "<!-- never closed", "<p" * 2000, "</nav></script>text", ""])
    def test_broken_markup_ends_as_text_or_is_refused(self, read, page):
        try:
            (document,) = read("a.html", page)
        except Unreadable as error:
            assert error.reason == "not HTML"
        else:
            assert isinstance(document.content, str)


class TestJson:
    def test_lines_and_what_is_wrong_with_them(self, read):
        rows = [
            b'{"text": "one"}',
            b"",
            b"  ",
            b'{"text": ',
            b'"bare"',
            b"[1]",
            b'{"body": 1}',
            b'{"text": 2}',
            b'"\xff"',
        ]
        got = read("a.jsonl", b"\n".join(rows))
        assert [one for one in got if isinstance(one, Document)] == [
            Document("a.jsonl:1", "one"),
            Document("a.jsonl:5", "bare"),
        ]
        assert {one.source: one.reason for one in got if isinstance(one, Rejected)} == {
            "a.jsonl:4": "broken JSON",
            "a.jsonl:6": "not a JSON object",
            "a.jsonl:7": "no field 'text'",
            "a.jsonl:8": "not a string",
            "a.jsonl:9": "not UTF-8",
        }

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
    def test_lines_with_a_byte_order_mark(self, read, encoding):
        got = read("a.jsonl", '{"text": "grüße"}\n\n{"text": "b"}\n'.encode(encoding))
        assert got == [Document("a.jsonl:1", "grüße"), Document("a.jsonl:3", "b")]

    def test_a_gzip_that_was_cut_short_keeps_what_came_before(self, read):
        lines = "".join(json.dumps({"text": f"document {number * 7919}"}) + "\n" for number in range(20000))
        got = read("a.jsonl.gz", gzip.compress(lines.encode())[:-2000])
        assert got[0] == Document("a.jsonl.gz:1", "document 0")
        assert got[-1].reason == "truncated"
        assert len(got) > 1000

    def test_nesting_that_is_too_deep_is_a_broken_line(self, read):
        (one,) = read("a.jsonl", "[" * 200_000)
        assert one.reason == "broken JSON"

    def test_a_line_that_is_too_long_is_passed_over(self, read, monkeypatch):
        monkeypatch.setattr("aictl.data.readers.json_records.MAX_LINE_BYTES", 50)
        rows = ['{"text": "one"}', json.dumps({"text": "x" * 500}), '{"text": "two"}']
        got = read("a.jsonl", "\n".join(rows))
        assert [(one.source, getattr(one, "reason", "kept")) for one in got] == [
            ("a.jsonl:1", "kept"),
            ("a.jsonl:2", "line too long"),
            ("a.jsonl:3", "kept"),
        ]

    @pytest.mark.parametrize(
        "value", [[{"text": "a"}, {"text": "b"}], ["a", "b"], {"data": [{"text": "a"}, {"text": "b"}]}]
    )
    def test_one_document_that_holds_all_records(self, read, value):
        assert read("a.json", json.dumps(value)) == [Document("a.json:1", "a"), Document("a.json:2", "b")]

    def test_settings_are_no_documents_and_broken_json_is_refused(self, read):
        with pytest.raises(HoldsNoDocuments):
            read("a.json", '{"name": "package", "version": 1}')
        with pytest.raises(Unreadable) as caught:
            read("a.json", '{\n"text": \n')
        assert (caught.value.reason, caught.value.line) == ("broken JSON", 3)

    def test_another_field_can_be_named(self, read):
        assert read("a.jsonl", '{"body": "x"}', text_field="body") == [Document("a.jsonl:1", "x")]


class TestChatYaml:
    def test_conversations_with_their_lines(self, read):
        got = read(
            "a.yml",
            "categories:\n- food\nconversations:\n- - Do you eat?\n  - No\n- - Remember: drink\n  - Yes\n  - Good\n"
            "- alone\n- - only one\n",
            "chat",
        )
        assert [(one.source, [turn["content"] for turn in one.content]) for one in got[:2]] == [
            ("a.yml:4", ["Do you eat?", "No"]),
            ("a.yml:6", ["Remember: drink", "Yes"]),
        ]
        assert [(one.source, one.reason) for one in got[2:]] == [
            ("a.yml:9", "not a conversation"),
            ("a.yml:10", "no exchange"),
        ]

    def test_tags_are_not_obeyed(self, read, tmp_path):
        mark = tmp_path / "it-ran"
        got = read("a.yml", f"conversations:\n- - !!python/object/apply:os.mkdir [{mark}]\n  - b\n", "chat")
        assert got[0].reason == "not a string"
        assert not mark.exists()

    def test_a_bomb_of_aliases_ends_at_once(self, read):
        rows = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
        got = read("a.yml", "\n".join(rows) + "\nconversations:\n- - *a59\n  - b\n- - hi\n  - ho\n", "chat")
        assert [type(one) for one in got] == [Rejected, Document]

    def test_other_yaml_is_no_conversation_and_broken_yaml_is_refused(self, read):
        with pytest.raises(HoldsNoDocuments):
            read("a.yml", "name: settings\n", "chat")
        with pytest.raises(Unreadable) as caught:
            read("a.yml", "conversations:\n- - 'open\n", "chat")
        assert caught.value.reason == "broken YAML"
        assert caught.value.line


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("a.txt", "x", "text"),
        ("a.md.gz", gzip.compress(b"x", mtime=0), "text"),
        ("a.py", "x = 1", "text"),
        ("LICENSE", "x", "text"),
        ("a.jsonl", 'broken\n{"text": "x"}', "text"),
        ("a.jsonl", '{"messages": [{"role": "user", "content": "x"}]}', "chat"),
        ("a.json", '[{"instruction": "x", "output": "y"}]', "chat"),
        ("a.json", '{"name": "package"}', None),
        ("a.jsonl", '{"label": 1}', None),
        ("a.yml", "categories: [a]\nconversations:\n- - a\n  - b\n", "chat"),
        ("a.yaml", "name: settings", None),
        ("a.png", b"\x89PNG\0", None),
        ("a.json", "{", None),
    ],
)
def test_the_format_is_known_where_it_is_beyond_doubt(write, name, content, wanted):
    path = write(name, content)
    assert format_of(InputFile(name, path, path.stat().st_size), Reading()) == wanted


def test_a_missing_extra_is_told_when_the_first_file_that_needs_it_is_met(read, write, prep, monkeypatch):
    monkeypatch.setitem(extras.EXTRAS, "documents", ("no_such_module",))
    for number in range(5):
        write(f"{number}.txt", f"text number {number}, long enough to be kept by all means")
    assert prep(min_chars=1).metrics["documents"]["out"] == 5
    for name in ("a.parquet", "a.pdf"):
        with pytest.raises(ExtraMissing, match="needs the extra 'documents'") as caught:
            read(name, b"")
        assert "aictl[documents]" in caught.value.cure
        with pytest.raises(ExtraMissing):
            prep(min_chars=1)
        (write(name, b"")).unlink()
    packed = brotli.compress(b"<p>words</p>")
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: br\r\n\r\n"
    length = len(head) + len(packed)
    fields = f"WARC-Type: response\r\nContent-Type: application/http\r\nContent-Length: {length}"
    with pytest.raises(ExtraMissing):
        read("a.warc", f"WARC/1.0\r\n{fields}\r\n\r\n{head}".encode() + packed + b"\r\n\r\n")


@pytest.mark.parametrize("name", ["zlib", "hex", "undefined", "idna", "punycode", "rot13", "raw_unicode_escape"])
def test_a_page_that_calls_its_encoding_what_is_none_is_set_aside(read, name):
    with pytest.raises(Unreadable, match="unknown encoding"):
        read("a.html", f'<meta charset="{name}"><p>{"xn--abc-9" * 100_000}'.encode())

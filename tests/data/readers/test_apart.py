"""A reader whose process dies: of a document, of a bound, or because somebody kills it."""

from __future__ import annotations

import os
import signal

import pytest

from aictl.data.documents import Document, HoldsNoDocuments, InputFile, Reading, Rejected, Unreadable
from aictl.data.readers import apart

READER = '''
import os, signal
from aictl.data.documents import Document, HoldsNoDocuments, Rejected, Unreadable

def read(file, reading):
    """A document of each line, but what a line orders is done."""
    for number, line in enumerate(file.path.read_text().splitlines()):
        source = f"{file.name}:{number}"
        if line == "die":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif line == "grow":
            all = []
            while True:
                all.append(bytearray(2**28))
        elif line == "spin":
            while True:
                pass
        elif line == "print":
            os.write(1, b"what a library says")
        elif line == "leave":
            os._exit(3)
        elif line == "refuse":
            raise Unreadable("refused", "for a test", number)
        elif line == "nothing":
            raise HoldsNoDocuments
        elif line == "fail":
            raise ValueError("a bug")
        elif line == "reject":
            yield Rejected(source, "bad", "for a test")
        elif line == "talk":
            yield Document(source, [{"role": "user", "content": "Hi."}])
        else:
            yield Document(source, line)
'''


@pytest.fixture
def read(monkeypatch, tmp_path, write):
    """``read("lines", ...)`` by the reader above, in processes that know it."""
    (tmp_path / "lines_reader.py").write_text(READER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(apart, "_idle", [])

    def run(*lines, **bounds):
        path = write("a.lines", "\n".join(lines))
        return apart.items("lines_reader", "read", InputFile("a", path, 9), Reading(), apart.Bounds(**bounds))

    yield run
    for process in apart._idle:
        process.close()


def test_everything_that_a_reader_gives_comes_through(read):
    items = list(read("one", "reject", "talk", "print", "größer 🙂", ""))
    assert items[:2] == [Document("a:0", "one"), Rejected("a:1", "bad", "for a test")]
    assert items[2] == Document("a:2", [{"role": "user", "content": "Hi."}])
    assert items[3] == Document("a:4", "größer 🙂")
    assert list(read()) == []
    many = [str(number) * 1000 for number in range(5000)]
    assert [item.content for item in read(*many)] == many


def test_what_was_read_before_a_refusal_stands(read):
    items = read("one", "two", "refuse", "three")
    assert [next(items).content, next(items).content] == ["one", "two"]
    with pytest.raises(Unreadable) as caught:
        next(items)
    assert (caught.value.reason, caught.value.detail, caught.value.line) == ("refused", "for a test", 2)
    assert len(apart._idle) == 1


def test_a_file_that_holds_something_else(read):
    with pytest.raises(HoldsNoDocuments):
        list(read("nothing"))
    assert len(apart._idle) == 1


@pytest.mark.parametrize(
    ("line", "bounds", "reason", "detail"),
    [
        ("die", {}, "damaged", "the library that reads it died of it (SIGSEGV)"),
        ("leave", {}, "damaged", "the library that reads it died of it (exit code 3)"),
        ("fail", {}, "damaged", "its reader failed: ValueError: a bug"),
        ("grow", {"memory_bytes": 2**30}, "takes too much memory", ""),
        pytest.param("spin", {"cpu_s": 1}, "takes too long", "more than 1 s", marks=pytest.mark.slow),
    ],
    ids=["die", "leave", "fail", "grow", "spin"],
)
def test_whatever_goes_wrong_is_a_reason_and_the_next_file_is_read(read, line, bounds, reason, detail):
    list(read("so that the process is not new"))
    for _ in range(2):
        with pytest.raises(Unreadable) as caught:
            list(read("one", line, **bounds))
        assert (caught.value.reason, caught.value.detail) == (reason, detail)
        assert list(read("next")) == [Document("a:0", "next")]


def test_what_was_given_before_a_death_is_given_once(read):
    lines = [*map(str, range(1000)), "die"]
    list(read("so that the process is not new"))
    items = read(*lines)
    found = []
    with pytest.raises(Unreadable, match="damaged"):
        for item in items:
            found.append(item.content)
    assert found == lines[: len(found)]
    assert len(found) >= 900


def test_a_process_that_was_killed_from_outside_is_begun_again(read):
    list(read("one"))
    os.kill(apart._idle[0].number, signal.SIGKILL)
    assert list(read("two")) == [Document("a:0", "two")]


def test_two_files_at_once_and_one_that_is_not_read_to_its_end(read):
    first = read(*map(str, range(1000)))
    assert next(first).content == "0"
    assert [item.content for item in read("other")] == ["other"]
    assert next(first).content == "1"
    first.close()
    assert [item.content for item in read("third")] == ["third"]
    assert len(apart._idle) == 1

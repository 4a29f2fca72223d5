"""What lies below a URL: the same list for the same objects, in the order of a folder, without traps."""

from __future__ import annotations

import json
import multiprocessing
import pickle
from pathlib import Path

import fsspec.config
import pytest

from aictl.core.artifact import Source
from aictl.core.errors import Damaged, NotFound, TryLater
from aictl.core.walk import regular_files
from aictl.stores.address import parse
from aictl.stores.objects import StoredObject, list_objects, objects_of, written

FILES = ["b.txt", "a/x.txt", "a/b/y.txt", "a.txt", "c/z.txt", "Ünïcode +&=%41?#.txt", "with space.txt"]


def names(url: str) -> list[str]:
    return [one.name for one in list_objects(parse(url)).objects]


@pytest.fixture
def filled(bucket):
    for name in FILES:
        bucket.put(f"docs/{name}", name.encode())
    return bucket


def test_a_prefix_is_listed_in_the_order_of_the_same_folder(filled, write, tmp_path):
    for name in FILES:
        write(f"docs/{name}", name.encode())
    in_folder = [found.relative for found in regular_files(tmp_path / "docs", lambda *_: None)]
    assert names(filled.url("docs")) == in_folder
    assert names(filled.url("docs/")) == in_folder
    assert names(filled.url()) == [f"docs/{name}" for name in in_folder]


def test_every_object_can_be_opened_whatever_it_is_called(filled):
    for one in list_objects(parse(filled.url("docs"))).objects:
        assert one.open().read().decode() == one.name
        assert one.size_bytes == len(one.name.encode())


def test_one_object(filled):
    listing = list_objects(parse(filled.url("docs/a/x.txt")))
    assert (listing.single, [one.name for one in listing.objects]) == (True, ["x.txt"])


def test_a_prefix_is_a_folder_and_not_the_beginning_of_a_name(filled):
    with pytest.raises(NotFound, match="no such object, and none below it"):
        names(filled.url("do"))


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("docs/*.txt", ["a.txt", "b.txt", "with space.txt", "Ünïcode +&=%41?#.txt"]),
        ("docs/**/y.txt", ["a/b/y.txt"]),
        ("docs/**/*.txt", None),
        ("docs/[ab].txt", ["a.txt", "b.txt"]),
        ("docs/[!a]*/*", ["c/z.txt"]),
        ("*/a/*.txt", ["docs/a/x.txt"]),
        ("docs/Ünïcode +&=%41?#.txt", ["Ünïcode +&=%41?#.txt"]),  # the object itself before the glob
    ],
)
def test_globs(filled, glob, found):
    assert names(filled.url(glob)) == (found or names(filled.url("docs")))


def test_what_is_no_content_of_the_user_s_is_left_out(bucket):
    keys = ("docs/", "docs/.git/x", "docs/a/.hidden", "docs/__pycache__/x.pyc", "docs/x-1.0.dist-info/METADATA")
    for key in (*keys, "docs/a.txt"):
        bucket.put(key, b"" if key.endswith("/") else b"x")
    assert names(bucket.url("docs")) == ["a.txt"]


def test_names_that_lead_out_of_the_folder_are_left_out_and_told(bucket):
    for key in ("docs/a/../../evil.txt", "docs//etc/passwd", "docs/./x", "docs/good.txt"):
        bucket.put(key, b"x")
    listing = list_objects(parse(bucket.url("docs")))
    assert [one.name for one in listing.objects] == ["good.txt"]
    assert set(listing.left_out) == {"a/../../evil.txt", "/etc/passwd", "./x"}
    bucket.remove("docs/good.txt")
    with pytest.raises(NotFound, match="no path inside a folder"):
        list_objects(parse(bucket.url("docs")))


def test_names_that_differ_in_capitals_or_are_long_are_objects_like_others(bucket):
    long = "x" * 900
    for name in ("a.txt", "A.txt", long):
        bucket.put(f"docs/{name}", name.encode())
    found = list_objects(parse(bucket.url("docs"))).objects
    assert {one.name: one.open().read().decode() for one in found} == {name: name for name in ("a.txt", "A.txt", long)}


def test_more_objects_than_a_page_has(bucket, monkeypatch):
    monkeypatch.setitem(fsspec.config.conf, "s3", {"s3_additional_kwargs": {"MaxKeys": 3}})
    for number in range(10):
        bucket.put(f"many/{number}.txt", b"x")
    assert names(bucket.url("many")) == [f"{number}.txt" for number in range(10)]


def test_the_digest_is_of_the_objects_and_not_of_where_or_when_they_were_listed(filled, moto):
    from tests.stores.s3_server import Bucket

    before = list_objects(parse(filled.url("docs"))).digest
    other = Bucket(moto)
    for name in reversed(FILES):
        other.put(f"elsewhere/{name}", name.encode())
    assert list_objects(parse(other.url("elsewhere"))).digest == before
    other.put("elsewhere/b.txt", b"c.txt")
    assert list_objects(parse(other.url("elsewhere"))).digest != before
    other.put("elsewhere/b.txt", b"b.txt")
    assert list_objects(parse(other.url("elsewhere"))).digest == before
    other.put("elsewhere/new.txt", b"")
    assert list_objects(parse(other.url("elsewhere"))).digest != before


def listed(tmp_path: Path, url: str, private: dict[str, str] | None = None) -> Source:
    listing = list_objects(parse(url))
    path = tmp_path / "listing.jsonl"
    path.write_bytes(written(listing.objects))
    return Source(url, path, listing.digest, {"listing": True}, private or {})


def test_a_source_gives_its_rows(filled, tmp_path):
    """The one way in which commands read what lies in a store."""
    source = listed(tmp_path, filled.url("docs"))
    rows = objects_of(source)
    assert [one.name for one in rows] == names(filled.url("docs"))
    assert [one.size_bytes for one in rows] == [len(one.name.encode()) for one in rows]
    assert [one.open().read().decode() for one in rows] == [one.name for one in rows]


def test_a_list_that_is_no_list(tmp_path):
    path = tmp_path / "listing.jsonl"
    path.write_text('{"name": "x"}\n')
    with pytest.raises(Damaged, match="cannot be read"):
        objects_of(Source("s3://b/k", path, "0" * 64, {"listing": True}))


def test_the_list_has_no_secrets_and_the_source_opens_it_all_the_same(site, tmp_path):
    site.serve("x.txt?sig=hunter2", b"hello", ETag='"1"')
    url = site.url("x.txt?sig=hunter2", login="me:hunter2@")
    address = parse(url)
    source = listed(tmp_path, url, {address.shown: address.url})
    assert "hunter2" not in source.path.read_text() + repr(objects_of(source))
    (found,) = objects_of(source)
    assert found.open().read() == b"hello"


def test_an_object_that_changed_after_it_was_listed_is_not_read(filled, tmp_path):
    source = listed(tmp_path, filled.url("docs"))
    filled.put("docs/a.txt", b"other")
    filled.remove("docs/b.txt")
    by_name = {one.name: one for one in objects_of(source)}
    for name in ("a.txt", "b.txt"):
        with by_name[name].open() as stream, pytest.raises(TryLater, match="changed after it was listed"):
            stream.read()
    assert by_name["a/x.txt"].open().read() == b"a/x.txt"


def _read(pickled: bytes) -> bytes:
    found: StoredObject = pickle.loads(pickled)
    return found.open().read()


@pytest.mark.parametrize("start", ["spawn", "fork"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_an_object_can_be_read_in_another_process(filled, start):
    (found, *_) = list_objects(parse(filled.url("docs"))).objects
    assert found.open().read()  # so that connections are there which the child may not use
    with multiprocessing.get_context(start).Pool(1) as pool:
        assert pool.apply(_read, (pickle.dumps(found),)) == found.name.encode()


def test_rows_are_json(filled, tmp_path):
    lines = listed(tmp_path, filled.url("docs")).path.read_text().splitlines()
    assert [list(json.loads(line)) for line in lines] == [["name", "size_bytes", "mark", "url"]] * len(FILES)

"""URLs as sources: listed and left where they are, or copied, and nothing secret written down."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from tests.stores.conftest import forget
from tests.stores.web_server import site  # noqa: F401

from aictl.core.errors import BadInput, BadRequest, MachineLacks, NotFound
from aictl.core.events import Events, Noted, silent
from aictl.stores import backend
from aictl.stores.objects import objects_of
from aictl.workspace.sources import NotFetched, may_not_fetch, resolve


@pytest.fixture(autouse=True)
def anew(monkeypatch):
    from aictl.stores.patience import Patience

    monkeypatch.setattr(backend, "FIRST", Patience(attempts=1))
    forget()


def resolved(url, tmp_path, *, streams=True, events=silent, **more):
    def no_hash(path):
        raise AssertionError(f"{path} was hashed")

    return resolve(url, hash_file=no_hash, events=events, cache=tmp_path / "cache", streams=streams, **more)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def filled(bucket):
    for name in ("a.txt", "b/c.txt"):
        bucket.put(f"docs/{name}", name.encode())
    return bucket


def test_a_source_that_streams_is_a_list(filled, tmp_path):
    source = resolved(filled.url("docs"), tmp_path)
    assert source.uri == filled.url("docs")
    expected = {"store": source.uri, "objects": 2, "size_bytes": 12, "listing": True, "single": False}
    assert source.facts == expected
    assert [one.open().read() for one in objects_of(source)] == [b"a.txt", b"b/c.txt"]
    assert source.path.stat().st_mode & 0o077 == 0


def test_it_stands_still(filled, tmp_path):
    first = resolved(filled.url("docs"), tmp_path)
    time.sleep(0.01)
    assert resolved(filled.url("docs/"), tmp_path).digest == first.digest
    filled.put("docs/b/c.txt", b"other")
    assert resolved(filled.url("docs"), tmp_path).digest != first.digest


def test_the_same_objects_elsewhere_are_read_there(filled, tmp_path):
    """Lists are kept by what they list and where: otherwise one would be read in place of the other."""
    for name in ("a.txt", "b/c.txt"):
        filled.put(f"copy/{name}", name.encode())
    one, other = (resolved(filled.url(prefix), tmp_path) for prefix in ("docs", "copy"))
    assert one.digest == other.digest
    assert [row.url for row in objects_of(one)] != [row.url for row in objects_of(other)]


def test_one_that_does_not_stream_is_copied_once(filled, tmp_path):
    source = resolved(filled.url("docs"), tmp_path, streams=False)
    assert files(source.path) == {"a.txt": b"a.txt", "b/c.txt": b"b/c.txt"}
    assert "listing" not in source.facts
    kept = source.path.stat().st_ctime_ns
    again = resolved(filled.url("docs"), tmp_path, streams=False)
    assert (again.path, again.digest, again.path.stat().st_ctime_ns) == (source.path, source.digest, kept)
    single = resolved(filled.url("docs/a.txt"), tmp_path, streams=False)
    assert (single.path.name, single.path.read_bytes()) == ("a.txt", b"a.txt")


def test_a_copy_goes_on_with_what_another_run_left(filled, tmp_path):
    source = resolved(filled.url("docs"), tmp_path)
    begun = tmp_path / f"cache/objects/{source.digest}.new"
    begun.mkdir(parents=True)
    (begun / "a.txt").write_bytes(b"was here")
    copied = resolved(filled.url("docs"), tmp_path, streams=False)
    assert files(copied.path) == {"a.txt": b"was here", "b/c.txt": b"b/c.txt"}
    assert [path.name for path in (tmp_path / "cache/objects").iterdir() if path.is_dir()] == [source.digest]


def test_names_that_no_disk_can_hold_side_by_side(bucket, tmp_path):
    bucket.put("docs/a", b"x")
    bucket.put("docs/a/b", b"y")
    assert [one.open().read() for one in objects_of(resolved(bucket.url("docs"), tmp_path))] == [b"x", b"y"]
    with pytest.raises(BadInput, match="'a' is an object, and so is something below it"):
        resolved(bucket.url("docs"), tmp_path, streams=False)


def test_names_that_are_too_long_for_a_disk(bucket, tmp_path):
    bucket.put(f"docs/{'x' * 300}.txt", b"x")
    assert objects_of(resolved(bucket.url("docs"), tmp_path))[0].open().read() == b"x"
    with pytest.raises(BadInput, match="too long a name for this disk"):
        resolved(bucket.url("docs"), tmp_path, streams=False)


def test_names_that_differ_in_capitals_are_two_files_where_the_disk_tells_them_apart(bucket, tmp_path):
    bucket.put("docs/a.txt", b"small")
    bucket.put("docs/A.txt", b"capital")
    if (tmp_path.parent / tmp_path.name.upper()).exists():
        with pytest.raises(BadInput, match="for one file"):
            resolved(bucket.url("docs"), tmp_path, streams=False)
    else:
        copied = resolved(bucket.url("docs"), tmp_path, streams=False)
        assert files(copied.path) == {"a.txt": b"small", "A.txt": b"capital"}


def test_what_is_left_out_is_told(bucket, tmp_path):
    for number in range(5):
        bucket.put(f"docs/../{number}.txt", b"x")
    bucket.put("docs/good.txt", b"x")
    told: list[Noted] = []
    resolved(bucket.url("docs"), tmp_path, events=Events(told.append))
    notes = [event for event in told if isinstance(event, Noted)]
    assert "left out ../0.txt (its name is no path inside a folder)" in notes[0].message
    assert notes[0].message.endswith("and 2 more")
    assert [note.level for note in notes] == ["warning", "detail", "detail"]


def test_nothing_is_asked_where_nothing_may_be_fetched(tmp_path):
    with pytest.raises(NotFetched):
        resolved("s3://bucket/x", tmp_path, before_fetch=may_not_fetch)


def test_a_cache_that_cannot_be_written(filled, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(MachineLacks, match="folder for downloads"):
        resolved(filled.url("docs"), tmp_path)


def test_old_lists_are_cleared_away(filled, tmp_path):
    path = resolved(filled.url("docs"), tmp_path).path
    old = path.with_name("old.jsonl")
    old.write_text("")
    os.utime(old, (1000, 1000))
    resolved(filled.url("docs/a.txt"), tmp_path)
    assert path.exists()
    assert not old.exists()


@pytest.mark.parametrize("streams", [True, False])
def test_secrets_of_a_web_address_are_nowhere_on_the_disk(site, tmp_path, streams):  # noqa: F811
    site.serve("a.txt?sig=hunter2", b"hello", ETag='"1"')
    source = resolved(site.url("a.txt?sig=hunter2", login="me:hunter2@"), tmp_path, streams=streams)
    if streams:
        assert objects_of(source)[0].open().read() == b"hello"
    else:
        assert source.path.read_bytes() == b"hello"
    assert "hunter2" not in f"{source!r} {source.uri} {source.facts}"
    for path, data in files(tmp_path).items():
        assert "hunter2" not in path
        assert b"hunter2" not in data


def test_a_private_host_is_refused(site, tmp_path):  # noqa: F811
    site.serve("a.txt", b"hello")
    with pytest.raises(BadRequest, match="no public address"):
        resolved(site.url("a.txt", host="127.0.0.1"), tmp_path)


def test_nothing_there(bucket, tmp_path):
    with pytest.raises(NotFound, match="no such object"):
        resolved(bucket.url("nothing"), tmp_path)
    assert not (tmp_path / "cache/listings").exists()

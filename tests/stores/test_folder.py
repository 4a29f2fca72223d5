"""A folder as a store: whole files, and never anything outside it."""

from __future__ import annotations

import hashlib

import pytest

from aictl.core.errors import BadInput, Damaged, MachineLacks, TryLater
from aictl.stores.address import parse
from aictl.stores.backend import Backend, open_place
from aictl.stores.crew import Crew


@pytest.fixture
def place(tmp_path) -> Backend:
    return open_place(parse(str(tmp_path / "store")))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_what_is_written_is_there(place, write, tmp_path):
    path = write("file", b"hello")
    crew = Crew()
    place.upload(path, "a/b", sha256=sha256(b"hello"), draft="partial/1", crew=crew)
    assert place.write("a/c", b"more", draft="partial/2")
    assert {entry.path: entry.size_bytes for entry in place.entries("a")} == {"a/b": 5, "a/c": 4}
    entry = place.entry("a/b")
    assert place.reader(entry).read(1, 4) == b"ell"
    assert crew.bytes_moved == 5
    assert list(place.entries("partial")) == []


def test_only_where_nothing_is(place):
    assert place.write("a", b"first", draft="partial/1", anew=True)
    assert not place.write("a", b"second", draft="partial/2", anew=True)
    assert place.reader(place.entry("a")).read(0, 5) == b"first"
    assert list(place.entries("partial")) == []


def test_what_is_not_what_was_to_be_sent_is_not_kept(place, write):
    """Such as a file that a disk gave back other than it was written."""
    with pytest.raises(Damaged, match="not what was sent"):
        place.upload(write("file", b"hello"), "a", sha256=sha256(b"hullo"), draft="partial/1", crew=Crew())
    assert list(place.entries("")) == []


def test_nothing_is_there(place):
    assert place.entry("a") is None
    assert place.entry("a/b/c") is None
    assert list(place.entries("")) == []
    place.remove("a")


def test_a_file_that_changed_is_not_read(place):
    place.write("a", b"hello", draft="partial/1")
    entry = place.entry("a")
    place.write("a", b"hullo", draft="partial/2")
    with pytest.raises(TryLater, match="changed"):
        place.reader(entry).read(0, 5)
    place.remove("a")
    with pytest.raises(TryLater, match="changed"):
        place.reader(entry).read(0, 5)


def test_no_link_is_followed(place, write, tmp_path):
    secret = write("secret/passwd", b"secret")
    place.write("a/b", b"hello", draft="partial/1")
    (tmp_path / "store/a/link").symlink_to(secret)
    (tmp_path / "store/folder").symlink_to(secret.parent)
    assert [entry.path for entry in place.entries("")] == ["a/b"]
    for path in ("a/link", "folder/passwd"):
        with pytest.raises(BadInput, match="is a link"):
            place.entry(path)
        with pytest.raises(BadInput, match="is a link"):
            place.write(path, b"overwritten", draft="partial/2")
        with pytest.raises(BadInput, match="is a link"):
            place.upload(secret, "new", sha256=sha256(b"secret"), draft=path, crew=Crew())
    assert secret.read_bytes() == b"secret"


def test_the_folder_itself_may_be_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "store").symlink_to(tmp_path / "real")
    open_place(parse(str(tmp_path / "store"))).write("a", b"hello", draft="partial/1")
    assert (tmp_path / "real/a").read_bytes() == b"hello"


def test_a_file_where_the_folder_should_be(write):
    place = open_place(parse(str(write("store", b"a file"))))
    with pytest.raises(BadInput, match="store"):
        place.write("a", b"hello", draft="partial/1")


def test_a_folder_that_may_not_be_written(unprivileged):
    store = unprivileged / "store"
    store.mkdir(mode=0o500)
    with pytest.raises(MachineLacks, match="may not write"):
        open_place(parse(str(store))).write("a", b"hello", draft="partial/1")

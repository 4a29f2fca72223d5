"""Objects become files whole or not at all, and a copy that was cut off goes on."""

from __future__ import annotations

import os

import pytest

from aictl.core.errors import MachineLacks, TryLater
from aictl.stores import copying
from aictl.stores.address import parse
from aictl.stores.backend import open_place
from aictl.stores.copying import Copy, copy_all, require_room
from aictl.stores.crew import Crew

PART = 2**20


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(copying, "PART_BYTES", PART)


def copies(bucket, tmp_path, names):
    place = open_place(parse(bucket.url()))
    return [Copy(place, place.entry(name), tmp_path / name) for name in names]


def test_small_and_large_and_empty_ones(bucket, tmp_path):
    data = {"small": b"hello", "empty": b"", "exact": os.urandom(PART), "large": os.urandom(3 * PART + 5)}
    for name, content in data.items():
        bucket.put(name, content)
    crew = Crew()
    copy_all(copies(bucket, tmp_path, data), crew)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == data
    assert crew.bytes_moved == sum(map(len, data.values()))


def test_one_that_was_cut_off_goes_on_with_what_is_there(bucket, tmp_path, faulty):
    content = os.urandom(8 * PART)
    bucket.put("large", content)
    (copy,) = copies(bucket, tmp_path, ["large"])
    dying = Crew(workers=1)
    moved = dying.moved

    def die_after_three(count: int) -> None:
        moved(count)
        faulty.refuses = dying.bytes_moved >= 3 * PART

    dying.moved = die_after_three
    with pytest.raises(TryLater):
        copy_all([copy], dying)
    assert not copy.target.exists()
    faulty.refuses = False
    faulty.carried = 0
    crew = Crew()
    copy_all([copy], crew)
    assert copy.target.read_bytes() == content
    assert 5 * PART <= faulty.carried < 5.5 * PART
    assert crew.bytes_moved == len(content)
    assert [path.name for path in tmp_path.iterdir()] == ["large"]


@pytest.mark.parametrize("journal", ["", "garbage\n", "1048576 5 - etag:other\n0\n", "no newline"])
def test_what_is_left_of_something_else_is_not_gone_on_from(bucket, tmp_path, journal):
    content = os.urandom(3 * PART)
    bucket.put("large", content)
    (tmp_path / "large.part").write_bytes(bytes(3 * PART))
    (tmp_path / "large.parts").write_text(journal)
    copy_all(copies(bucket, tmp_path, ["large"]), Crew())
    assert (tmp_path / "large").read_bytes() == content


def test_an_object_that_changed_is_not_copied(bucket, tmp_path):
    bucket.put("small", b"hello")
    listed = copies(bucket, tmp_path, ["small"])
    bucket.put("small", b"hullo")
    with pytest.raises(TryLater, match="changed"):
        copy_all(listed, Crew())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk(bucket, tmp_path):
    """A real one: /dev/full says that it is."""
    bucket.put("small", b"hello")
    (copy,) = copies(bucket, tmp_path, ["small"])
    (tmp_path / "small.part").symlink_to("/dev/full")
    with pytest.raises(MachineLacks, match="full") as full:
        copy_all([copy], Crew())
    assert "goes on" in str(full.value.cure)


def test_room_is_asked_for_before(tmp_path):
    require_room(tmp_path, 1)
    with pytest.raises(MachineLacks, match="are free"):
        require_room(tmp_path, 2**60)

"""The layout of artifacts in a store: what is sent is there, and what is there is not trusted."""

from __future__ import annotations

import hashlib
import json
import threading

import pytest

from aictl.core.artifact import InputRecord, Record
from aictl.core.errors import BadRequest, Damaged, NotFound
from aictl.stores import depot as depots
from aictl.stores.crew import Crew
from aictl.stores.depot import Depot, NothingThere, Version
from aictl.stores.manifest import Blob, blobs_of, require_sane
from aictl.stores.wanted import resolve


def record(files: dict[str, bytes], *, kind: str = "probe", created: str = "2026-01-01", **changed) -> Record:
    entries = {path: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for path, data in files.items()}
    id = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()
    values = {"inputs": (), "metrics": {}, "summary": "", "seconds": 0.0, "spec": {}, "command": "test", "revision": 1}
    return Record(kind=kind, id=id, key=id, files=entries, created=created, **values)._replace(**changed)


def object_of(one: Record) -> str:
    return f"{one.kind}/{one.id[:16]}-{one.key[:16]}-01234567"


@pytest.fixture(params=["folder", "bucket"])
def depot(request, tmp_path) -> Depot:
    """The same in a folder and in a bucket."""
    folder = str(tmp_path / "store")
    made = depots.at(folder if request.param == "folder" else request.getfixturevalue("bucket").url("some/prefix"))
    made.begin()
    return made


def send(depot: Depot, tmp_path, files: dict[str, bytes], **changed) -> Record:
    one = record(files, **changed)
    by_path = {blob: paths[0] for blob, paths in blobs_of(one).items()}
    sources = {}
    for blob, path in by_path.items():
        sources[blob] = tmp_path / blob.sha256
        sources[blob].write_bytes(files[path])
    depot.send(depot.missing(sources, Crew()), Crew())
    depot.put_record(object_of(one), one.to_json())
    return one


def test_what_is_sent_comes_back(depot, tmp_path):
    files = {"a.txt": b"hello", "b/c.txt": b"more", "same.txt": b"hello"}
    one = send(depot, tmp_path, files)
    assert list(depot.objects()) == [object_of(one)]
    assert depot.record(object_of(one)) == one
    (tmp_path / "got").mkdir()
    blobs = blobs_of(one)
    assert len(blobs) == 2
    depot.fetch(blobs, lambda blob: tmp_path / "got" / blob.sha256, Crew())
    for blob, paths in blobs.items():
        for path in paths:
            assert (tmp_path / "got" / blob.sha256).read_bytes() == files[path]


def test_only_what_is_missing_is_sent(depot, tmp_path):
    send(depot, tmp_path, {"a": b"one", "b": b"two"})
    crew = Crew()
    path = tmp_path / "three"
    path.write_bytes(b"three")
    sources = {Blob(hashlib.sha256(data).hexdigest(), len(data)): path for data in (b"one", b"three")}
    missing = depot.missing(sources, crew)
    assert [blob.size_bytes for blob in missing] == [5]


def test_names_have_versions(depot):
    first, second = (f"probe/{digit * 16}-{'b' * 16}-{'c' * 8}" for digit in "ad")
    assert depot.bind("probe", "x", first, "a" * 64).label == "x@1"
    assert depot.bind("probe", "x", first, "a" * 64).label == "x@1"
    assert depot.bind("probe", "x", second, "d" * 64).label == "x@2"
    assert depot.bind("probe", "x", first, "a" * 64).label == "x@3"
    assert [depot.object_of(one) for one in depot.versions()] == [first, second, first]
    assert depot.versions("probe", "xy") == depot.versions("dataset") == []


def test_two_that_give_one_name_at_once_get_two_versions(depot):
    objects = [f"probe/{number:016x}-{'b' * 16}-{'c' * 8}" for number in range(6)]
    together = threading.Barrier(len(objects))
    given = []

    def bind(object: str) -> None:
        together.wait()
        given.append((depot.bind("probe", "x", object, "a" * 64).number, object))

    threads = [threading.Thread(target=bind, args=(one,)) for one in objects]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number for number, _ in given) == [1, 2, 3, 4, 5, 6]
    assert {one.number: depot.object_of(one) for one in depot.versions()} == dict(given)


def test_refs(depot, tmp_path):
    one = send(depot, tmp_path, {"a": b"one"})
    two = send(depot, tmp_path, {"a": b"two"}, created="2026-02-02")
    other = send(depot, tmp_path, {"a": b"three"}, kind="dataset")
    depot.bind("probe", "x", object_of(one), one.id)
    depot.bind("probe", "x", object_of(two), two.id)
    depot.bind("dataset", "y", object_of(other), other.id)
    crew = Crew()
    for ref, found, name in [
        ("x", two, "x"),
        ("x@1", one, "x"),
        ("probe/x", two, "x"),
        ("y", other, "y"),
        (one.id, one, None),
        (f"probe/{one.id[:10]}", one, None),
    ]:
        assert resolve(depot, ref, crew) == (object_of(found), name)
    for ref in ("z", "x@3", "dataset/x", "f" * 64, f"dataset/{one.id}", "", "../x"):
        with pytest.raises(NotFound):
            resolve(depot, ref, crew)
    depot.bind("dataset", "x", object_of(other), other.id)
    with pytest.raises(BadRequest, match="dataset/x, probe/x"):
        resolve(depot, "x", crew)


def test_nobody_pushed_here(depot, tmp_path):
    with pytest.raises(NothingThere, match="no artifacts were pushed"):
        Depot(depot.address._replace(path="elsewhere") if depot.address.path else _other(tmp_path)).require_there()


def _other(tmp_path):
    from aictl.stores.address import parse

    return parse(str(tmp_path / "other"))


def test_a_layout_of_the_future(depot):
    depot._write("aictl-depot.json", json.dumps({"layout": 2}).encode())
    with pytest.raises(BadRequest, match="layout 2"):
        depot.require_there()


def test_a_file_is_there_in_another_length(depot, tmp_path):
    """Such as one that another program cut off: it is sent again, and until then not taken."""
    one = send(depot, tmp_path, {"a": b"hello"})
    (blob,) = blobs_of(one)
    depot._write(f"blobs/{blob.sha256[:2]}/{blob.sha256}", b"hel")
    with pytest.raises(Damaged, match="has 3 bytes in place of 5"):
        depot.fetch([blob], lambda blob: tmp_path / "got", Crew())
    assert depot.missing({blob: tmp_path / blob.sha256}, Crew())


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b"\xff", b'{"schema": 99}', json.dumps({"schema": 1, "inputs": []}).encode()]
)
def test_what_is_no_record(depot, data):
    object = f"probe/{'a' * 16}-{'b' * 16}-{'c' * 8}"
    depot.put_record(object, data)
    with pytest.raises(Damaged, match=object):
        depot.record(object)


def test_the_record_of_another_artifact(depot, tmp_path):
    one = send(depot, tmp_path, {"a": b"hello"})
    depot.put_record(f"probe/{'a' * 16}-{'b' * 16}-{'c' * 8}", one.to_json())
    with pytest.raises(Damaged, match="another artifact"):
        depot.record(f"probe/{'a' * 16}-{'b' * 16}-{'c' * 8}")


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"object": "../../x"}', b'{"object": 7}'])
def test_what_is_no_name(depot, data):
    depot._write("names/probe/x@1.json", data)
    with pytest.raises(Damaged, match="x@1"):
        depot.object_of(Version("probe", "x", 1))


GOOD = {"sha256": "a" * 64, "size": 1}


@pytest.mark.parametrize(
    "files",
    [
        {"../evil": GOOD},
        {"a/../../evil": GOOD},
        {"/etc/passwd": GOOD},
        {"a//b": GOOD},
        {"./a": GOOD},
        {"": GOOD},
        {"a\0": GOOD},
        {"artifact.json": GOOD},
        {"a": {"sha256": "../../x", "size": 1}},
        {"a": {"sha256": "a" * 64, "size": -1}},
        {"a": {"sha256": "a" * 64, "size": True}},
        {"a": {"sha256": "a" * 64, "size": "1"}},
        {"a": GOOD, "a/b": GOOD},
    ],
)
def test_records_that_nobody_of_ours_wrote(files):
    with pytest.raises(ValueError, match=r"file|size"):
        require_sane(record({})._replace(files=files))


@pytest.mark.parametrize("changed", [{"kind": "../x"}, {"kind": "Probe"}, {"id": "x"}, {"key": "A" * 64}])
def test_records_of_no_kind_or_id(changed):
    with pytest.raises(ValueError, match=next(iter(changed))):
        require_sane(record({"a": b""}, **changed))


def test_good_records_are_sane():
    inputs = (InputRecord("sources", "a" * 64, uri="s3://b/k"),)
    require_sane(record({"a": b"", "b/c/d.txt": b"x", "b/c2": b""}, inputs=inputs))


def test_the_web_is_no_place_to_push_to():
    with pytest.raises(BadRequest, match="not written"):
        depots.at("https://example.org/store")
    with pytest.raises(BadRequest, match="no store is named"):
        depots.at(" ")


def test_what_killed_runs_left_is_cleared_away_in_time(tmp_path):
    depot = depots.at(str(tmp_path / "store"))
    depot.begin()
    for name in ("1000-old", "99999999999-new", "strange"):
        (tmp_path / "store/partial").mkdir(exist_ok=True)
        (tmp_path / "store/partial" / name).write_bytes(b"x")
    depot.begin()
    assert sorted(path.name for path in (tmp_path / "store/partial").iterdir()) == ["99999999999-new", "strange"]

"""Artifacts go to a store and come back as they were, with what they were made from."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from aictl.core.errors import BadRequest, Damaged, MachineLacks, NotFound
from aictl.core.events import Events, Noted, silent
from aictl.workspace import pull as pulling
from aictl.workspace.listing import check_artifacts, list_artifacts, show_artifact, show_lineage
from aictl.workspace.project import create
from aictl.workspace.pull import pull
from aictl.workspace.push import push
from aictl.workspace.stored import list_stored


@dataclass
class Place:
    """One workspace and one store, as the commands use them."""

    project: object
    store: str

    def __post_init__(self):
        self.told = []
        self.events = Events(self.told.append)

    def push(self, *refs, **more):
        options = {"lineage": True, "force": False, "dry_run": False, **more}
        table = push(self.project.root, refs, self.store, self.events, **options)
        return {row[0]: row[3] for row in table.rows}

    def pull(self, *refs, **more):
        options = {"name": None, "lineage": True, "dry_run": False, **more}
        return pull(self.project.root, refs, self.store, self.events, **options)

    def states(self):
        rows = list_artifacts(self.project.root, silent, kind=None, older=True).rows
        return {row[1]: row[2] for row in rows}

    def warnings(self):
        return [event.message for event in self.told if isinstance(event, Noted) and event.level == "warning"]

    def notes(self):
        return [event.message for event in self.told if isinstance(event, Noted)]


@pytest.fixture
def here(bench, tmp_path) -> Place:
    return Place(bench.project, str(tmp_path / "store"))


@pytest.fixture
def there(tmp_path) -> Place:
    """Another workspace, such as that of the next job."""
    return Place(create(tmp_path / "other"), str(tmp_path / "store"))


@pytest.fixture
def chain(bench, write):
    """``sum`` was made from ``a`` and ``b``, and those from files."""
    bench.count(write("a.txt", "one two"), name="a")
    bench.count(write("b.txt", "three"), name="b")
    return bench.add("a", "b", name="sum")


def moved_away(tmp_path: Path) -> None:
    """The raw files are not on the next job's machine."""
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).unlink()


def blob_of(store: str, artifact) -> Path:
    (entry,) = artifact.record.files.values()
    return Path(store, "blobs", entry["sha256"][:2], entry["sha256"])


def record_of(store: str, artifact) -> Path:
    (path,) = Path(store, "objects/probe").glob(f"{artifact.record.id[:16]}-*.json")
    return path


def test_an_artifact_comes_with_everything_it_was_made_from(here, there, chain, tmp_path, bench):
    assert here.push("sum") == {"a": "sent", "b": "sent", "sum@1": "sent"}
    moved_away(tmp_path)
    answer = there.pull("sum")
    assert answer.text == str(there.project.root / "artifacts/probe/sum@1")
    assert [row["state"] for row in answer.value["artifacts"]] == ["fetched"] * 3
    assert there.states() == {"a@1": "fresh", "b@1": "fresh", "sum@1": "fresh"}
    assert there.warnings() == []
    record = Path(answer.text, "artifact.json").read_bytes()
    assert record == (chain.path / "artifact.json").read_bytes()
    assert check_artifacts(there.project.root, [], silent).status == 0
    lineage = show_lineage(there.project.root, "sum", silent).value
    assert [row["label"] for row in lineage["inputs"]] == ["a", "b"]
    assert lineage["inputs"][0]["inputs"][0]["label"] == str(tmp_path / "a.txt")
    assert lineage["stale"] is None
    assert show_artifact(there.project.root, "sum", silent, get="pulled_from").value == here.store


def test_what_was_pulled_is_up_to_date_and_can_be_worked_with(here, there, chain, tmp_path, bench):
    here.push("sum")
    moved_away(tmp_path)
    there.pull("sum")
    bench.project, bench.ran = there.project, []
    assert bench.add("a", "b", name="sum").up_to_date
    assert bench.ran == []
    assert bench.add("sum", "a", name="more").artifact.facts["total"] == 5
    assert bench.ran == ["add"]


def test_only_what_is_missing_is_sent_and_fetched(here, there, chain, bench, write):
    assert here.push("a") == {"a@1": "sent"}
    assert here.push("a") == {"a@1": "was there"}
    assert here.push("sum") == {"a": "was there", "b": "sent", "sum@1": "sent"}
    first = there.pull("sum").value
    assert first["fetched_bytes"] > 0
    again = there.pull("sum").value
    assert ({row["state"] for row in again["artifacts"]}, again["fetched_bytes"]) == ({"was here"}, 0)
    bench.count(write("c.txt", "one two"), name="c")  # the content of a, made from another file
    here.push("c")
    third = there.pull("c").value
    assert [row["state"] for row in third["artifacts"]] == ["fetched"]
    assert third["fetched_bytes"] == 0


def test_the_artifact_alone(here, there, chain):
    assert here.push("sum", lineage=False) == {"sum@1": "sent"}
    there.pull("sum")
    assert there.warnings() == [
        "probe 'a' was not pushed, so that the lineage ends before it",
        "probe 'b' was not pushed, so that the lineage ends before it",
    ]
    assert there.states() == {"sum@1": "stale"}


def test_pulling_the_artifact_alone(here, there, chain):
    here.push("sum")
    there.pull("sum", lineage=False)
    assert there.states() == {"sum@1": "stale"}
    there.pull("sum")
    assert there.states() == {"a@1": "fresh", "b@1": "fresh", "sum@1": "fresh"}


def test_a_lineage_with_a_hole(here, there, chain, bench):
    from aictl.workspace.removal import remove

    remove(here.project.root, ["a"], force=True)
    assert here.push("sum") == {"b": "sent", "sum@1": "sent"}
    assert here.warnings() == ["probe 'a' is no longer here, so that the lineage ends before it"]


def test_versions_of_a_name(here, there, bench, write):
    bench.count(write("a.txt", "one"), name="a")
    here.push("a")
    there.pull("a")
    bench.count(write("a.txt", "one two"), name="a")
    assert here.push("a") == {"a@2": "sent"}
    there.pull("a")
    assert there.states() == {"a@1": "older", "a@2": "fresh"}
    assert "probe 'a' is now a@2; what it was is kept as the version before" in there.notes()
    there.pull("a@1")
    assert [row[1:3] for row in list_stored(here.store, kind=None, older=True).rows] == [
        ("a@1", "older"),
        ("a@2", "current"),
    ]
    assert [row[1] for row in list_stored(here.store, kind=None, older=False).rows] == ["a@2"]


def test_a_name_that_stands_for_something_else_here_stays(here, there, chain, bench, tmp_path, write):
    here.push("sum")
    bench.project = there.project
    bench.count(write("other.txt", "one two three four"), name="a")
    there.pull("sum")
    assert there.states()["a@1"] == "fresh"
    assert there.states()["sum@1"] == "stale"
    assert there.warnings() == [
        f"probe 'a' stands for something else here than where probe {chain.artifact.record.id[:12]} was made, "
        "which is stale for that reason"
    ]


def test_by_another_name_and_by_id(here, there, chain):
    here.push("sum")
    there.pull(chain.artifact.record.id[:12], name="total")
    assert "total@1" in there.states()
    with pytest.raises(BadRequest, match="for one artifact"):
        there.pull("sum", "sum", name="x")
    with pytest.raises(BadRequest, match="cannot be a name"):
        there.pull("sum", name="../x")


def test_saying_what_would_be_done_does_nothing(here, there, chain):
    assert set(here.push("sum", dry_run=True).values()) == {"would be sent"}
    assert not Path(here.store).exists()
    here.push("sum")
    before = sorted(path for path in there.project.root.rglob("*"))
    table = there.pull("sum", dry_run=True)
    assert [row[3] for row in table.rows] == ["would be fetched"] * 3
    assert [path for path in sorted(there.project.root.rglob("*")) if "lock" not in path.as_posix()] == [
        path for path in before if "lock" not in path.as_posix()
    ]


def test_one_wrong_byte_in_the_store(here, there, chain):
    here.push("sum")
    blob = blob_of(here.store, chain.artifact)
    data = bytearray(blob.read_bytes())
    data[3] ^= 1
    blob.write_bytes(data)
    with pytest.raises(Damaged, match="is not what was pushed") as damaged:
        there.pull("sum")
    assert (damaged.value.exit_code, "--force" in str(damaged.value.cure)) == (6, True)
    assert there.states() == {}
    assert here.push("sum") == {"a": "was there", "b": "was there", "sum@1": "was there"}
    assert here.push("sum", force=True) == {"a": "sent", "b": "sent", "sum@1": "sent"}
    there.pull("sum")
    assert check_artifacts(there.project.root, [], silent).status == 0


def test_a_blob_that_is_gone(here, there, chain):
    here.push("sum")
    blob_of(here.store, chain.artifact).unlink()
    with pytest.raises(Damaged, match="is missing"):
        there.pull("sum")
    assert there.states() == {}


def test_a_record_that_lies_about_its_id(here, there, chain):
    """Files that are whole and a record that is sealed, of an artifact that is another."""
    here.push("sum")
    path = record_of(here.store, chain.artifact)
    record = chain.artifact.record
    forged = record._replace(id=record.id[:16] + "0" * 48)
    path.write_bytes(forged.to_json())
    with pytest.raises(Damaged, match="not the artifact that its id says"):
        there.pull("sum")
    assert there.states() == {}


def test_a_record_that_would_write_elsewhere(here, there, chain):
    here.push("sum")
    path = record_of(here.store, chain.artifact)
    record = chain.artifact.record
    (entry,) = record.files.values()
    path.write_bytes(record._replace(files={"../../../../evil": entry}).to_json())
    with pytest.raises(Damaged, match="evil"):
        there.pull("sum")
    assert not list(there.project.root.parent.rglob("evil"))


def test_a_record_of_a_kind_that_nobody_here_knows(here, there, chain):
    here.push("sum")
    path = record_of(here.store, chain.artifact)
    strange = Path(here.store, "objects/strange")
    strange.mkdir()
    (strange / path.name).write_bytes(chain.artifact.record._replace(kind="strange").to_json())
    with pytest.raises(NotFound, match="no kind of artifact is called 'strange'"):
        there.pull(f"strange/{chain.artifact.record.id}")


def test_an_artifact_that_is_damaged_here_is_not_sent(here, chain):
    (chain.path / "probe.json").write_text("{}")
    with pytest.raises(Damaged, match="is not what was made"):
        here.push("sum")
    assert not Path(here.store, "objects").exists()


def test_an_artifact_that_is_damaged_here_is_fetched_again(here, there, chain):
    here.push("sum")
    path = Path(there.pull("sum").text)
    (path / "probe.json").write_text("{}")
    assert [row["state"] for row in there.pull("sum").value["artifacts"]] == ["was here", "was here", "fetched"]
    assert check_artifacts(there.project.root, [], silent).status == 0


def test_what_a_killed_pull_left_is_gone_on_from(here, there, chain, monkeypatch):
    here.push("sum")
    with monkeypatch.context() as patch:

        def die(*_):
            raise KeyboardInterrupt

        patch.setattr(pulling, "_put_together", die)
        with pytest.raises(KeyboardInterrupt):
            there.pull("sum")
    assert there.states() == {}
    shutil.rmtree(Path(here.store, "blobs"))  # what is here need not be fetched again
    there.pull("sum")
    assert there.states() == {"a@1": "fresh", "b@1": "fresh", "sum@1": "fresh"}
    assert list(there.project.making.iterdir()) == []


def test_a_blob_that_a_killed_pull_had_wrong_is_fetched_again(here, there, chain):
    here.push("sum")
    blob = blob_of(here.store, chain.artifact)
    scratch = there.project.making / "pull/scratch"
    scratch.mkdir(parents=True)
    (scratch / blob.name).write_bytes(bytes(blob.stat().st_size))
    there.pull("sum")
    assert check_artifacts(there.project.root, [], silent).status == 0


def test_no_room_on_the_disk(here, there, chain, monkeypatch):
    here.push("sum")
    usage = shutil.disk_usage(there.project.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10))
    with pytest.raises(MachineLacks, match="are free"):
        there.pull("sum")
    assert there.states() == {}


def test_nothing_there(here, there, chain, tmp_path):
    with pytest.raises(NotFound, match="no artifacts were pushed"):
        there.pull("sum")
    here.push("sum")
    with pytest.raises(NotFound, match="has no 'summ'") as missing:
        there.pull("summ")
    assert missing.value.cure == "did you mean sum?"
    with pytest.raises(NotFound, match="no artifact is called"):
        here.push("nothing")


def test_a_store_that_two_jobs_push_to(here, there, chain, bench, write):
    """Different things under one name: both are there, and which is which can be told."""
    here.push("a")
    bench.project = there.project
    bench.count(write("x.txt", "x y z"), name="a")
    assert there.push("a") == {"a@2": "sent"}
    assert here.push("a") == {"a@3": "was there"}
    listed = {row[1]: row[5] for row in list_stored(here.store, kind=None, older=True).rows}
    assert listed["a@1"] == listed["a@3"] != listed["a@2"]


def test_a_sweep_keeps_what_a_pull_has_fetched(here, there, chain, bench, write):
    """Another command that runs between two tries of a pull clears away what is nobody's, and no more."""
    scratch = there.project.making / "pull/scratch"
    scratch.mkdir(parents=True)
    (scratch / "blob.part").write_bytes(b"x")
    bench.project = there.project
    bench.count(write("x.txt", "x y z"), name="x")
    assert (scratch / "blob.part").exists()


def test_the_list_of_a_store(here, chain):
    here.push("sum", "a")
    table = list_stored(here.store, kind="probe", older=False)
    assert table.columns == ("kind", "name", "state", "size", "made", "id", "about")
    assert [(row[1], row[2]) for row in table.rows][:2] == [("a@1", "current"), ("sum@1", "current")]
    assert [row[2] for row in table.rows][2:] == ["unnamed"]
    assert json.dumps([list(row) for row in table.rows])
    with pytest.raises(NotFound, match="no kind"):
        list_stored(here.store, kind="strange", older=False)

"""Removing: never what something else was made from, unless told to."""

from __future__ import annotations

import pytest

from aictl.core.errors import BadRequest, NotFound, TryLater
from aictl.workspace import locks
from aictl.workspace.removal import prune, remove


@pytest.fixture
def pair(bench, write):
    bench.count(write("a.txt", "one two"), name="a")
    bench.add("a", name="sum")
    return bench


def left(bench) -> list[str]:
    return sorted(bench.runner().store.objects())


def test_refused_while_something_depends_on_it(pair, project):
    with pytest.raises(BadRequest, match="probe/sum@1"):
        remove(project.root, ["a"], force=False)
    assert len(left(pair)) == 2


def test_both_together_may_go(pair, project):
    remove(project.root, ["a", "sum"], force=False)
    assert left(pair) == [] and not list(project.names.rglob("*.ref"))


def test_nothing_goes_if_one_may_not(pair, project, write):
    pair.count(write("c.txt", "x y z"), name="c")
    with pytest.raises(BadRequest):
        remove(project.root, ["c", "a"], force=False)
    assert len(left(pair)) == 3


def test_one_version_goes_and_the_name_falls_back(pair, project, write):
    second = pair.count(write("a.txt", "one two three"), name="a")
    remove(project.root, ["a@2"], force=False)
    store = pair.runner().store
    assert store.record(store.names.current("probe", "a")).metrics["total"] == 2
    assert (project.names / "probe" / "a.ref").read_text().strip() != second.artifact.record.id


def test_a_second_name_keeps_the_object(pair, project, write, tmp_path):
    pair.count(tmp_path / "a.txt", name="b")
    assert [row[0] for row in remove(project.root, ["b"], force=False).rows] == ["b@1"]
    assert len(left(pair)) == 2
    with pytest.raises(NotFound):
        remove(project.root, ["b"], force=False)


def test_refused_while_a_command_reads_it(pair, project):
    store = pair.runner().store
    object = store.names.current("probe", "sum")
    with locks.shared(store.lock_of(object)), pytest.raises(TryLater):
        remove(project.root, ["sum"], force=False)
    assert pair.runner().store.names.current("probe", "sum") == object


def test_prune_takes_what_no_name_needs(pair, project, write):
    pair.count(write("b.txt", "unnamed thing"))
    pair.count(write("a.txt", "one two three"), name="a")  # a@1 is still what sum was made from
    assert len(left(pair)) == 4
    assert len(list(prune(project.root, dry_run=True).rows)) == 1 and len(left(pair)) == 4
    prune(project.root, dry_run=False)
    assert len(left(pair)) == 3
    pair.add("a", name="sum")
    prune(project.root, dry_run=False)
    assert len(left(pair)) == 2


def test_one_broken_record_does_not_keep_the_rest(pair, project, write):
    made = pair.count(write("c.txt", "x y z"), name="c")
    (made.path / "artifact.json").write_text("{")
    remove(project.root, ["sum"], force=False)
    remove(project.root, ["c"], force=False)
    assert len(left(pair)) == 1


def test_what_is_removed_is_told_by_every_name_it_had(pair, project, write):
    made = pair.count(write("c.txt", "x y z"), name="c")
    pair.count(write("c.txt", "x y z"), name="d")
    pair.count(write("c.txt", "x y"), name="c")
    pair.count(write("c.txt", "x y"), name="d")
    assert [row[0] for row in prune(project.root, dry_run=True).rows] == ["c@1, d@1"]
    by_path = project.store / "probe" / made.path.resolve().name
    assert [row[0] for row in remove(project.root, [str(by_path)], force=False).rows] == ["c@1, d@1"]
    assert len(left(pair)) == 3


def test_a_link_of_somebody_else_is_a_path_and_no_version(pair, project, write, tmp_path):
    made = pair.count(write("c.txt", "x y z"), name="c")
    link = tmp_path / "mine@7"
    link.symlink_to(made.path.resolve())
    assert [row[0] for row in remove(project.root, [str(link)], force=False).rows] == ["c@1"]
    assert len(left(pair)) == 2

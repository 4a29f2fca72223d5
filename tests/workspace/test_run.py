"""The runner: what is made, when it is not made again, and what is left when the work fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.probe import Probe
from aictl.core.artifact import Source
from aictl.core.command import Command, Takes
from aictl.core.errors import BadInput, BadRequest, Damaged, ExtraMissing, NotFound, TryLater, WorkFailed, WrongKind
from aictl.core.events import silent
from aictl.workspace.listing import list_artifacts


def test_makes_an_artifact_with_its_record(bench, write):
    outcome = bench.count(write("a.txt", "one two three"), name="a")
    record = outcome.artifact.record
    assert outcome.path.name == "a@1" and outcome.path.is_dir()
    assert json.loads((outcome.path / "artifact.json").read_text())["id"] == record.id
    assert record.metrics == {"total": 3}
    assert record.inputs[0].uri.endswith("a.txt")
    assert record.spec == {"unit": "words", "jobs": 1}
    assert record.packages["python"] and record.machine["cores"] >= 1
    assert (bench.project.names / "probe" / "a.ref").read_text() == record.id + "\n"


def test_the_same_again_does_nothing_but_touch_the_ref(bench, write, project):
    first = bench.count(write("a.txt", "one two"), name="a")
    reference = project.names / "probe" / "a.ref"
    os.utime(reference, (1, 1))
    before = {path: path.stat().st_mtime_ns for path in project.root.rglob("*") if path != reference}
    again = bench.count(write("a.txt", "one two"), name="a")
    after = {path: path.stat().st_mtime_ns for path in project.root.rglob("*") if path != reference}
    assert again.up_to_date and again.path == first.path and bench.ran == ["count"]
    assert before == after
    assert reference.stat().st_mtime > 1


def test_options_that_cannot_change_the_result_do_not_count(bench, write):
    source = write("a.txt", "one two")
    bench.count(source)
    assert bench.count(source, spec={"jobs": 8}).up_to_date
    assert not bench.count(source, spec={"unit": "letters"}).up_to_date


def test_a_changed_byte_counts_even_when_size_and_time_are_the_same(bench, write):
    source = write("a.txt", "one two")
    os.utime(source, ns=(10**18, 10**18))
    bench.count(source, name="a")
    source.write_text("one tw ")
    os.utime(source, ns=(10**18, 10**18))
    assert not bench.count(source, name="a").up_to_date


def test_where_the_source_stands_does_not_count(bench, write, tmp_path):
    bench.count(write("a.txt", "one two"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(tmp_path / "a.txt", elsewhere / "a.txt")
    assert bench.count(elsewhere / "a.txt").up_to_date


def test_a_raised_revision_makes_it_again(bench, write):
    from tests_workspace_commands import COUNT

    source = write("a.txt", "one two")
    bench.count(source)
    raised = COUNT._replace(revision=2)
    assert not bench.run(raised, [source], path="count").up_to_date


def test_force_makes_it_again_and_keeps_the_object_if_it_is_the_same(bench, write):
    source = write("a.txt", "one two")
    first = bench.count(source, name="a")
    again = bench.count(source, name="a", force=True)
    assert bench.ran == ["count", "count"] and again.path == first.path


def test_new_content_is_a_new_version_and_the_old_one_stays(bench, write, project):
    bench.count(write("a.txt", "one two"), name="a")
    second = bench.count(write("a.txt", "one two three"), name="a")
    assert second.path.name == "a@2"
    assert json.loads((project.names / "probe" / "a@1" / "probe.json").read_text()) == {"total": 2}


def test_going_back_is_up_to_date_and_a_version_of_its_own(bench, write):
    bench.count(write("a.txt", "one two"), name="a")
    bench.count(write("a.txt", "one two three"), name="a")
    back = bench.count(write("a.txt", "one two"), name="a")
    assert back.up_to_date and back.path.name == "a@3" and back.artifact.metrics["total"] == 2


def test_downstream_follows_the_content_and_not_the_way_to_it(bench, write):
    source = write("a.txt", "one two")
    bench.count(source, name="a")
    bench.add("a", name="sum")
    write("a.txt", "one  two")  # another byte, the same count
    bench.count(source, name="a")
    assert bench.add("a", name="sum").up_to_date
    write("a.txt", "one two three")
    bench.count(source, name="a")
    assert not bench.add("a", name="sum").up_to_date


def test_a_failure_leaves_nothing_and_is_in_the_journal(bench, write, project):
    def fails(work):
        (work.folder / "half").write_text("half")
        raise WorkFailed("diverged at step 3")

    command = Command(run=fails, takes=[Takes("sources", (Source,), "files", many=True)], makes=(Probe,))
    with pytest.raises(WorkFailed):
        bench.run(command, [write("a.txt", "x")], name="a", path="fail")
    assert list(project.store.rglob("half")) == [] and not (project.names / "probe").exists()
    journal = next(project.journal.glob("*-fail.jsonl")).read_text()
    assert "diverged at step 3" in journal and "Traceback" in journal


def test_what_fails_its_own_check_is_not_kept(bench, write, project):
    def lies(work):
        (work.folder / "probe.json").write_text("{")
        return Probe(work.folder)

    command = Command(run=lies, takes=[Takes("sources", (Source,), "files", many=True)], makes=(Probe,))
    with pytest.raises(Exception, match="probe.json"):
        bench.run(command, [write("a.txt", "x")], path="lie")
    assert not list(project.store.rglob("artifact.json"))


def test_scratch_is_there_again_after_a_failure_and_gone_after_success(bench, write, project):
    seen = []

    def resumes(work):
        mark = work.scratch / "step"
        seen.append(mark.exists())
        mark.write_text("1")
        if len(seen) == 1:
            raise WorkFailed("killed")
        (work.folder / "probe.json").write_text("{}")
        return Probe(work.folder)

    command = Command(run=resumes, takes=[Takes("sources", (Source,), "files", many=True)], makes=(Probe,))
    source = write("a.txt", "x")
    with pytest.raises(WorkFailed):
        bench.run(command, [source], path="resume")
    bench.run(command, [source], path="resume")
    assert seen == [False, True]
    assert list(project.making.iterdir()) == []


def test_two_who_make_the_same_make_it_once(bench, write):
    source = write("a.txt", "one two")
    slow = threading.Event()

    from tests_workspace_commands import COUNT

    def slowly(work):
        slow.set()
        time.sleep(0.5)
        return COUNT.run(work)

    command = COUNT._replace(run=slowly)
    outcomes = []
    first = threading.Thread(target=lambda: outcomes.append(bench.run(command, [source], "a", path="count")))
    first.start()
    slow.wait(5)
    outcomes.append(bench.run(command, [source], "b", path="count"))
    first.join()
    assert bench.ran == ["count"]
    assert sorted(one.up_to_date for one in outcomes) == [False, True]


def test_a_killed_maker_leaves_no_lock_and_its_half_is_cleared(bench, write, project):
    source = write("a.txt", "one two")
    script = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from tests_workspace_commands import COUNT
from aictl.core.command import Command
from aictl.core.events import silent
from aictl.workspace.project import Project
from aictl.workspace.run import Request, Runner
from pathlib import Path
def dies(work):
    (work.folder / "half").write_text("x")
    os.kill(os.getpid(), signal.SIGKILL)
command = COUNT._replace(run=dies)
request = Request("count", command, COUNT.spec(), {{"sources": ({str(source)!r},)}}, name="a")
Runner(Project(Path({str(project.root)!r})), silent).run(request)
"""
    died = subprocess.run([sys.executable, "-c", script], check=False)
    assert died.returncode == -9
    assert list(project.making.rglob("half")) and not (project.names / "probe").exists()
    made = bench.count(source, name="a")
    assert not made.up_to_date and not list(project.making.rglob("half"))


def test_a_missing_extra_is_said_before_the_work(bench, write):
    from tests_workspace_commands import COUNT

    from aictl.core import extras

    extras.EXTRAS["never"] = ("no_such_module_anywhere",)
    try:
        command = COUNT._replace(extra="never")
        with pytest.raises(ExtraMissing) as caught:
            bench.run(command, [write("a.txt", "x")])
        assert "pip install 'aictl[never]'" in caught.value.cure and bench.ran == []
    finally:
        del extras.EXTRAS["never"]


def test_what_a_person_takes_away_is_handed_out_each_time(bench, write):
    from tests_workspace_commands import COUNT

    handed = []
    command = COUNT._replace(hands_out=lambda made, spec, events: handed.append((made.metrics["total"], spec.jobs)))
    source = write("a.txt", "one two")
    assert not bench.run(command, [source]).up_to_date
    assert bench.run(command, [source], spec={"jobs": 3}).up_to_date
    assert handed == [(2, 1), (2, 3)] and bench.ran == ["add"]


def test_refs_that_cannot_be(bench, write):
    bench.count(write("a.txt", "one"), name="alpha")
    with pytest.raises(NotFound) as caught:
        bench.add("alhpa")
    assert "alpha" in caught.value.cure
    takes = Command(run=lambda work: None, takes=[Takes("model", (Checkpoint,), "a model")])
    with pytest.raises(WrongKind, match="takes checkpoint"):
        bench.run(takes, ["alpha"], path="take")
    with pytest.raises(BadRequest, match="cannot be a name"):
        bench.count(write("a.txt", "one"), name="../out")


def test_refs_of_every_form(bench, write, project):
    made = bench.count(write("a.txt", "one two"), name="alpha")
    bench.count(write("a.txt", "one"), name="alpha")
    id = made.artifact.record.id
    forms = ["alpha@1", "probe/alpha@1", id, id[:8], made.path, project.names / "probe" / "alpha@1"]
    totals = {bench.add(str(form)).artifact.metrics["total"] for form in forms}
    assert totals == {2}
    assert bench.add("alpha").artifact.metrics["total"] == 1
    assert bench.add(str(project.names / "probe" / "alpha.ref")).up_to_date


def test_an_unreadable_source_names_itself(bench, tmp_path):
    with pytest.raises(NotFound, match="missing.txt"):
        bench.count(tmp_path / "missing.txt")
    if os.geteuid() != 0:
        locked = tmp_path / "locked.txt"
        locked.write_text("x")
        locked.chmod(0)
        with pytest.raises(BadInput, match="locked.txt"):
            bench.count(locked)


def test_the_same_content_from_two_places_follows_each_of_them(bench, write, tmp_path):
    first, second = write("a.txt", "one two"), write("b.txt", "one two")
    tmp_path.joinpath("x").mkdir()
    second = second.rename(tmp_path / "x" / "a.txt")
    bench.count(first, name="da")
    assert bench.count(second, name="db").up_to_date and bench.ran == ["count"]
    second.write_text("one two three")
    assert _states(bench) == {"da": "fresh", "db": "stale"}
    second.write_text("one two")
    first.write_text("one")
    assert _states(bench) == {"da": "stale", "db": "fresh"}


def test_a_source_that_is_edited_while_it_is_read_is_not_kept(bench, write, project):
    from tests_workspace_commands import COUNT

    source = write("a.txt", "one two")

    def edited(work):
        made = COUNT.run(work)
        source.write_text("one two three")
        return made

    with pytest.raises(TryLater, match="changed while it was read"):
        bench.run(COUNT._replace(run=edited), [source], path="count")
    assert not list(project.store.rglob("artifact.json"))


def test_a_link_to_a_file_is_fresh_as_it_is(bench, write, tmp_path):
    write("v1.txt", "one two")
    (tmp_path / "latest.txt").symlink_to("v1.txt")
    bench.count(tmp_path / "latest.txt", name="a")
    assert _states(bench) == {"a": "fresh"}


def test_force_mends_what_was_damaged(bench, write):
    from aictl.workspace.listing import check_artifacts

    source = write("a.txt", "one two")
    made = bench.count(source, name="a")
    (made.path / "probe.json").write_text('{"total": 3}')
    bench.count(source, name="a", force=True)
    assert [row[1] for row in check_artifacts(bench.project.root, ["a"], silent).rows] == ["whole"]


def _states(bench) -> dict[str, str]:
    table = list_artifacts(bench.project.root, silent, kind=None, older=False)
    return {row[1].partition("@")[0]: row[2] for row in table.rows}


def test_what_is_taken_over_from_a_twin_is_not_swept_away_by_another_run(bench, write, project, tmp_path, monkeypatch):
    from aictl.workspace.listing import check_artifacts

    bench.count(write("a.txt", "one two"), name="a")
    (tmp_path / "x").mkdir()
    twin = write("x/a.txt", "one two")
    link = os.link

    def meanwhile(source, target):
        link(source, target)
        bench.count(write("b.txt", "three"), name="b")  # which clears away what killed runs left

    monkeypatch.setattr(os, "link", meanwhile)
    assert bench.count(twin, name="c").up_to_date
    assert check_artifacts(project.root, [], silent).status == 0
    assert bench.ran == ["count", "count"] and not list(project.making.iterdir())


def test_a_name_tells_which_version_it_gave(bench, write, project):
    names = bench.runner().store.names
    first, second = (bench.count(write("a.txt", text)) for text in ("one", "one two"))
    one, two = (f"probe/{made.path.name}" for made in (first, second))
    told = [names.bind("probe", "a", object, "0f" * 32) for object in (one, two, two, one)]
    assert told == ["a@1", "a@2", "a@2", "a@3"]


def test_what_a_command_answers_about_cannot_be_removed_meanwhile(bench, write, project):
    from aictl.workspace.removal import remove

    bench.count(write("a.txt", "one"), name="a")
    asked = Command(
        run=lambda work: remove(project.root, ["a"], force=True), takes=[Takes("one", (Probe,), "what to look at")]
    )
    with pytest.raises(TryLater, match=r"a@1 is in use"):
        bench.run(asked, ["a"], path="look")


def test_what_an_input_was_made_from_is_taken_only_whole(bench, write):
    made = bench.count(write("a.txt", "one two"), name="a")
    bench.add("a", name="sum")

    def through(work):
        assert [one.label for one in work.inputs["one"].ancestors()] == ["a"]

    look = Command(run=through, takes=[Takes("one", (Probe,), "what to look at")])
    bench.run(look, ["sum"], path="look")
    (made.path / "probe.json").write_text('{"total": 3}')
    with pytest.raises(Damaged, match="probe 'a': probe.json is not what was made"):
        bench.run(look, ["sum"], path="look")

"""A runner whose process stands behind another that makes the same."""

from __future__ import annotations

from pathlib import Path

from tests_workspace_commands import COUNT

from aictl.core.command import Followed
from aictl.core.events import silent
from aictl.workspace.run import Outcome, Request, Runner


def request(path: Path, run=COUNT.run) -> Request:
    return Request("count", COUNT._replace(run=run), COUNT.spec(), {COUNT.takes[0].role: (str(path),)}, name="n")


def test_it_works_in_the_same_scratch_and_keeps_names_and_writes_down_nothing(project, write):
    places = []

    def run(work):
        places.append((work.folder, work.scratch))
        (work.folder / "rubbish").write_text("x")
        raise Followed

    path = write("a.txt", "text")
    assert Runner(project, silent, follows=True).run(request(path, run)) == Outcome()
    (folder, scratch) = places[0]
    assert not folder.exists()
    assert scratch.is_dir()
    assert not list(project.store.glob("*/*"))
    assert not project.names.joinpath("count").exists()
    assert not list(project.journal.glob("*"))

    def first(work):
        assert work.scratch == scratch
        return COUNT.run(work)

    assert Runner(project, silent).run(request(path, first)).artifact is not None


def test_what_is_made_is_not_made_again(project, write):
    path = write("a.txt", "text")
    Runner(project, silent).run(request(path))

    def run(work):
        raise AssertionError("nothing was left to do")

    assert Runner(project, silent, follows=True).run(request(path, run)) == Outcome()
    assert Runner(project, silent).is_made(request(path))
    assert not Runner(project, silent).is_made(request(write("b.txt", "other")))


def test_it_holds_up_nobody_who_holds_the_key(project, write):
    """The first process holds the lock of the key for as long as the others work."""
    path = write("a.txt", "text")
    followed = []

    def run(work):
        def follow(work):
            followed.append(work.scratch)
            raise Followed

        Runner(project, silent, follows=True).run(request(path, follow))
        assert followed == [work.scratch]
        return COUNT.run(work)

    assert Runner(project, silent).run(request(path, run)).artifact is not None

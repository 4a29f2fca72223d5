"""The one runner: resolve the inputs, find out whether there is anything to do, do it, keep it.

    refs ──resolve──▶ inputs ──key──▶ up to date? ──▶ the artifact there is
                                          │ no
                                          ▼
                  lock ─▶ run(work) ─▶ check ─▶ hash ─▶ record ─▶ rename into the store ─▶ name

A kill at any instant leaves either the whole artifact or nothing under its name. What the verb put
into its scratch folder stays until the artifact is made, so the same command goes on from there.

Where several processes run a command together, the first one does all of this; the others follow: they find the same
inputs and the same scratch, work, and keep, name and write down nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from aictl.core import extras, redaction
from aictl.core.answer import Answer, Document, Records, Samples, Stream
from aictl.core.artifact import Artifact, InputRecord, Record
from aictl.core.command import Command, Followed, Work
from aictl.core.errors import BadRequest, WorkFailed
from aictl.core.events import Events
from aictl.core.spec import Spec, result_options
from aictl.workspace import journal, locks, machine
from aictl.workspace.digests import Digests
from aictl.workspace.inputs import Inputs
from aictl.workspace.names import check_name
from aictl.workspace.project import Project
from aictl.workspace.store import Store, listing, way_of

SCRATCH_KEPT_S = 14 * 24 * 3600  # what an interrupted run left is kept this long for its resumption


class Request(NamedTuple):
    """One command to run: its path, its settled spec, and a tuple of refs for each role."""

    path: str
    command: Command
    spec: Spec
    refs: Mapping[str, Sequence[str]] = {}
    name: str | None = None
    force: bool = False


class Plan(NamedTuple):
    """What a request comes to: its inputs, its key, and the object that already answers it. A
    ``twin`` answers it too and was made from other inputs of the same content."""

    request: Request
    inputs: Mapping[str, Any]
    rows: tuple[InputRecord, ...]
    key: str
    existing: str | None
    twin: str | None

    @property
    def is_made(self) -> bool:
        """Whether nothing is left to do but to name what is there."""
        return bool(self.existing or self.twin) and not self.request.force


class Outcome(NamedTuple):
    """What came of a request: an artifact in the store and its path, or an answer."""

    artifact: Artifact | None = None
    path: Path | None = None
    up_to_date: bool = False
    answer: Answer | None = None
    status: int = 0


class Runner:
    """Runs commands in one workspace, or outside of any (``project`` None). One that ``follows`` is not the first
    of several processes which make the same together."""

    def __init__(self, project: Project | None, events: Events, *, rehash: bool = False, follows: bool = False) -> None:
        self.project = project
        self.events = events
        self.follows = follows
        self.store = Store(project) if project else None
        self.digests = Digests(project.digests if project else Path(os.devnull), rehash=rehash)
        self.inputs = Inputs(self.store, self.digests, events)

    def plan(self, request: Request, *, fetch: bool = True) -> Plan:
        """Resolve a request's inputs and find out whether its artifact is there; makes nothing.

        Without ``fetch`` nothing is downloaded either: an input that only a download would tell has
        an empty id, and the plan no key.
        """
        if request.name is not None:
            check_name(request.name)
        inputs: dict[str, Any] = {}
        rows: list[InputRecord] = []
        for take in request.command.takes:
            pairs = self.inputs.find(request.command, take, request.refs.get(take.role, ()), fetch=fetch)
            rows += [row for _, row in pairs]
            values = tuple(value for value, _ in pairs)
            inputs[take.role] = values if take.many else (values[0] if values else None)
        key = self._key(request, rows) if all(row.id for row in rows) else ""
        return Plan(request, inputs, tuple(rows), key, self._made(request, key, way_of(rows)), self._made(request, key))

    def _made(self, request: Request, key: str, way: str | None = None) -> str | None:
        if self.store is None or request.command.observes:
            return None
        found = [self.store.with_key(kind.kind, key, way) for kind in request.command.makes]
        return next((one for one in found if one and self.store.open(one).in_place()), None)

    def run(self, request: Request) -> Outcome:
        """Do what a request asks, or find it done. Raises the family of ``core.errors``."""
        if self.follows and request.command.makes:
            return self._follow(request)
        folder = self.project.journal if self.project else None
        with journal.Journal(folder, request.path) as book:
            outcome = self._run(request, book)
            if request.command.hands_out and outcome.artifact:
                with self._nothing_removed():
                    request.command.hands_out(outcome.artifact, request.spec, self.events)
            return outcome

    def _run(self, request: Request, book: journal.Journal) -> Outcome:
        if not request.command.makes:
            return self._answer(request)
        if self.store is None:
            return self._make_outside(self.plan(request))
        with self._nothing_removed():
            plan = self.plan(request)
            if done := self._done(plan):
                return done
        while True:
            lock = self.store.project.locks / f"key-{plan.key}"
            with locks.exclusive(lock, waiting=self._waiting), ExitStack() as held:
                with self._nothing_removed():
                    # While we waited somebody may have made it, or made one of its inputs anew.
                    again = self.plan(request)
                    if done := self._done(again):
                        return done
                    if again.key == plan.key and again.is_made:
                        return self._adopt(again)
                    held.enter_context(self.inputs.in_use(again.rows))
                if again.key == plan.key:
                    if request.command.extra:
                        extras.require(request.command.extra)
                    self.inputs.require_whole(again.rows)
                    with self._told(book):
                        return self._make(again)
            plan = again

    def is_made(self, request: Request) -> bool:
        """Whether nothing is left to do for a request but to name what is there."""
        if self.store is None or not request.command.makes:
            return False
        with self._nothing_removed():
            return self.plan(request).is_made

    def _follow(self, request: Request) -> Outcome:
        """Work beside the process that keeps what is made; it holds the lock of the key."""
        if self.store is None:
            raise BadRequest(f"several processes run '{request.path}' in a workspace alone", cure="aictl init NAME")
        with ExitStack() as held:
            with self._nothing_removed():
                plan = self.plan(request)
                if plan.is_made:
                    return Outcome()
                held.enter_context(self.inputs.in_use(plan.rows))
            if request.command.extra:
                extras.require(request.command.extra)
            scratch = self.store.project.making / plan.key / "scratch"
            scratch.mkdir(parents=True, exist_ok=True)
            folder = held.enter_context(tempfile.TemporaryDirectory(prefix="aictl-"))
            root = self.store.project.root
            with suppress(Followed):
                request.command.run(Work(request.spec, plan.inputs, Path(folder), scratch, self.events, root))
            return Outcome()

    def _done(self, plan: Plan) -> Outcome | None:
        """What is up to date already, named as it was asked for; None if there is something to do."""
        if plan.existing and plan.is_made:
            return self._keep(plan.existing, plan.request.name, up_to_date=True)
        return None

    def _adopt(self, plan: Plan) -> Outcome:
        """The twin of what was asked for, as made from these inputs. Whoever calls holds the lock of the key."""
        assert self.store and plan.twin
        place = self.store.project.making / plan.key
        object = self.store.adopt(plan.twin, plan.rows, place / "made")
        shutil.rmtree(place, ignore_errors=True)
        return self._keep(object, plan.request.name, up_to_date=True)

    # Making

    def _make(self, plan: Plan) -> Outcome:
        assert self.store
        request = plan.request
        self._sweep(keep=plan.key)
        place = self.store.project.making / plan.key
        folder, scratch = place / "made", place / "scratch"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        scratch.mkdir(exist_ok=True)
        began = time.monotonic()
        work: Work[Any] = Work(request.spec, plan.inputs, folder, scratch, self.events, self.store.project.root)
        made = request.command.run(work)
        if isinstance(made, Document | Samples):  # asked with an option that only looks: nothing is made
            shutil.rmtree(place, ignore_errors=True)
            return Outcome(answer=made)
        assert isinstance(made, Artifact), f"{request.path} makes an artifact and returned {made!r}"
        made.check()
        self.inputs.require_unchanged(plan.rows)
        record = self._record(plan, made, time.monotonic() - began)
        with self._nothing_removed():
            object = self.store.commit(folder, record)
            self.digests.save()
            outcome = self._keep(object, request.name, up_to_date=False)
        shutil.rmtree(place, ignore_errors=True)
        return outcome

    def _record(self, plan: Plan, made: Artifact, seconds: float) -> Record:
        files = listing(made.folder)
        request = plan.request
        # A record is read back with any JSON reader, so it must hold none of Python's own numbers.
        try:
            metrics = json.loads(json.dumps(dict(made.metrics), allow_nan=False))
        except ValueError as error:
            raise WorkFailed(f"a metric of this {made.kind} is not finite: {dict(made.metrics)}") from error
        return Record(
            kind=made.kind,
            id=made.content(files),
            key=plan.key,
            command=request.path,
            revision=request.command.revision,
            spec=redaction.in_values(request.spec.model_dump(mode="json")),
            inputs=plan.rows,
            files=files,
            metrics=metrics,
            summary=made.summary,
            created=datetime.now(UTC).isoformat(timespec="milliseconds"),
            seconds=round(seconds, 3),
            packages=machine.packages(),
            machine=machine.machine(),
        )

    def _keep(self, object: str, name: str | None, *, up_to_date: bool) -> Outcome:
        assert self.store
        path = self.store.bind(object, name) if name else self.store.path(object)
        artifact = self.store.open(object, name)
        return Outcome(artifact, path, up_to_date, status=artifact.exit_code)

    def _make_outside(self, plan: Plan) -> Outcome:
        """Outside a workspace a command that can do without one answers with what it would keep."""
        command = plan.request.command
        if command.extra:
            extras.require(command.extra)
        with tempfile.TemporaryDirectory(prefix="aictl-") as place:
            folder, scratch = Path(place, "made"), Path(place, "scratch")
            folder.mkdir()
            scratch.mkdir()
            made = command.run(Work(plan.request.spec, plan.inputs, folder, scratch, self.events, None))
            if isinstance(made, Document | Samples):
                return Outcome(answer=made)
            assert isinstance(made, Artifact)
            made.check()
            return Outcome(answer=made.answer(), status=made.exit_code)

    def _answer(self, request: Request) -> Outcome:
        command = request.command
        with ExitStack() as held:
            # What takes nothing is not held up by anything: `artifact rm` asks for that lock itself.
            with self._nothing_removed() if self.store and command.takes else nullcontext():
                plan = self.plan(request)
                held.enter_context(self.inputs.in_use(plan.rows))
            if command.extra:
                extras.require(command.extra)
            if command.glances:
                self.inputs.require_sizes(plan.rows)
            else:
                self.inputs.require_whole(plan.rows)
            root = self.project.root if self.project else None
            nowhere = Path(os.devnull)
            work: Work[Any] = Work(request.spec, plan.inputs, nowhere, nowhere, self.events, root)
            # What comes piece by piece is worked out while it is read, so its inputs are in use until it ends.
            if isinstance(result := command.run(work), Stream):
                result = result._replace(pieces=self._holding(held.pop_all(), request.path, result.pieces))
            elif isinstance(result, Records):
                result = result._replace(items=self._holding(held.pop_all(), request.path, result.items))
        assert not isinstance(result, Artifact), f"{request.path} declares no kind that it makes"
        return Outcome(answer=result)

    # Keys

    def _key(self, request: Request, rows: Sequence[InputRecord]) -> str:
        identity = {
            "command": request.path,
            "revision": request.command.revision,
            "options": result_options(request.spec),
            "inputs": [[row.role, row.kind, row.id] for row in rows],
            "names": [[take.role, self._label(rows, take.role)] for take in request.command.takes if take.named],
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def _label(self, rows: Sequence[InputRecord], role: str) -> list[str]:
        """What an input is called, for a command whose result says its name."""
        assert self.store
        return [self.store.open(row.object, row.name).label for row in rows if row.role == role and row.object]

    # Around a run

    def _holding(self, held: ExitStack, path: str, pieces: Generator[Any, None, Any]) -> Generator[Any, None, Any]:
        folder = self.project.journal if self.project else None
        with held, journal.Journal(folder, path):
            return (yield from pieces)

    def _nothing_removed(self) -> AbstractContextManager[None]:
        """While it lasts, what is found stays there: removing waits."""
        assert self.store
        return locks.shared(self.store.project.lock)

    @contextmanager
    def _told(self, book: journal.Journal) -> Iterator[None]:
        """While it lasts, the journal hears what the screen hears."""
        screen = self.events

        def both(event: Any) -> None:
            book(event)
            screen.emit(event)

        self.events = Events(both)
        try:
            yield
        finally:
            self.events = screen

    def _waiting(self, who: str) -> None:
        self.events.noted(f"waiting for {who}, which is making the same")

    def _sweep(self, keep: str) -> None:
        """Clear away what killed runs left, unless somebody is at work there or may yet resume."""
        assert self.store
        for place in self.store.project.making.glob("*"):
            if place.name == keep:
                continue
            with locks.if_free(self.store.project.locks / f"key-{place.name}") as free:
                if free:
                    shutil.rmtree(place / "made", ignore_errors=True)
                    scratch = place / "scratch"
                    old = not scratch.is_dir() or time.time() - scratch.stat().st_mtime > SCRATCH_KEPT_S
                    if old or not any(scratch.iterdir()):
                        shutil.rmtree(place, ignore_errors=True)

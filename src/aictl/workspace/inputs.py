"""What a command is given: found, whole, still what it was, and kept from being removed meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aictl.core import extras, redaction
from aictl.core.artifact import RECORD_NAME, Artifact, InputRecord, Source
from aictl.core.command import Command, Takes
from aictl.core.errors import BadRequest, Damaged, NotFound, TryLater, WrongKind
from aictl.core.events import Events, silent
from aictl.workspace import locks, refs
from aictl.workspace.digests import Digests
from aictl.workspace.sources import NotFetched, is_remote, may_not_fetch, pinned
from aictl.workspace.sources import resolve as resolve_source
from aictl.workspace.store import Store

if TYPE_CHECKING:
    from aictl.workspace.sources.path import SetAside


class Inputs:
    """The inputs of commands in one workspace, or outside of any (``store`` None)."""

    def __init__(self, store: Store | None, digests: Digests, events: Events) -> None:
        self._store = store
        self._digests = digests
        self._events = events
        self._listed: dict[tuple[str, bool], Source] = {}

    def find(
        self, command: Command, take: Takes, given: Sequence[str], *, fetch: bool = True
    ) -> list[tuple[Artifact | Source, InputRecord]]:
        """What was typed for one role. Without ``fetch`` nothing is downloaded: what only a download
        would tell has an empty id.

        Raises :class:`BadRequest` for too few or too many of them, and what resolving them raises.
        """
        if not given and take.required:
            raise BadRequest(f"{take.role.upper()} is missing: {take.help}")
        if len(given) > 1 and not take.many:
            raise BadRequest(f"{take.role.upper()} was given {len(given)} times and is taken once")
        lenient: SetAside = "nothing" if not take.sets_aside else "inside" if len(given) == 1 else "all"
        return [self._one(command, take, text, lenient, fetch=fetch) for text in given]

    def _one(
        self, command: Command, take: Takes, text: str, lenient: SetAside, *, fetch: bool
    ) -> tuple[Artifact | Source, InputRecord]:
        role = take.role
        if not text.strip():
            raise BadRequest(f"{role.upper()} is empty", cure="is a variable unset?")
        artifact_kinds = [kind for kind in take.kinds if issubclass(kind, Artifact)]
        raw = any(issubclass(kind, Source) for kind in take.kinds)
        looked_at = _there(text) if raw and command.glances else None
        if artifact_kinds and self._store and (looked_at or not (raw and _is_raw(text))):
            try:
                found = refs.resolve(self._store, text, artifact_kinds)
            except NotFound:
                if not raw or (command.glances and not looked_at):
                    raise
            except BadRequest as error:
                if not looked_at or isinstance(error, WrongKind):
                    raise  # what is left is an artifact of another workspace
            else:
                record = self._store.record(found.object)
                row = InputRecord(role, record.id, kind=found.kind, name=found.name, object=found.object)
                return self._store.open(found.object, found.name, self._opened), row
        if looked_at:  # nothing is made of it, so its bytes are not hashed first
            return Source(text, looked_at, ""), InputRecord(role, "", uri=text, path=str(looked_at))
        if raw and command.glances and ":" in text.partition("/")[0]:
            raise BadRequest(
                f"{text} would have to be fetched, and what is only looked at is taken from this machine alone",
                cure="make an artifact of it first, and give that",
            )
        source = self._raw(command, take, text, lenient, fetch=fetch)
        # What lies in the cache or a store stands still; anything else can be looked at again where it is.
        still = None if is_remote(text) else str(source.path.absolute())
        facts = redaction.in_values(dict(source.facts))
        return source, InputRecord(role, source.digest, uri=redaction.redacted(source.uri), path=still, facts=facts)

    def _raw(self, command: Command, take: Takes, text: str, lenient: SetAside, *, fetch: bool) -> Source:
        """Raw input. What a store holds is listed once for a command, however often it is planned."""
        known = self._listed.get((text, take.streams))
        if known is not None:
            return known
        # Whoever lacks what the command needs shall know before the download and not after it.
        before = (lambda: extras.require(command.extra) if command.extra else None) if fetch else may_not_fetch
        try:
            source = resolve_source(
                text,
                hash_file=self._digests,
                events=self._events,
                set_aside=lenient,
                streams=take.streams,
                before_fetch=before,
            )
        except NotFetched:
            return Source(text, Path(os.devnull), self._recorded(text))
        if is_remote(text):
            self._listed[text, take.streams] = source
        return source

    def _opened(self, row: InputRecord) -> Artifact:
        """What an input was itself made from: a command that opens it, such as the checkpoint under an
        adapter, takes it too, so it has to be whole."""
        assert self._store
        artifact = self._store.open_input(row, self._opened)
        self.require_whole([row])
        return artifact

    def _recorded(self, text: str) -> str:
        """The digest that a pinned source had when something was made from it, or nothing."""
        pin = pinned(text)
        rows = [row for one in self._store.objects() for row in self._store.inputs(one)] if self._store and pin else []
        return next((row.id for row in rows if pin.items() <= row.facts.items()), "")

    def digest_now(self, row: InputRecord) -> str | None:
        """The digest that a recorded raw source has today, or None if it is gone."""
        if row.path is None or not os.path.lexists(row.path):
            return None
        outside = "links" not in row.facts
        now = resolve_source(row.path, hash_file=self._digests, events=silent, set_aside="all", outside=outside)
        return now.digest

    def require_whole(self, rows: Sequence[InputRecord]) -> None:
        """Nothing may be made from damaged inputs; files that were read before are known by their
        marks. Raises :class:`Damaged`."""
        for row in rows:
            if row.object and self._store:
                folder = self._store.project.store / row.object
                for path, entry in self._store.record(row.object).files.items():
                    if self._digests(folder / path) != entry["sha256"]:
                        raise Damaged(f"{row.kind} '{row.name or row.id[:12]}': {path} is not what was made")
        if self._store:
            self._digests.save()

    def require_sizes(self, rows: Sequence[InputRecord]) -> None:
        """Every file of the inputs is there and as long as when it was made; none is read. Raises :class:`Damaged`."""
        for row in rows:
            if row.object and self._store:
                folder = self._store.project.store / row.object
                for path, entry in self._store.record(row.object).files.items():
                    try:
                        found = os.stat(folder / path).st_size  # noqa: PTH116
                    except FileNotFoundError:
                        raise Damaged(f"{row.kind} '{row.name or row.id[:12]}': {path} is missing") from None
                    if found != entry["size"]:
                        made = f"{path} has {found:,} bytes, and {entry['size']:,} were made"
                        raise Damaged(f"{row.kind} '{row.name or row.id[:12]}': {made}")

    def require_unchanged(self, rows: Sequence[InputRecord]) -> None:
        """A raw source that was edited while it was read would be kept under what it was before.
        Raises :class:`TryLater`."""
        for row in rows:
            if row.path and self.digest_now(row) != row.id:
                raise TryLater(f"{row.uri} changed while it was read", cure="run the command again")

    @contextmanager
    def in_use(self, rows: Sequence[InputRecord]) -> Iterator[None]:
        """Keep artifacts from being removed while they are read."""
        with ExitStack() as held:
            for row in rows:
                if row.object and self._store:
                    held.enter_context(locks.shared(self._store.lock_of(row.object)))
            yield


def _there(text: str) -> Path | None:
    """The absolute path of a file or folder, if a word is the path of one."""
    path = Path(os.path.expanduser(text)).absolute()  # noqa: PTH111  ("~x" may be a name)
    return path if os.path.exists(path) else None  # noqa: PTH110  (nobody may look)


def _is_raw(text: str) -> bool:
    """Whether a word can only mean raw input: a scheme, or a path to what is no artifact."""
    path = Path(text)
    reference = path.suffix == ".ref" and path.parent.parent.name == "artifacts"
    # os.path says False where nobody may look; pathlib raises.
    artifact = reference or os.path.exists(path / RECORD_NAME)  # noqa: PTH110
    return ":" in text.partition("/")[0] or (os.path.lexists(path) and not artifact)

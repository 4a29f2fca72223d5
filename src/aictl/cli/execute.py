"""One command from parsed words to an exit status: settle the options, run, show what came of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple, get_args

from aictl.cli import sparing
from aictl.cli.running import running
from aictl.cli.show import show
from aictl.cli.sinks import Style, choose
from aictl.core import extras
from aictl.core import place as places
from aictl.core.answer import Answer, Document
from aictl.core.command import Command
from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.core.spec import flat_fields, flat_values, is_ref
from aictl.workspace import config, project
from aictl.workspace.run import Outcome, Plan, Request, Runner


class Common(NamedTuple):
    """The options that every command has."""

    name: str | None
    force: bool
    dry_run: bool
    rehash: bool
    as_json: bool
    events: str
    debug: bool
    workspace: Path | None


def execute(
    path: str, command: Command, refs: Mapping[str, Sequence[str]], given: dict[str, Any], common: Common
) -> int:
    """Run one command as it was typed; returns the exit status or raises the family of errors."""
    running.events, running.debug, running.makes = common.events, common.debug, bool(command.makes)
    if common.events not in get_args(Style):
        running.events = "auto"
        raise BadRequest(f"--events {common.events}: there are {', '.join(get_args(Style))}")
    place = _workspace(command, common.workspace)
    for steps, field in flat_fields(command.spec):
        name = steps[-1]
        if is_ref(field) and name in given:
            several = isinstance(given[name], list | tuple)
            named = [one for text in (given[name] if several else [given[name]]) for one in _from_stdin(text)]
            given[name] = named if several else named[0]
    settings = config.settle(path, command.spec, given, toml=place.config_path if place else None)
    read = {role: tuple(one for text in texts for one in _from_stdin(text)) for role, texts in refs.items()}
    request = Request(path, command, settings.spec, read, name=common.name, force=common.force)
    among = places.place() if command.launch else None
    if among and among.rank:
        running.follows, common = among.rank, common._replace(events="none")
    sink = choose(common.events)  # type: ignore[arg-type]
    runner = Runner(place, Events(sink), rehash=common.rehash, follows=running.follows is not None)
    sparing.end()
    try:
        if common.dry_run:
            foreseen = _foreseen(runner.plan(request, fetch=False), runner, settings.origin)
            sink.close()
            return show(foreseen, as_json=common.as_json)
        if command.launch and among is None and not runner.is_made(request):
            sink.pause()
            if (launched := _launched(command, runner, request, refs)) is not None:
                return launched if isinstance(launched, int) else show(launched, as_json=common.as_json)
        outcome = runner.run(request)
        sink.close()  # the result comes to the same terminal
        if running.follows is not None:
            return outcome.status
        if outcome.artifact is None:
            return show(outcome.answer, as_json=common.as_json) or outcome.status
        if outcome.artifact.is_report and not common.as_json and common.events not in ("jsonl", "none"):
            with redirect_stdout(sys.stderr):
                show(outcome.artifact.answer(), as_json=False, drawn=True)
        return _show_made(outcome, runner.events, as_json=common.as_json) or outcome.status
    finally:
        sink.close()


def _launched(
    command: Command, runner: Runner, request: Request, typed: Mapping[str, Sequence[str]]
) -> Answer | int | None:
    """What comes of a command that other processes are to run; None if this one is."""
    assert command.launch
    if command.extra:
        extras.require(command.extra)
    # What came from stdin comes no second time.
    came = [ref for role, texts in typed.items() if "-" in texts for ref in request.refs[role]]
    words = [one for word in running.words for one in (came if word == "-" else [word])]
    return command.launch(request.spec, words, runner.events)


def _workspace(command: Command, named: Path | None) -> project.Project | None:
    if command.workspace == "required":
        return project.require(named)
    if command.workspace == "none":
        return None
    return project.at(named, f"--workspace {named}") if named is not None else project.find()


def _from_stdin(text: str) -> list[str]:
    """What ``-`` stands for: the refs on stdin, a path a line or one JSON record."""
    if text != "-":
        return [text]
    said = sys.stdin.read().strip() if sys.stdin else ""
    if not said:
        raise BadRequest("'-' reads a ref from stdin, and nothing came", cure="did the command before it fail?")
    if said.startswith("{"):
        try:
            path = json.loads(said)["path"]
        except (ValueError, KeyError) as error:
            raise BadRequest(f"'-' read JSON from stdin that is no record with a path: {error}") from error
        if not isinstance(path, str):
            raise BadRequest("'-' read JSON from stdin that is no record with a path")
        return [path]
    return said.splitlines()


def _show_made(outcome: Outcome, events: Events, *, as_json: bool) -> int:
    artifact = outcome.artifact
    assert artifact and artifact.record
    if as_json:
        value = {
            "path": str(outcome.path),
            "kind": artifact.kind,
            "name": artifact.name,
            "id": artifact.record.id,
            "up_to_date": outcome.up_to_date,
            "summary": artifact.summary,
            "metrics": dict(artifact.metrics),
        }
        if artifact.is_report:
            answer = artifact.answer()
            value = {**value, **(answer.value if isinstance(answer, Document) else {}), **value}
        return show(Document(value), as_json=True)
    if outcome.up_to_date:
        if sys.stderr.isatty():
            events.noted(f"{artifact.kind} '{artifact.label}' is up to date")
    else:
        events.noted(f"made {artifact.kind} '{artifact.label}': {artifact.summary}")
    return show(Document(None, text=str(outcome.path)), as_json=False)


def _foreseen(plan: Plan, runner: Runner, origin: Mapping[str, str]) -> Document:
    """The plan, and what the work would take where the command can say so and there is work to do."""
    document, command = _plan(plan, runner, origin), plan.request.command
    if command.foresees is None or not plan.key or plan.is_made:
        return document
    if command.extra:
        extras.require(command.extra)
    return document._replace(value={**document.value, "takes": dict(command.foresees(plan.request.spec, plan.inputs))})


def _plan(plan: Plan, runner: Runner, origin: Mapping[str, str]) -> Document:
    values = flat_values(plan.request.spec)
    there = plan.existing or plan.twin
    absent = [row.uri for row in plan.rows if not row.id]
    would = "return what is there" if plan.is_made else "run"
    if absent:
        would = f"fetch {', '.join(map(str, absent))}, and then see whether there is anything left to do"
    return Document(
        {
            "command": plan.request.path,
            "inputs": [
                {
                    "role": row.role,
                    "is": row.name or row.uri or row.object,
                    "kind": row.kind or "source",
                    "id": row.id or None,
                }
                for row in plan.rows
            ],
            "options": {name: {"value": values[name], "from": where} for name, where in origin.items()},
            "makes": [kind.kind for kind in plan.request.command.makes],
            "name": plan.request.name,
            "key": plan.key or None,
            "up_to_date": None if absent else plan.is_made,
            "would": would,
            "artifact": str(runner.store.path(there)) if runner.store and there else None,
        }
    )

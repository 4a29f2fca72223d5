"""What a person may have meant by a ref that stands for nothing, and what to do with an artifact of
a kind that a command does not take. Only failing commands come here."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterator, Sequence

from aictl.core import doors
from aictl.core.artifact import Artifact
from aictl.core.command import Command, Takes
from aictl.core.errors import AictlError, NotFound
from aictl.core.spec import flat_fields, is_positional
from aictl.workspace.store import Store

_ALL = "aictl artifact ls shows what there is"
_MOST = 3  # of anything that is suggested


def missing(store: Store, ref: str, taken: Sequence[str]) -> NotFound:
    """The error for a ref that stands for nothing: which kinds or versions its name has, or which
    names are near, those of the ``taken`` kinds before others."""
    kind, name, version = _parts(ref)
    kinds = store.names.kinds_of(name)
    if version is not None and (fitting := [one for one in kinds if kind in (None, one)]):
        prefix = f"{kind}/" if kind else ""
        there = {f"{prefix}{name}@{number}" for one in fitting for number in store.names.versions(one, name)}
        listed = sorted(there, key=lambda label: int(label.rpartition("@")[2]))
        return NotFound(f"'{prefix}{name}' has no version {version}", cure=_there(listed))
    if kinds:
        what = f"no {kind} is called '{name}'" if kind in doors.doors(doors.KINDS) else _none(ref)
        return NotFound(what, cure=_there([f"{one}/{name}" for one in kinds]))
    near = _near(store, [kind] if kind else taken, name) or _near(store, [], name)
    return NotFound(_none(ref), cure=f"perhaps {' or '.join(near)}?" if near else _ALL)


def next_step(store: Store, ref: str, object: str, taken: Sequence[str]) -> str:
    """How to come from an artifact to one of the ``taken`` kinds: the command that makes one of it,
    or else what it was itself made from, or else those there are."""
    lines = sorted(_ways(ref, object.partition("/")[0], taken))
    if lines:
        return "first: " + ", or ".join(line for *_, line in lines[:_MOST])
    for one in store.open(object).ancestors():
        if one.kind in taken:
            return f"it was made from {one.kind} '{one.label}', which can be given"
    names = [f"{kind}/{name}" for kind in taken for name in store.names.of_kind(kind)]
    return _there(names[:_MOST]) if names else _ALL


def _ways(ref: str, given: str, taken: Sequence[str]) -> Iterator[tuple[int, int, int, str]]:
    """The command lines that make a taken kind of the given one, as the commands themselves say;
    with each, how much in it is still to be filled in, the place of its kind among the taken, and how many kinds it
    may make."""
    for path, door in doors.doors(doors.COMMANDS).items():
        try:
            command: Command = door.load()
        except AictlError:  # a broken plugin is told of when it is called
            continue
        made = [taken.index(one.kind) for one in command.makes if one.kind in taken]
        into = next((take for take in command.takes if take.required and given in _kinds(take)), None)
        if made and into:
            words, open_words = _words(command, into, shlex.quote(ref))
            yield open_words, min(made), len(command.makes), " ".join(["aictl", *path.split("."), *words])


def _words(command: Command, into: Takes, ref: str) -> tuple[list[str], int]:
    """The words that a command needs, with the ref in its place, and how many are still open."""
    arguments, options = [], []
    for take in command.takes:
        if take.required:
            word = ref if take is into else take.role.upper()
            if take.option:
                options += ["--" + take.role.replace("_", "-"), word]
            else:
                arguments.append(word)
    fields = ((steps[-1], field) for steps, field in flat_fields(command.spec))
    asked = [name.upper() for name, field in fields if field.is_required() and is_positional(field)]
    open_words = sum(take.required and take is not into for take in command.takes) + len(asked)
    return [*arguments, *asked, *options], open_words


def _kinds(take: Takes) -> list[str]:
    return [kind.kind for kind in take.kinds if issubclass(kind, Artifact)]


def _parts(ref: str) -> tuple[str | None, str, str | None]:
    """Kind, name and version of a ref, as far as it has them."""
    kind, slash, text = ref.rpartition("/")
    name, at, version = text.rpartition("@")
    numbered = bool(at) and version.isascii() and version.isdigit()
    return kind if slash else None, name if numbered else text, version if numbered else None


def _near(store: Store, kinds: Sequence[str], name: str) -> list[str]:
    """The names that are spelled nearly like this one or go on from it, of these kinds or of all."""
    there = [one for kind in kinds for one in store.names.of_kind(kind)] if kinds else store.names.all()
    folded = {one.casefold(): one for one in there}
    typed = name.casefold()
    near = difflib.get_close_matches(typed, folded, n=_MOST)
    near += [one for one in folded if len(typed) > 1 and one.startswith(typed) and one not in near]
    return [folded[one] for one in near[:_MOST]]


def _none(ref: str) -> str:
    return f"no artifact is called '{ref}'"


def _there(labels: Sequence[str]) -> str:
    *others, last = labels
    return f"there are {', '.join(others)} and {last}" if others else f"there is {last}"

"""Which files are read, under which names, and as which format."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fnmatch import translate
from pathlib import Path

from aictl.core.artifact import Source
from aictl.core.errors import BadInput, BadRequest
from aictl.core.walk import CANNOT_BE_READ, READ_ALREADY, kind_of, regular_files, shown, unreadable
from aictl.data.documents import InputFile
from aictl.data.prep.spec import FilesSpec, PrepSpec
from aictl.data.readers import SUFFIXES, Format, format_of, reader_for

CALLED: dict[Format, str] = {
    "text": "text",
    "chat": "conversations",
    "image": "pictures",
    "pair": "pairs",
    "preference": "preferences",
}
_DECIDED: tuple[Format, ...] = ("text", "chat", "image")  # those that auto knows; others are asked for


def list_files(sources: Sequence[tuple[int, Source]], spec: FilesSpec) -> list[tuple[int, InputFile]]:
    """The files of all numbered sources in order, those that ``include`` and ``exclude`` leave, each with the
    number of its source.

    A file's name is its path inside its source. Where two sources have the same name, it is
    preceded by the place of its source among them. Raises :class:`BadInput` if nothing is left.
    """
    if not sources:
        return []
    found = [(number, file) for number, source in sources for file in _of_source(source)]
    wanted, unwanted = _matcher(spec.include), _matcher(spec.exclude)
    kept = [
        (number, file)
        for number, file in found
        if (not spec.include or wanted(file.name)) and not (spec.exclude and unwanted(file.name))
    ]
    if not kept:
        filters = [f"--include {one}" for one in spec.include] + [f"--exclude {one}" for one in spec.exclude]
        raise BadInput(
            f"none of {len(found)} files is left by {' '.join(filters)}" if filters else "no files were given",
            cure=f"paths look like {found[0][1].name}" if found else None,
        )
    places: dict[str, set[int]] = {}
    for number, file in kept:
        places.setdefault(file.name, set()).add(number)
    place = {number: count for count, (number, _) in enumerate(sources, 1)}
    return [(number, _numbered(file, place[number]) if len(places[file.name]) > 1 else file) for number, file in kept]


def _numbered(file: InputFile, number: int) -> InputFile:
    return replace(file, name=f"{number}:{file.name}", number=number)


def _of_source(source: Source) -> Iterable[InputFile]:
    if source.facts.get("listing"):
        from aictl.stores.objects import objects_of

        single = bool(source.facts["single"])
        return [
            InputFile(shown(one.name), source.path, one.size_bytes, named=single, opens=one.open)
            for one in objects_of(source)
        ]
    kind = kind_of(source.path)
    if kind != "folder":
        return [_file(source.path.name, source.path, None if kind == "file" else kind, named=True)]
    prefix = source.facts.get("prefix", "")
    lost: dict[str, str] = {}
    # What a hub keeps is links into its own store; no other folder's links are followed out of it.
    found = regular_files(source.path, lost.__setitem__, outside="repo" in source.facts)
    files = [_file(prefix + name, path) for name, path in found]
    if "" in lost:
        return [_file(f"{source.path.name}/", source.path, lost[""], named=True)]
    # A folder that was read already is no loss; that it was left out was told when it was resolved.
    rest = [(name, reason) for name, reason in lost.items() if reason != READ_ALREADY]
    return files + [_file(prefix + name, source.path / name, reason) for name, reason in rest]


def _file(name: str, path: Path, lost: str | None = None, *, named: bool = False) -> InputFile:
    size_bytes = 0
    if lost is None:
        try:
            size_bytes = path.stat().st_size
        except OSError as error:
            lost = unreadable(error)
    return InputFile(shown(name), path, size_bytes, named, lost and lost.removeprefix(CANNOT_BE_READ))


def _matcher(globs: Sequence[str]) -> Callable[[str], bool]:
    """Whether a path matches one of some globs: with a slash the whole path or a folder above it,
    without one any part of the path. ``*`` crosses slashes."""
    whole = [re.compile(translate(glob.strip("/"))) for glob in globs if "/" in glob]
    whole += [re.compile(translate(glob.strip("/") + "/*")) for glob in globs if "/" in glob]
    parts = [re.compile(translate(glob)) for glob in globs if "/" not in glob]

    def matches(name: str) -> bool:
        if any(pattern.match(name) for pattern in whole):
            return True
        return any(pattern.match(part) for pattern in parts for part in name.split("/"))

    return matches


def decide_format(files: Sequence[InputFile], spec: PrepSpec) -> Format:
    """The one format that the files are of: pictures if there is nothing else, since they may be there for the text
    beside them.

    Raises :class:`BadRequest` if some are of the one and some of the other, and :class:`BadInput`
    if none is of any.
    """
    if spec.format != "auto":
        return spec.format
    examples: dict[Format, str] = {}
    for file in files:
        format = format_of(file, spec.reading)
        if format and format not in examples:
            examples[format] = file.name
            if len(examples) == 2:
                (one, name), (other, another) = sorted(examples.items(), reverse=True)
                raise BadRequest(
                    f"{name} holds {CALLED[one]} and {another} {CALLED[other]}, and a dataset is one of them",
                    cure=f"say --format {one} or --format {other}, or leave files out with --exclude",
                )
    if examples:
        return next(iter(examples))
    # None is of any without doubt, so a reader says of each what is wrong with it.
    possible = [format for format in _DECIDED if any(reader_for(file, format) for file in files)]
    if not possible:
        raise nothing_to_read(files, spec)
    return possible[0]


def nothing_to_read(files: Sequence[InputFile], spec: PrepSpec, format: Format | None = None) -> BadInput:
    """The error for files of which none holds what is looked for: documents of ``format`` if that has been decided."""
    if format is None and spec.format != "auto":
        format = spec.format
    formats: tuple[Format, ...] = (format,) if format else _DECIDED
    known = {suffix for one in formats for suffix in SUFFIXES[one]}
    words = [CALLED[one] for one in formats]
    wanted = " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
    if len(files) > 1:
        said = f"none of these {len(files)} files holds {wanted} in a form that is read: {suffix_counts(files)}"
    elif not files[0].size_bytes:
        said = f"{files[0].name} is empty"
    elif files[0].suffix in known:
        said = f"{files[0].name} holds no {wanted} in a form that is read"
    else:
        said = f"{files[0].name} is of no kind that is read"
    read = {one: f"{CALLED[one]} {'is' if one == 'text' else 'are'} read from" for one in formats}
    return BadInput(said, cure="; ".join(f"{read[one]} {' '.join(SUFFIXES[one])}" for one in formats))


def suffix_counts(files: Sequence[InputFile], most: int = 8) -> str:
    """Such as ``.png 12, .css 3``."""
    counts = Counter(file.suffix or "no suffix" for file in files)
    return ", ".join(f"{suffix} {count}" for suffix, count in counts.most_common(most))

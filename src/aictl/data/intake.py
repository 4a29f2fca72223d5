"""Which files are read, under which names, and as which format."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from fnmatch import translate

from aictl.core.artifact import Source
from aictl.core.errors import BadInput, BadRequest
from aictl.core.walk import regular_files, shown
from aictl.data.documents import InputFile
from aictl.data.readers import SUFFIXES, Format, format_of
from aictl.data.spec import PrepSpec


def list_files(sources: Sequence[Source], spec: PrepSpec) -> list[InputFile]:
    """The files of all sources in order, those that ``include`` and ``exclude`` leave.

    A file's name is its path inside its source. Where two sources have the same name, it is
    preceded by the number of the source. Raises :class:`BadInput` if nothing is left.
    """
    found = [(number, file) for number, source in enumerate(sources, 1) for file in _of_source(source)]
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
    return [
        InputFile(f"{number}:{file.name}", file.path, file.size_bytes, file.named)
        if len(places[file.name]) > 1
        else file
        for number, file in kept
    ]


def _of_source(source: Source) -> Iterable[InputFile]:
    if source.path.is_file():
        return [InputFile(shown(source.path.name), source.path, source.path.stat().st_size, named=True)]
    prefix = source.facts.get("prefix", "")
    found = regular_files(source.path, lambda name, reason: None)  # what is left out was told when it was resolved
    return [InputFile(prefix + shown(name), path, path.stat().st_size) for name, path in found]


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
    """The one format that the files are of.

    Raises :class:`BadRequest` if some are of the one and some of the other, and :class:`BadInput`
    if none is of either.
    """
    if spec.format != "auto":
        return spec.format
    examples: dict[Format, str] = {}
    for file in files:
        format = format_of(file, spec)
        if format and format not in examples:
            examples[format] = file.name
            if len(examples) == 2:
                raise BadRequest(
                    f"{examples['text']} holds text and {examples['chat']} conversations, and a dataset is one of them",
                    cure="say --format text or --format chat, or leave files out with --exclude",
                )
    if not examples:
        raise nothing_to_read(files, None)
    return next(iter(examples))


def nothing_to_read(files: Sequence[InputFile], format: Format | None) -> BadInput:
    """The error for files of which none can be read."""
    formats: tuple[Format, ...] = (format,) if format else ("text", "chat")
    taken = "; ".join(f"{one} is read from {' '.join(SUFFIXES[one])}" for one in formats)
    what = f"{files[0].name} is" if len(files) == 1 else f"none of {len(files)} files ({suffix_counts(files)}) is"
    empty = " (the file is empty)" if len(files) == 1 and not files[0].size_bytes else ""
    return BadInput(f"{what} something that holds {' or '.join(formats)} documents{empty}", cure=taken)


def suffix_counts(files: Sequence[InputFile], most: int = 8) -> str:
    """Such as ``.png 12, .css 3``."""
    counts = Counter(file.suffix or "no suffix" for file in files)
    return ", ".join(f"{suffix} {count}" for suffix, count in counts.most_common(most))

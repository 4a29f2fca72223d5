"""A command line as it is to be typed on the machines of a cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from aictl.core.spec import Spec, flat_fields
from aictl.training.spec import ClusterSpec

LONGEST_NAME = 40  # a pod's name adds to it, and has 63 characters at most


def without(words: Sequence[str], flags: Mapping[str, bool]) -> list[str]:
    """The words without these options; each flag says whether a value follows it."""
    kept: list[str] = []
    skip = False
    for word in words:
        name = word.partition("=")[0]
        if skip:
            skip = False
        elif name in flags:
            skip = flags[name] and "=" not in word
        else:
            kept.append(word)
    return kept


def there(words: Sequence[str], parallel: Mapping[str, str]) -> list[str]:
    """The words without where they are to be run, and with how: ``parallel`` are options and their values."""
    flags = flags_of(ClusterSpec) | dict.fromkeys(("--nproc", "--nnodes", "--rdzv"), True)
    kept = without(words, flags)
    if not any(word.partition("=")[0] == "--on" for word in words):
        kept += ["--on", "here"]  # it stands in the settings of the workspace, which is there too
    return [*kept, *(part for option in parallel.items() for part in option)]


def flags_of(spec: type[Spec]) -> dict[str, bool]:
    """The flags of a spec's options, and whether a value follows each."""
    found: dict[str, bool] = {}
    for path, field in flat_fields(spec):
        flag = path[-1].replace("_", "-")
        found[f"--{flag}"] = field.annotation is not bool
        if field.annotation is bool:
            found[f"--no-{flag}"] = False
    return found


def job_name(words: Sequence[str], given: str | None) -> str:
    """What to call the job: as it was given, or after the artifact's name or the command; a DNS label."""
    if given is None:
        named = [after for word, after in pairwise(words) if word == "--name"]
        named += [word.partition("=")[2] for word in words if word.startswith("--name=")]
        given = "aictl-" + (named[-1] if named else words[0])
    label = re.sub(r"[^a-z0-9]+", "-", given.lower()).strip("-")
    return re.sub(r"^[^a-z]+", "", label)[:LONGEST_NAME].strip("-") or "aictl"

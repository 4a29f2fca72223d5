"""labels.json: what the functions did, how far each is believed, and how far people agree."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aictl.artifacts.dataset import LABELS, Dataset
from aictl.core.errors import BadRequest, Damaged
from aictl.data.label.declaration import Declaration
from aictl.data.label.label_model import Fitted
from aictl.data.label.votes import Patterns

FEW_OVERLAPS = 3  # functions: with fewer that meet on a document, nobody can tell who is right
OFTEN_ALONE = 0.5  # of a function's votes that meet another's: against more than this share it is suspect
_EVERYTHING = 0.999


def read_report(dataset: Dataset) -> dict[str, Any]:
    """The labels.json of a labelled dataset. Raises :class:`BadRequest` for one without labels."""
    path = dataset.folder / LABELS
    if not path.exists():
        raise BadRequest(f"dataset '{dataset.label}' has no labels", cure=f"aictl data label {dataset.label} --help")
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Damaged(f"{path}: {error}") from error


def describe(
    declaration: Declaration, patterns: Patterns, fitted: Fitted, facts: Mapping[str, Mapping[str, int]]
) -> dict[str, Any]:
    """What labels.json says of functions and their votes; shares are of all documents."""
    total = patterns.counts.sum()
    covered, conflict = patterns.covered, patterns.in_conflict
    overlap = (patterns.votes >= 0).sum(axis=1) > 1
    functions = []
    for column, function in enumerate(declaration.functions):
        votes = patterns.votes[:, column]
        voted = votes >= 0
        opposed = voted & _opposed(patterns.votes, column)
        told = voted & (patterns.known >= 0)
        accuracy = fitted.accuracy[column]
        functions.append(
            {
                "name": function.name,
                "kind": function.settings.kind,
                "coverage": _share(patterns.counts[voted].sum(), total),
                "overlaps": _share(patterns.counts[voted & overlap].sum(), total),
                "conflicts": _share(patterns.counts[opposed].sum(), total),
                "estimated_accuracy": None if np.isnan(accuracy) else round(float(accuracy), 4),
                "reviewed": int(patterns.counts[told].sum()),
                "reviewed_right": int(patterns.counts[told & (votes == patterns.known)].sum()),
                "votes": {
                    name: int(patterns.counts[votes == number].sum())
                    for number, name in enumerate(declaration.names)
                    if (votes == number).any()
                },
                **{name: count for name, count in facts.get(function.name, {}).items() if count},
            }
        )
    return {
        "labels": [
            {"name": label.name, "description": label.description, "estimated_share": round(float(share), 4)}
            for label, share in zip(declaration.labels, fitted.shares, strict=True)
        ],
        "roles": list(declaration.roles),
        "coverage": _share(patterns.counts[covered].sum(), total),
        "overlaps": _share(patterns.counts[overlap].sum(), total),
        "conflicts": _share(patterns.counts[conflict].sum(), total),
        "functions": functions,
    }


def warnings(report: Mapping[str, Any], patterns: Patterns) -> Iterator[str]:
    """What a person should look at before he believes the labels."""
    for function in report["functions"]:
        name, coverage = function["name"], function["coverage"]
        if not function["votes"]:
            yield f"{name} votes on no document"
        elif coverage >= _EVERYTHING and len(function["votes"]) == 1:
            yield f"{name} says {next(iter(function['votes']))} of every document, which tells nothing"
        elif function["overlaps"] and function["conflicts"] > OFTEN_ALONE * function["overlaps"]:
            share = function["conflicts"] / function["overlaps"]
            yield f"{name} is contradicted on {share:.0%} of the documents on which others vote too"
        for what in ("unparsed", "declined"):
            if function.get(what):
                yield f"{name}: {function[what]:,} answers {_WRONG[what]}"
    together = (patterns.votes >= 0)[(patterns.votes >= 0).sum(axis=1) > 1].any(axis=0).sum()
    if together < FEW_OVERLAPS:
        yield (
            f"{together or 'no'} functions vote on the same documents; from fewer than {FEW_OVERLAPS} nobody can tell "
            "who is right, and confidences are little more than assumptions"
        )


_WRONG = {"unparsed": "name no label", "declined": "were refused by the endpoint"}


def write(report: Mapping[str, Any], folder: Path) -> None:
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / LABELS).write_text(text + "\n", "utf-8")


def _opposed(votes: np.ndarray, column: int) -> np.ndarray:
    """Patterns in which another function votes for something else than this one."""
    others = np.delete(votes, column, axis=1)
    return ((others >= 0) & (others != votes[:, column, None])).any(axis=1)


def _share(part: float, total: float) -> float:
    return round(float(part / total), 4) if total else 0.0

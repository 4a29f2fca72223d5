"""The text of a card, section by section. Each says what the records say, and what they do not say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.capability import ABILITIES
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.model import Model
from aictl.model.card.figures import Figure
from aictl.model.card.history import Measured, Step, machine, options, source_shown, sources
from aictl.model.card.use import python_lines


def text(
    model: Model,
    steps: Sequence[Step],
    own: Sequence[Figure],
    measured: Sequence[Measured],
    *,
    title: str,
    description: str | None,
    license: str | None,
    languages: Sequence[str],
) -> str:
    """The whole text below the front matter."""
    parts = [f"# {title}\n", (description or _described(model)).strip() + "\n"]
    parts += ["## What it is\n", *_table(("", ""), _facts(model, license, languages))]
    parts += ["## What it was made from\n", *_origin(steps), "## How it was trained\n", *_training(steps)]
    parts += ["## How good it is\n", *_quality(own, measured)]
    parts += ["## Intended use\n", *_use(model), "## Limits\n", *_limits(model, steps, measured)]
    parts += ["## How to use it\n", *_program(model)]
    return "\n".join(parts).rstrip() + "\n"


def _described(model: Model) -> str:
    capability = model.capability
    does = f"a model that {ABILITIES[capability].does}" if capability else "a model; what it is for was not recorded"
    return f"This is {does}. Nobody has described it further."


def _facts(model: Model, license: str | None, languages: Sequence[str]) -> Iterator[tuple[str, str]]:
    brief = model.brief()
    yield "kind", model.kind
    yield "task", str(brief.capability or "not recorded")
    yield "architecture", str(brief.architecture or "not recorded")
    yield "parameters", f"{brief.parameters:,}" if brief.parameters is not None else "not recorded"
    yield "number format", str(brief.precision or "not recorded")
    if brief.context:
        yield "longest input", f"{brief.context:,} tokens"
    yield "languages", ", ".join(languages) or "not recorded"
    yield "licence", license or "not recorded"
    if model.record:
        yield "digest", f"`{model.record.id}`"


def _origin(steps: Sequence[Step]) -> Iterator[str]:
    rows = [
        (
            f"{step.record.kind} **{step.label}**",
            f"`{step.record.id[:16]}`",
            f"`{step.command}`",
            step.record.created[:10],
            step.record.summary,
        )
        for step in steps
    ]
    yield from _table(("artifact", "digest", "made by", "on", "what it is"), rows)
    raw = sources(list(steps))
    if raw:
        yield "Raw sources, with the SHA-256 of what they held:\n"
        yield from _table(("source", "digest"), [(f"`{source_shown(row)}`", f"`{row.id[:16]}`") for row in raw])
    else:
        yield "No raw source is recorded.\n"


def _training(steps: Sequence[Step]) -> Iterator[str]:
    learnt = [step for step in steps if step.learns]
    if not learnt:
        yield "No training is recorded: how its weights were learnt, and from what, only their makers know.\n"
    for step in learnt:
        record = step.record
        yield f"`{step.command}` made {record.kind} **{step.label}** in {record.seconds:,.0f} s"
        yield f"on {machine(record) or 'a machine that was not recorded'}, with these options:\n"
        yield from _table(("option", "value"), [(name, _value(one)) for name, one in options(record).items()])
        packages = ", ".join(f"{name} {version}" for name, version in record.packages.items())
        yield f"Versions: {packages or 'not recorded'}.\n"
    if learnt:
        yield "The energy that this took was not measured.\n"


def _quality(own: Sequence[Figure], measured: Sequence[Measured]) -> Iterator[str]:
    if not own and not measured:
        yield "Not measured: no evaluation of it is recorded.\n"
    if own:
        yield "Measured while it was made:\n"
        yield from _table(("figure", "value"), [(f"`{one.name}`", one.shown()) for one in own])
    for found in measured:
        yield f"Measured by `{found.command}` on **{found.dataset}** (`{found.digest}`), in {found.evaluation}:\n"
        yield from _table(("figure", "value"), [(f"`{one.name}`", one.shown()) for one in found.figures])
    every = [*own, *(one for found in measured for one in found.figures)]
    if any(one.interval for one in every):
        yield "In brackets: the interval in which the figure lies, as it was measured.\n"
    if any(one.interval is None for one in every):
        yield "A figure without brackets was measured once, and how far chance moves it is not known.\n"


def _use(model: Model) -> Iterator[str]:
    capability = model.capability
    if capability:
        yield f"It {ABILITIES[capability].does}. For what, and for whom, its makers meant it is not recorded.\n"
    else:
        yield "What it is meant for is not recorded.\n"


def _limits(model: Model, steps: Sequence[Step], measured: Sequence[Measured]) -> Iterator[str]:
    brief = model.brief()
    if brief.context:
        yield f"- It was made for inputs of at most {brief.context:,} tokens."
    datasets = [step for step in steps if step.record.kind == Dataset.kind]
    if datasets:
        names = ", ".join(f"{step.label} ({step.record.summary})" for step in datasets)
        has_base = any(step.record.command.startswith("model.") for step in steps)
        rest = "of anything else it knows what its base knew" if has_base else "it knows of nothing else"
        yield f"- What it learnt here, it learnt from {names}; {rest}."
    else:
        yield "- What it was trained on is not recorded, and so not what it is blind to."
    if not measured:
        yield "- No evaluation on data that had no part in making it is recorded."
    yield "- Bias, safety and behaviour under attack: nothing is recorded, and nothing should be assumed."
    if isinstance(model, Adapter):
        yield f"- It is nothing without its base, {brief.base}."
    yield ""


def _program(model: Model) -> Iterator[str]:
    lines = python_lines(model)
    if lines:
        yield "```python"
        yield from lines
        yield "```\n"
    else:
        yield "How to run it outside of aictl is not recorded.\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]] | Iterator[Sequence[str]]) -> Iterator[str]:
    yield _row(columns)
    yield "|" + "---|" * len(columns)
    yield from (_row(row) for row in rows)
    yield ""


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def _value(value: Any) -> str:
    if isinstance(value, Mapping | list):
        return f"`{json.dumps(value, ensure_ascii=False)}`"
    return str(value).lower() if isinstance(value, bool) else str(value)

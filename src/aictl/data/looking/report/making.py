"""The parts of the page that tell how a dataset came to be: what each step left, dropped and changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aictl.artifacts.dataset import Dataset
from aictl.data.looking.report.charts import Bar, Level, bars, waterfall
from aictl.data.looking.report.gathered import Cluster, Duplicates
from aictl.data.looking.report.markup import Child, Markup, element
from aictl.data.looking.report.pieces import (
    SHOWN_CHARACTERS,
    Part,
    card,
    counted,
    named,
    opened_by,
    paragraph,
    side_by_side,
    table,
    text_box,
)

Examples = Mapping[str, Sequence[Mapping[str, str]]]
PAIRS = 6  # that are seen at once
NEAR = "near-duplicates"  # the step whose examples are pairs of documents


def reduction(dataset: Dataset) -> Part | None:
    """What was left after each step, of the documents and of their text; the options, and what it was made of."""
    steps = steps_of(dataset)
    if not steps:
        return None
    counts = dataset.metrics.get("documents", {})
    read = int(counts.get("in", steps[0]["documents"]))
    documents = [Level("read", read, read), *_levels(steps, "documents", read)]
    first = int(steps[0]["characters"])  # what could not be read has no characters that could be counted
    characters = [Level(steps[0]["step"], first, first), *_levels(steps[1:], "characters", first)]
    files = dataset.metrics.get("files", {})
    left_out = int(files.get("left_out", 0))
    said = f"{counted(int(files.get('read', 0)), 'file')} were read" if files else ""
    said += f", and {counted(left_out, 'file')} left out that hold no such documents" if left_out else ""
    return Part(
        "reduction",
        "How it came to be",
        [
            paragraph(said + "." if said else "Each step takes what the one before has left."),
            element("h3", "Documents after each step"),
            waterfall(documents, "documents after each step"),
            element("h3", "Characters after each step"),
            waterfall(characters, "characters after each step"),
            *_made_with(dataset),
        ],
    )


def steps_of(dataset: Dataset) -> Sequence[Mapping[str, Any]]:
    steps = dataset.metrics.get("steps")
    return steps if isinstance(steps, list | tuple) else ()


def _levels(steps: Sequence[Mapping[str, Any]], name: str, first: int) -> Iterator[Level]:
    before = first
    for step in steps:
        yield Level(str(step["step"]), int(step[name]), before)
        before = int(step[name])


def _made_with(dataset: Dataset) -> Iterator[Markup]:
    if not dataset.record:
        return
    rows = [[name, element("code", named(value))] for name, value in _flat(dataset.record.spec, "")]
    yield opened_by("Options", f"of aictl {dataset.record.command.replace('.', ' ')}", table(["option", "value"], rows))
    inputs = [
        [row.role, named(row.name or row.uri or row.kind), element("code", row.id[:16])]
        for row in dataset.record.inputs
    ]
    if inputs:
        yield opened_by("Made of", counted(len(inputs), "input"), table(["as", "what", "id"], inputs))


def _flat(spec: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for name, value in spec.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{name}.")
        else:
            yield path + name, ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def drops(dataset: Dataset, examples: Examples) -> Part | None:
    """Why documents were dropped, step by step, with the first of each reason."""
    children: list[Child] = []
    for step in steps_of(dataset):
        dropped = {str(reason): int(count) for reason, count in step["dropped"].items() if count}
        if not dropped:
            continue
        rows = sorted(dropped.items(), key=lambda row: -row[1])
        total = sum(dropped.values())
        children.append(element("h3", f"{step['step']}: {counted(total, 'document')}"))
        if len(rows) > 1:
            shown_rows = [Bar(name, count, f"{count:,}") for name, count in rows]
            children.append(bars(shown_rows, f"documents dropped by {step['step']}"))
        for reason, count in rows:
            shown = [one for one in examples.get(step["step"], ()) if one.get("reason") == reason]
            if shown and step["step"] != NEAR:
                boxes = [card(one.get("source", ""), "", text_box(one.get("text", ""))) for one in shown]
                children.append(opened_by(reason, f"{counted(len(shown), 'example')} of {count:,}", *boxes))
    if not children:
        return None
    said = paragraph("A document is dropped by the first rule that it breaks. Of each, the first examples are kept.")
    return Part("dropped", "What was dropped, and why", [said, *children])


def changes(dataset: Dataset, examples: Examples) -> Part | None:
    """What steps changed in documents that stay: characters that were cleaned, personal data that was taken out."""
    rows: list[list[Child]] = []
    details: list[Child] = []
    for step in steps_of(dataset):
        changed = {str(reason): int(count) for reason, count in step["changed"].items() if count}
        rows += [[step["step"], reason.replace("_", " "), f"{count:,}"] for reason, count in changed.items()]
        shown = [one for one in examples.get(step["step"], ()) if "became" in one and step["step"] != NEAR]
        pairs = [
            side_by_side((one.get("source", ""), one.get("text", "")), ("became", one["became"]), one.get("reason", ""))
            for one in shown
        ]
        if pairs:
            details.append(opened_by(step["step"], counted(len(pairs), "example"), *pairs))
    if not rows:
        return None
    said = paragraph("Documents that were changed and kept, by what was changed; one may count for several.")
    return Part("changed", "What was changed", [said, table(["step", "what", "documents"], rows), *details])


def unread(dataset: Dataset, rejected: Sequence[Mapping[str, str]]) -> Part | None:
    """What could not be read, by the reason."""
    reasons = dataset.metrics.get("rejected", {})
    if not reasons and not rejected:
        return None
    total = sum(map(int, reasons.values())) if reasons else len(rejected)
    chart = [
        Bar(str(name), int(count), f"{count:,}") for name, count in sorted(reasons.items(), key=lambda row: -row[1])
    ]
    rows = [[named(one["source"]), named(one["reason"])] for one in rejected]
    more = f"the first {len(rows)} of {total:,}" if total > len(rows) else counted(total, "document")
    return Part(
        "unread",
        "What could not be read",
        [
            bars(chart, "documents that could not be read, by the reason") if chart else None,
            opened_by("Where, and why", more, table(["document", "reason"], rows)) if rows else None,
        ],
    )


def repeats(found: Duplicates | None, examples: Examples) -> Part | None:
    """Documents that say the same, or nearly: how many at a time, the largest clusters, and pairs side by side."""
    if not found:
        return None
    children: list[Child] = [
        paragraph(
            f"{counted(found.dropped, 'document')} were dropped because another one says the same or nearly the same; "
            "of each cluster the first was kept."
        ),
        element("h3", "Clusters by their size"),
        bars([Bar(name, count, f"{count:,}") for name, count in found.sizes], "clusters by their size"),
        element("h3", "The largest clusters"),
    ]
    children += map(_cluster, found.largest)
    pairs = [
        side_by_side(
            (row["source"], row.get("text", "")), (_like(row.get("reason", "")), row["became"]), row.get("reason", "")
        )
        for row in examples.get(NEAR, ())
        if "became" in row and "source" in row
    ]
    if pairs:
        children += [element("h3", "Near-duplicates side by side")]
        children += [
            paragraph(f"The beginning of both, {SHOWN_CHARACTERS} characters at most; the left one was dropped.")
        ]
        children += pairs[:PAIRS]
        more = pairs[PAIRS:]
        children += [opened_by("More of them", counted(len(more), "pair"), *more)] if more else []
    return Part("duplicates", "Duplicates", children)


def _cluster(one: Cluster) -> Markup:
    """A document that was kept, and beside it those that were dropped for it."""
    members = [element("li", named(member.source), f" · {member.similarity:.0%}") for member in one.members]
    more = one.dropped - len(members)
    dropped = [element("ol", members), element("p", f"and {more:,} more") if more else None]
    text = text_box(one.text) if one.text is not None else paragraph("Its text is not in the dataset.")
    columns = element("div", text, element("div", dropped, class_="members"), class_="pair wide")
    return card(one.kept, f"kept; {counted(one.dropped, 'document')} like it dropped", columns)


def _like(reason: str) -> str:
    """The source in ``96% like SOURCE``."""
    return reason.partition(" like ")[2] or "like"

"""The part of the page on documents that say what another says."""

from __future__ import annotations

from aictl.data.looking.report.gathered import Cluster, Duplicates
from aictl.data.looking.report.making import NEAR, Examples
from aictl.pages.charts import Bar, bars
from aictl.pages.markup import Child, Markup, element
from aictl.pages.pieces import (
    SHOWN_CHARACTERS,
    Part,
    card,
    counted,
    named,
    opened_by,
    paragraph,
    side_by_side,
    text_box,
)

PAIRS = 6  # that are seen at once


def repeats(found: Duplicates | None, examples: Examples) -> Part | None:
    """Documents that say the same, or nearly: how many at a time, the largest clusters, and pairs side by side."""
    if not found:
        return None
    children: list[Child] = [
        paragraph(
            f"Dropped because another one says the same or nearly the same: {counted(found.dropped, 'document')}. "
            "Of each cluster the first was kept."
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

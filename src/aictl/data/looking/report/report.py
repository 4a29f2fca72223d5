"""A page about a dataset, made of its record, of what lies beside its documents, and of the documents themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aictl.artifacts.dataset import Dataset
from aictl.artifacts.page import Page
from aictl.core.answer import Item
from aictl.core.events import Events
from aictl.data.looking.report import duplicates, gathered, making, measured, pictures
from aictl.data.looking.sample import sample
from aictl.data.looking.shards import require_looked_at
from aictl.data.looking.spec import ReportSpec, SampleSpec
from aictl.data.looking.stats.measuring import measure
from aictl.data.looking.stats.pictures import facts as pictures_facts
from aictl.data.looking.stats.pictures import measure as measure_pictures
from aictl.data.looking.stats.stats import facts as facts_of
from aictl.data.looking.told import read_of
from aictl.pages.markup import Markup, document, element, joined, style
from aictl.pages.pieces import Part, named, section

_CALLED = {"chat": "conversations", "image": "pictures", "pair": "pairs", "preference": "preferences"}
ROWS = 15  # of what is most frequent


def report(dataset: Dataset, spec: ReportSpec, folder: Path, events: Events) -> Page:
    """Write the page into ``folder``. Raises :class:`Damaged` for a dataset of which something is not as it was made,
    and :class:`WrongKind` for one of a format that is not looked at."""
    require_looked_at(dataset, "data report", pictures=True)
    if dataset.format == "image":
        return _written(dataset, folder, *_of_pictures(dataset, spec, events))
    facts = facts_of(dataset, measure(dataset, events, spec.workers), ROWS)
    examples = gathered.examples(dataset)
    parts = [
        making.reduction(dataset),
        measured.splits(facts),
        measured.lengths(facts),
        measured.scripts(facts),
        measured.speakers(facts),
        measured.sources(facts),
        measured.words(facts),
        duplicates.repeats(gathered.duplicates(dataset), examples),
        making.drops(dataset, examples),
        making.changes(dataset, examples),
        making.finds(dataset),
        making.unread(dataset, gathered.rejected(dataset)),
        measured.documents(_drawn(dataset, spec)),
    ]
    return _written(dataset, folder, parts, measured.figures(facts, read_of(dataset)))


def _of_pictures(dataset: Dataset, spec: ReportSpec, events: Events) -> tuple[list[Part | None], Markup]:
    facts = pictures_facts(dataset, measure_pictures(dataset, events), ROWS)
    examples = gathered.examples(dataset)
    split = _shown_split(dataset)
    parts = [
        making.reduction(dataset),
        *pictures.parts_of(facts),
        duplicates.repeats(gathered.duplicates(dataset), examples),
        making.drops(dataset, examples),
        making.unread(dataset, gathered.rejected(dataset)),
        pictures.drawn(dataset, split, spec.documents, spec.seed) if split and spec.documents else None,
    ]
    return parts, pictures.figures(facts, read_of(dataset))


def _written(dataset: Dataset, folder: Path, parts: Sequence[Part | None], figures: Markup) -> Page:
    text = _page(dataset, [part for part in parts if part], figures)
    page = Page(folder)
    size = page.page_path.write_bytes(text.encode("utf-8"))
    return Page(folder, metrics={"size_bytes": size}, summary=f"about dataset '{dataset.label}', {size // 1000:,} kB")


def _shown_split(dataset: Dataset) -> str | None:
    """The train split, or the first one if there is none of that name."""
    return "train" if "train" in dataset.splits else next(iter(dataset.splits), None)


def _drawn(dataset: Dataset, spec: ReportSpec) -> list[Item]:
    split = _shown_split(dataset)
    if split is None or not spec.documents:
        return []
    return list(sample(dataset, SampleSpec(count=spec.documents, split=split, seed=spec.seed)).items)


def _page(dataset: Dataset, parts: list[Part], figures: Markup) -> Markup:
    what = _CALLED.get(dataset.format, "documents")
    counts = ", ".join(f"{count:,} {split}" for split, count in dataset.splits.items()) or "no"
    header = element(
        "header",
        element("p", f"Dataset of {what}", class_="eyebrow"),
        element("h1", named(dataset.label)),
        element("p", f"{counts} {what}.", class_="lede"),
        figures,
    )
    links = [element("a", part.title, href=f"#{part.name}") for part in parts]
    nav = element("nav", element("div", links), aria_label="sections")
    made = f"aictl data report of dataset {dataset.label}"
    made += f", id {dataset.record.id}, made in {dataset.record.seconds:,.0f} s" if dataset.record else ""
    footer = element("footer", f"{made}. Nothing on this page is loaded from elsewhere.")
    return document(
        f"{dataset.label} · dataset", style(), header, nav, element("main", joined(map(section, parts))), footer
    )

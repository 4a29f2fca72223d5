"""A page about a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aictl.artifacts.comparison import PAGE, PHASES, milliseconds, table, throughputs
from aictl.artifacts.quantity import size
from aictl.pages.charts import Bar, bars
from aictl.pages.markup import document, element, joined, style
from aictl.pages.pieces import Part, counted, named, paragraph, section
from aictl.pages.pieces import table as drawn

_MICRO = 1e6  # bars have whole lengths


def write_page(folder: Path, facts: Mapping[str, Any]) -> None:
    """``facts`` are those of the comparison."""
    models = facts["models"]
    parts = [Part("figures", "Figures", [drawn(*table(facts), "figures")])]
    for phase in models[0]["latency"]:
        rows = [
            Bar(one["label"], round(_MICRO * one["latency"][phase]["p50"]), milliseconds(one["latency"][phase]["p50"]))
            for one in models
        ]
        title = f"Time of a {PHASES[phase]}, median"
        parts.append(Part(phase, title, [bars(rows, title)]))
    at_once = [paragraph("What is done in a second, by how much is asked at once.")]
    parts.append(Part("at-once", "At once", [*at_once, drawn(*throughputs(facts), "figures")]))
    rows = [Bar(one["label"], one["size_bytes"], size(one["size_bytes"])) for one in models]
    parts.append(Part("size", "Size of the weights", [bars(rows, "size of the weights")]))
    threads = counted(facts["threads"], "thread") if facts["threads"] else "as many threads as the runtime takes"
    header = element(
        "header",
        element("p", f"{len(models)} models: {facts['task']}", class_="eyebrow"),
        element("h1", joined([named(one["label"]) if not at else joined([" · ", named(one["label"])])
                              for at, one in enumerate(models)])),
        element("p", f"On {facts['device']}, {threads}, {facts['rounds']} rounds in turn, on texts or pictures of "
                "dataset ", named(facts["dataset"]), ".", class_="lede"),
    )  # fmt: skip
    foot = element("footer", "Each model ran in a process of its own. Nothing on this page is loaded from elsewhere.")
    page = document("Comparison", style(), header, element("main", joined(map(section, parts))), foot)
    (folder / PAGE).write_bytes(page.encode("utf-8"))

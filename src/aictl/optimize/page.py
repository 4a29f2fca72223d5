"""A page about a candidate beside its parent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aictl.artifacts.model import WEIGHED
from aictl.artifacts.quantity import size
from aictl.pages.charts import Bar, bars
from aictl.pages.markup import document, element, joined, style
from aictl.pages.pieces import Part, named, paragraph, section, table, with_article

_NAMED = {
    "size_bytes": "size of the weights",
    "pass_cpu_s": "CPU time of a pass",
    "decode_tokens_per_s": "tokens decoded a CPU second",
    "prefill_tokens_per_s": "tokens read a CPU second",
}
_SCALE = 10_000  # bars have whole lengths


def write_page(folder: Path, parent: str, task: str, metrics: Mapping[str, Any]) -> None:
    """``metrics`` are those of :func:`aictl.optimize.gate.weigh`."""
    quality, speed = metrics["quality"], metrics["speedup"]
    around = "" if quality["low"] is None else f"{quality['low']:+.2%} to {quality['high']:+.2%}"
    share = metrics["candidate"]["size_bytes"] / metrics["parent"]["size_bytes"]
    head = {
        "loss of quality": (f"{metrics['quality_loss']:+.2%}", around),
        "times as fast": (f"{speed['ratio']:.2f}", f"{speed['low']:.2f} to {speed['high']:.2f}"),
        "share of the size": (f"{share:.3f}", ""),
    }
    parts = [_figures(metrics), _sizes(metrics), _outputs(metrics)]
    body = element("main", joined(map(section, parts)))
    header = element(
        "header",
        element("p", f"{with_article(task)} made smaller or faster", class_="eyebrow"),
        element("h1", "beside ", named(parent)),
        element(
            "p",
            f"{quality['documents']:,} documents of dataset ",
            named(quality["dataset"]),
            f", split {quality['split']}. Intervals are of 95% confidence.",
            class_="lede",
        ),
        element("dl", [element("div", element("dt", name), element("dd", said, element("small", more)))
                       for name, (said, more) in head.items()], class_="facts"),
    )  # fmt: skip
    foot = element(
        "footer", "Both were measured in one run, on one thread. Nothing on this page is loaded from elsewhere."
    )
    page = document(f"beside {parent}", style(), header, body, foot)
    (folder / WEIGHED).write_bytes(page.encode("utf-8"))


def _figures(metrics: Mapping[str, Any]) -> Part:
    names = [name for name in metrics["parent"] if name in metrics["candidate"]]
    rows = [
        [_NAMED.get(name, name), *(_said(name, metrics[who][name]) for who in ("parent", "candidate"))]
        for name in names
    ]
    return Part("figures", "Figures", [table(("", "parent", "candidate"), rows, "figures")])


def _sizes(metrics: Mapping[str, Any]) -> Part:
    """How long the bars are is what the eye takes in first."""
    speed = metrics["speedup"]["ratio"]
    both = [(who, metrics[who]["size_bytes"]) for who in ("parent", "candidate")]
    sizes = bars([Bar(who, value, size(value)) for who, value in both], "size of the weights")
    times = bars(
        [
            Bar("parent", _SCALE, "1"),
            Bar("candidate", round(_SCALE / speed), f"{1 / speed:.3g}"),
        ],
        "CPU time beside the parent's",
    )
    return Part("sizes", "Size and time", [sizes, paragraph("CPU time beside the parent's:"), times])


def _outputs(metrics: Mapping[str, Any]) -> Part:
    outputs = metrics["outputs"]
    if "worst_likeness_difference" in outputs:
        said = (
            "The vectors of the two differ in width. How alike two inputs are, as the cosine between their vectors, "
            f"differs by at most {outputs['worst_likeness_difference']:.3g}."
        )
        return Part("outputs", "What comes out", [paragraph(said)])
    said = f"Of the same inputs, no number that comes out differs by more than {outputs['worst_difference']:.3g}; "
    if "same_choice" in outputs:
        said += f"in {outputs['same_choice']:.1%} of the cases both put the same choice first."
    else:
        said += f"the least cosine between two vectors is {outputs['least_cosine']:.4f}."
    return Part("outputs", "What comes out", [paragraph(said)])


def _said(name: str, value: float) -> str:
    if name == "size_bytes":
        return size(value)
    return f"{1e3 * value:.3g} ms" if name.endswith("_s") and "per" not in name else f"{value:.4g}"

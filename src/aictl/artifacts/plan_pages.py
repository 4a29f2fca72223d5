"""A plan as a person reads it, at most a hundred columns wide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aictl.core.answer import Section, Table

PART_NAMES = {
    "compute": "matrix products and attention",
    "memory": "element-wise kernels",
    "recomputation": "recomputation",
    "tensor": "tensor-parallel traffic",
    "expert": "expert-parallel traffic",
    "context": "context-parallel traffic",
    "gather": "gathering sharded weights",
    "pipeline": "sends between stages",
    "gradients": "exchange of gradients",
    "bubble": "pipeline bubble",
    "optimizer": "optimizer",
    "host": "launches and stragglers",
    "search_margin": "margin of a searched layout",
}
ELSEWHERE = "; those ran on accelerators of the catalogue, and none on this machine"

Values = Mapping[str, Any]


def training(values: Values) -> list[Section]:
    """The sections of the page of a plan for training or fine-tuning."""
    if not values["fits"]:
        return [*subject(values), *no_fit(values), *assumed(values)]
    return [
        *subject(values),
        _answer(values),
        _layout_section(values),
        _step(values),
        _memory(values),
        *_rest(values),
        *_scaling(values),
        *assumed(values),
        _trust(values),
        *explained(values),
    ]


def subject(values: Values) -> list[Section]:
    """What the plan is about: model, machine, work."""
    model, chip = values["model"], values["accelerator"]
    experts = f", {model['experts_per_token']} of {model['experts']} experts" if model["experts"] else ""
    active = f", {count(model['active_parameters'])} active" if model["experts"] else ""
    what = {
        "model": f"{count(model['parameters'])} parameters{active}: {model['layers']} layers, "
        f"hidden {model['hidden']}, "
        f"{model['heads']} heads on {model['key_value_heads']}, feed-forward {model['feed_forward']}{experts}",
        "from": model["origin"],
        "machine": f"{values['count']} x {chip['is']}" + (_links(chip) if values["count"] > 1 else ""),
    }
    if values["verb"] != "serve":
        what["work"] = (
            f"{count(values['tokens'])} tokens, {values['batch']:,} sequences of {values['sequence_length']:,} a step, "
            f"{values['precision']}, {values['optimizer']}"
        )
        what["software"] = values["software"]["level"]
    else:
        what["work"] = (
            f"{values['prompt_tokens']:,} tokens in, {values['output_tokens']:,} out, weights in {values['weights']}, "
            f"keys and values in {values['cache']}"
        )
    if "method" in values:
        rank = (
            f", rank {values['adapter_rank']}, {count(values['trained'])} trained" if "adapter_rank" in values else ""
        )
        what["method"] = values["method"] + rank
    return [Section(f"plan {values['verb']}", what)]


def _links(chip: Values) -> str:
    named = "network" if chip.get("network", "network") == "network" else f"network {chip['network']}"
    network = f"{named} {chip['network_bytes_per_s'] / 1e9:.3g} GB/s each"
    return f", {chip['per_node']} a node, {chip['link']} {chip['link_bytes_per_s'] / 1e9:.4g} GB/s, {network}"


def _answer(values: Values) -> Section:
    low, high = values["days_range"]
    found = {
        "time": f"{span(values['days'])} at {values['goodput']:.0%} goodput "
        f"(eight in ten published runs would take {span(low)} to {span(high)})",
        "accelerator hours": whole(values["accelerator_hours"]),
        "rate": f"{values['tokens_per_s']:,.0f} tokens/s, {values['tflops_per_accelerator']:.4g} TFLOP/s each, "
        f"MFU {values['mfu']:.1%}",
        "step": f"{seconds(values['step_s'])}",
    }
    if values["energy_kwh"] is not None:
        found["energy"] = f"{energy(values['energy_kwh'])}, the accelerators alone at their rated power"
    if values["cost"] is not None:
        found["cost"] = f"{values['cost']:,.0f}"
    return Section("best layout", found)


def _layout_section(values: Values) -> Section:
    layout = values["layout"]
    return Section("", {"layout": _words(layout), "per rank": _per_rank(layout, values["microbatches"])})


def _words(layout: Values) -> str:
    names = ("data", "tensor", "pipeline", "context", "expert")
    found = [f"{name} {layout[name + '_parallel']}" for name in names if layout[f"{name}_parallel"] > 1]
    return " x ".join(found) or "one accelerator"


def _per_rank(layout: Values, microbatches: int) -> str:
    words = [f"microbatch {layout['microbatch']} (x {microbatches})", f"recompute {layout['recompute']}"]
    if layout["interleave"] > 1:
        words.append(f"{layout['interleave']} stages interleaved")
    if layout["sharding"]:
        words.append(f"ZeRO {layout['sharding']}")
    if layout["sequence_parallel"]:
        words.append("sequence parallel")
    if layout["balanced_ends"]:
        words.append("embedding and head count as layers")
    return ", ".join(words)


def _step(values: Values) -> Section:
    whole = values["step_s"]
    rows = [
        (PART_NAMES.get(name, name), seconds(size), f"{size / whole:.1%}")
        for name, size in sorted(values["step_time_s"].items(), key=lambda one: -one[1])
        if size > 0
    ]
    return Section("time of a step", Table(("part", "time", "share"), rows))


def _memory(values: Values) -> Section:
    sizes = {name: size for name, size in values["memory_bytes"].items() if name != "total" and size}
    rows = [(name, gigabytes(size)) for name, size in sorted(sizes.items(), key=lambda one: -one[1])]
    rows.append(("in all", gigabytes(values["memory_bytes"]["total"])))
    rows.append(("of", gigabytes(values["accelerator"]["memory_bytes"])))
    return Section("memory of the fullest accelerator", Table(("part", "GB"), rows))


def _rest(values: Values) -> list[Section]:
    rows = []
    varies = any(one["count"] != values["count"] for one in values["layouts"])
    for place, one in enumerate([values, *values["layouts"]], 1):
        layout = one["layout"]
        size = one["memory_bytes"]
        rows.append(
            (
                place,
                *((one["count"],) if varies else ()),
                span(one["days"]),
                f"{one['mfu']:.1%}",
                gigabytes(size if isinstance(size, int | float) else size["total"]),
                layout["data_parallel"],
                layout["tensor_parallel"],
                layout["pipeline_parallel"],
                layout["context_parallel"] * layout["expert_parallel"],
                layout["interleave"],
                layout["sharding"],
                layout["microbatch"],
                layout["recompute"],
            )
        )
    if len(rows) < 2:
        return []
    columns = (
        "",
        *(("of",) if varies else ()),
        "time",
        "MFU",
        "GB",
        "data",
        "tensor",
        "pipe",
        "ctx·exp",
        "inter",
        "ZeRO",
        "micro",
        "recompute",
    )
    title = f"ranked, of {values['layouts_considered']:,} layouts"
    return [Section(title, Table(columns, rows, spare=("ctx·exp", "inter")))]


def _scaling(values: Values) -> list[Section]:
    if len(values["scaling"]) < 2:
        return []
    costly = values["cost"] is not None
    columns = ("accelerators", "time", "hours", "MFU", *(("cost",) if costly else ()))
    rows = [
        (
            one["count"],
            span(one["days"]),
            whole(one["accelerator_hours"]),
            f"{one['mfu']:.1%}",
            *((f"{one['cost']:,.0f}",) if costly else ()),
        )
        for one in values["scaling"]
    ]
    return [Section("with other numbers of accelerators", Table(columns, rows))]


def no_fit(values: Values) -> list[Section]:
    """Why nothing fits, and what would."""
    found = [Section("it does not fit", {"why": values["why"]})]
    if rows := [(one["what"], one["options"]) for one in values["changes"]]:
        found.append(Section("what would fit, the smallest change first", Table(("change", "options"), rows)))
    return found


def assumed(values: Values) -> list[Section]:
    """The guesses, where any were made."""
    return [Section("assumed", {"guesses": "; ".join(values["assumed"])})] if values["assumed"] else []


def _trust(values: Values) -> Section:
    error = values["error"]
    return Section(
        "how far to trust it",
        {
            "error": f"of {error['rows']} published runs that calibrated nothing the median error is "
            f"{error['median']:.1%} and the worst {error['worst']:.1%} (docs/benchmarks/planner.md)"
            + (ELSEWHERE if values["accelerator"]["name"] == "here" else "")
        },
    )


def explained(values: Values) -> list[Section]:
    """The formulas with their numbers, where they were asked for."""
    return [
        Section(f"{one['what']} = {one['value']}", {"formula": one["formula"], "numbers": one["numbers"]})
        for one in values.get("explained", ())
    ]


def count(number: float) -> str:
    """A large count as people say it: ``175B``."""
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.4g}{unit}"
    return f"{number:.4g}"


def whole(number: float) -> str:
    """A number with as many digits as matter, and no exponent."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def energy(kwh: float) -> str:
    """Energy in the unit that suits it."""
    return f"{kwh / 1e6:,.3g} GWh" if kwh >= 1e6 else f"{kwh / 1e3:,.3g} MWh" if kwh >= 1e3 else f"{kwh:.3g} kWh"


def span(days: float) -> str:
    """A time in the unit that suits it."""
    if days >= 2:
        return f"{days:,.3g} days" if days < 1000 else f"{days / 365.25:,.3g} years"
    hours = days * 24
    return f"{hours:.3g} hours" if hours >= 2 else f"{hours * 60:.3g} minutes"


def seconds(time_s: float) -> str:
    return (
        f"{time_s:.4g} s" if time_s >= 1 else f"{time_s * 1e3:.3g} ms" if time_s >= 1e-3 else f"{time_s * 1e6:.3g} us"
    )


def gigabytes(size: float) -> str:
    return f"{size / 1e9:.3g}" if size < 1e12 else f"{size / 1e9:,.0f}"

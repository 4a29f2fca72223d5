"""A plan for serving as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aictl.artifacts.plan_pages import ELSEWHERE, assumed, explained, gigabytes, no_fit, seconds, subject
from aictl.core.answer import Section, Table

Values = Mapping[str, Any]


def serving(values: Values) -> list[Section]:
    """The sections of the page of a plan for serving."""
    if not values["fits"]:
        return [*subject(values), *no_fit(values), *assumed(values)]
    return [
        *subject(values),
        _replica(values),
        _memory(values),
        _at_once(values),
        *_others(values),
        *assumed(values),
        _trust(values),
        *explained(values),
    ]


def _replica(values: Values) -> Section:
    t = values["tensor_parallel"]
    rate = values["load_requests_per_s"]
    found = {
        "accelerators": f"{t} in tensor parallel" if t > 1 else "1",
        "requests at once": f"{values['requests_at_once']:,} of {values['prompt_tokens']:,} + "
        f"{values['output_tokens']:,} tokens",
        "longest context": f"{values['longest_context']:,} tokens fit for one request" + _own_context(values),
        "first token": f"{seconds(values['first_token_s'])} after {values['prompt_tokens']:,} tokens, without a queue",
        "each more": f"{seconds(values['token_s'])}, where no prompt comes between",
        "a request": f"{seconds(values['request_s'])} from first to last with others' prompts between, "
        f"{values['tokens_per_s_per_request']:,.3g} tokens/s",
        "in all": f"{values['tokens_per_s']:,.0f} tokens/s, {values['requests_per_s']:,.3g} requests/s",
    }
    need = f"{values['replicas']:,}, on {values['accelerators_needed']:,}"
    if rate is not None:
        lacking = "" if values["enough"] else f" (there are {values['count']:,})"
        found["replicas"] = (
            f"{need} accelerators{lacking}, for {rate:g} requests/s at {values['utilisation']:.0%} of their throughput"
        )
    else:
        found["replicas"] = f"{need} of {values['count']:,} accelerators"
    if values["cost_per_million_tokens"] is not None:
        found["cost"] = (
            f"{values['cost_per_million_tokens']:,.3g} for a million tokens at {values['utilisation']:.0%} of the "
            f"throughput, {values['cost_per_hour']:,.4g} an hour"
        )
    if values["energy_kwh_per_million_tokens"] is not None:
        found["energy"] = f"{values['energy_kwh_per_million_tokens']:.3g} kWh for a million tokens"
    return Section("one replica", found)


def _own_context(values: Values) -> str:
    own = values["model"]["context"]
    return f"; the model was made for {own:,}" if own else ""


def _memory(values: Values) -> Section:
    names = {"weights": "weights", "cache": "keys and values", "reserved": "reserved", "total": "in all"}
    rows = [(names[name], gigabytes(values["memory_bytes"][name])) for name in names]
    rows.append(("of", gigabytes(values["accelerator"]["memory_bytes"])))
    title = (
        f"memory of each accelerator; a token's keys and values take {values['cache_bytes_per_token'] / 1e3:,.4g} kB"
    )
    return Section(title, Table(("part", "GB"), rows))


def _at_once(values: Values) -> Section:
    rows = [(one["requests"], seconds(one["token_s"]), f"{one['tokens_per_s']:,.0f}") for one in values["at_once"]]
    return Section("with fewer requests at once", Table(("requests", "each token", "tokens/s"), rows))


def _others(values: Values) -> list[Section]:
    rows = [
        (
            one["tensor_parallel"],
            one["requests_at_once"],
            seconds(one["first_token_s"]),
            seconds(one["token_s"]),
            f"{one['tokens_per_s']:,.0f}",
            f"{one['tokens_per_s_per_accelerator']:,.0f}",
        )
        for one in values["layouts"]
    ]
    columns = ("accelerators", "requests", "first token", "each more", "tokens/s", "each accelerator")
    return [Section("other replicas", Table(columns, rows))] if rows else []


def _trust(values: Values) -> Section:
    error = values["error"]
    return Section(
        "how far to trust it",
        {
            "error": f"of {error['rows']} published throughputs the median error is "
            f"{error['median']:.1%} and the worst {error['worst']:.1%}; "
            "engines tuned as TensorRT-LLM of 2025 are taken for granted (docs/benchmarks/planner.md)"
            + (ELSEWHERE if values["accelerator"]["name"] == "here" else "")
        },
    )

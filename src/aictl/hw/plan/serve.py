"""``hw plan serve``: what one replica holds and answers, and how many of them a load needs."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import Any

from aictl.artifacts.plan import Plan
from aictl.core.errors import BadRequest, MachineLacks
from aictl.core.events import Events
from aictl.hw.plan import document
from aictl.hw.plan.hardware import Hardware, hardware_of
from aictl.hw.plan.model import Model, model_of
from aictl.hw.plan.spec import ServeSpec
from aictl.planning import explain
from aictl.planning.advice import cure
from aictl.planning.catalogue import Accelerator, larger_than
from aictl.planning.constants import SERVED
from aictl.planning.search import divisors
from aictl.planning.serving import CACHE_SHARE, WEIGHT_BYTES, Service

LIGHTER = ("fp8", "int8", "int4")  # weights to try where a model does not fit, the widest first
AT_ONCE = (1, 4, 16, 64, 256)  # requests, beside as many as fit


def plan_serving(model: Any, machine: Any, spec: ServeSpec, folder: Path, *, events: Events) -> Plan:
    """Plan serving; the arguments are what ``hw plan serve`` was given."""
    found, hardware = model_of(model, spec.model), hardware_of(spec.hardware, machine)
    weights, cache = _formats(spec, hardware.accelerator, found.stored)
    replicas = [
        _service(found, hardware, t, weights, cache)._replace(decode_attention=spec.decode_attention)
        for t in _tensor(spec, found, hardware)
    ]
    context = spec.prompt_tokens + spec.output_tokens
    fitting = [one for one in replicas if one.requests_at_once(context) >= (spec.concurrency or 1)]
    values = {"verb": "serve", **_subject(found, hardware, spec, weights, cache), "fits": bool(fitting)}
    if not fitting:
        values |= _nothing_fits(found, hardware, spec, replicas, context)
        if spec.if_fits:
            raise MachineLacks(values["why"], cure=cure(values["changes"]))
        Plan.write(folder, values)
        return Plan(folder, metrics={"fits": False}, summary=values["why"])
    rows = sorted(
        (_replica(one, spec, hardware) for one in fitting), key=lambda row: -row["tokens_per_s_per_accelerator"]
    )
    values |= rows[0]
    values["layouts"] = rows[1:]
    best = next(one for one in fitting if one.tensor_parallel == rows[0]["tensor_parallel"])
    values["at_once"] = _at_once(best, spec)
    values["assumed"] = [*found.assumed, *hardware.assumed, *_beyond(found, context)]
    values["error"] = SERVED._asdict()
    if spec.explain:
        lines = explain.serving(best, rows[0]["requests_at_once"], spec.prompt_tokens, spec.output_tokens)
        values["explained"] = [line._asdict() for line in lines]
    Plan.write(folder, values)
    metrics = {
        name: values[name]
        for name in ("first_token_s", "token_s", "tokens_per_s", "requests_at_once", "longest_context", "replicas")
    }
    what = (
        f"{values['tokens_per_s']:,.0f} tokens/s from {values['tensor_parallel']} x {hardware.accelerator.name}, "
        f"{values['requests_at_once']} requests at once, first token in {values['first_token_s'] * 1e3:,.0f} ms"
    )
    return Plan(folder, metrics={"fits": True, **metrics}, summary=what)


def _formats(spec: ServeSpec, chip: Accelerator, stored: str | None) -> tuple[str, str]:
    """The number formats of weights, and of keys and values."""
    usual = next(one for one in ("bf16", "fp16", "fp32") if one in chip.formats)
    weights = (stored or usual) if spec.weights == "auto" else spec.weights
    if weights == "fp8" and "fp8" not in chip.formats:
        raise BadRequest(f"{chip.name} has no fp8", cure="give --weights int8 or int4")
    cache = spec.cache
    if cache == "auto":
        cache = "fp8" if weights == "fp8" else usual
    return weights, cache


def _beyond(model: Model, context: int) -> list[str]:
    """Requests longer than the model was made for are said to be."""
    own = model.shape.context
    return [f"a model that answers beyond its own {own:,} tokens"] if 0 < own < context else []


def _tensor(spec: ServeSpec, model: Model, hardware: Hardware) -> list[int]:
    """Accelerators of a replica worth trying."""
    if (asked := spec.tensor_parallel) is not None:
        if model.shape.heads % asked:
            raise BadRequest(f"{model.shape.heads} heads cannot be cut into {asked} equal parts")
        if asked > hardware.number:
            raise BadRequest(f"a replica of {asked} accelerators, and there are {hardware.number}")
        return [asked]
    most = min(hardware.number, hardware.accelerator.reach)
    return [n for n in divisors(model.shape.heads) if n <= most and n & (n - 1) == 0] or [1]


def _service(model: Model, hardware: Hardware, tensor_parallel: int, weights: str, cache: str) -> Service:
    own = weights == model.stored  # else it is converted first
    return Service.of(
        model.shape, hardware.accelerator, tensor_parallel, weights=weights, cache=cache,
        runtime="onnxruntime" if model.stored else "torch", stored_bytes=model.stored_bytes if own else None,
    )  # fmt: skip


def _replica(one: Service, spec: ServeSpec, hardware: Hardware) -> dict[str, Any]:
    """What one replica does, and how many of them the load needs."""
    prompt, output = spec.prompt_tokens, spec.output_tokens
    context = prompt + output
    requests = spec.concurrency or one.requests_at_once(context)
    rate = one.steady_tokens_per_s(requests, prompt, output)
    t, chip = one.tensor_parallel, hardware.accelerator
    replicas = hardware.number // t
    if spec.requests_per_s is not None:
        replicas = max(1, ceil(spec.requests_per_s * output / (rate * spec.utilisation)))
    price = spec.hardware.price_per_hour
    hourly = price * t if price is not None else None
    weights, cache = one.weights_total_bytes / t, requests * context * one.cache_bytes_per_token / t
    return {
        "tensor_parallel": t,
        "requests_at_once": requests,
        "longest_context": one.longest_context(),
        "first_token_s": one.first_token_s(prompt),
        "token_s": one.token_s(requests, prompt + output / 2),
        "tokens_per_s_per_request": rate / requests,
        "request_s": requests * output / rate,
        "tokens_per_s": rate,
        "tokens_per_s_per_accelerator": rate / t,
        "requests_per_s": rate / output,
        "replicas": replicas,
        "accelerators_needed": replicas * t,
        "enough": replicas * t <= hardware.number,
        "cache_bytes_per_token": one.cache_bytes_per_token,
        "memory_bytes": {
            "weights": round(weights),
            "cache": round(cache),
            "cache_free": round(max(0.0, one.cache_room_bytes / t - cache)),
            "reserved": round(one.reserved_bytes),
            "total": round(weights + cache + one.reserved_bytes),
        },
        "cost_per_million_tokens": hourly / (rate * spec.utilisation * 3600) * 1e6 if hourly is not None else None,
        "cost_per_hour": hourly * replicas if hourly is not None else None,
        "energy_kwh_per_million_tokens": chip.power_w * t / 3.6e6 / rate * 1e6 if chip.power_w else None,
    }


def _at_once(one: Service, spec: ServeSpec) -> list[dict[str, Any]]:
    """The same replica with fewer requests: faster for each, slower in all."""
    most = one.requests_at_once(spec.prompt_tokens + spec.output_tokens)
    context = spec.prompt_tokens + spec.output_tokens / 2
    return [
        {
            "requests": n,
            "token_s": one.token_s(n, context),
            "tokens_per_s": one.steady_tokens_per_s(n, spec.prompt_tokens, spec.output_tokens),
        }
        for n in sorted({*(n for n in AT_ONCE if n < most), most})
    ]


def _subject(model: Model, hardware: Hardware, spec: ServeSpec, weights: str, cache: str) -> dict[str, Any]:
    return {
        "model": document.of_model(model),
        "accelerator": document.of_accelerator(hardware.accelerator, weights),
        "count": hardware.number,
        "weights": weights,
        "cache": cache,
        "decode_attention": spec.decode_attention,
        "prompt_tokens": spec.prompt_tokens,
        "output_tokens": spec.output_tokens,
        "load_requests_per_s": spec.requests_per_s,
        "utilisation": spec.utilisation,
    }


def _nothing_fits(
    model: Model, hardware: Hardware, spec: ServeSpec, replicas: list[Service], context: int
) -> dict[str, Any]:
    """By how much the widest replica overflows, and what would help, the smallest change first."""
    widest, chip = replicas[-1], hardware.accelerator
    t, wanted = widest.tensor_parallel, spec.concurrency or 1
    usable = CACHE_SHARE * (chip.memory_bytes - widest.reserved_bytes)
    weights = widest.weights_total_bytes / t
    cache = wanted * context * widest.cache_bytes_per_token / t
    part = "weights" if weights > usable or weights > cache else "keys and values"
    why = (
        f"it fits on no replica of up to {t} x {chip.name}: weights {weights / 1e9:.3g} GB and "
        f"{wanted} request{'s' * (wanted != 1)} of {context:,} tokens {cache / 1e9:.3g} GB each, "
        f"{usable / 1e9:.3g} GB usable, {(weights + cache - usable) / 1e9:.3g} GB too much; most of it {part}"
    )
    changes = []

    def fits(one: Service) -> bool:
        return one.requests_at_once(context) >= wanted

    if wanted > 1 and (least := max(one.requests_at_once(context) for one in replicas)):
        changes.append({"what": f"{least} requests at once", "options": f"--concurrency {least}"})
    for lighter in LIGHTER:
        offered = lighter in chip.formats or lighter == "int4"
        format_of_cache = "fp8" if lighter == "fp8" else "fp16"
        narrower = WEIGHT_BYTES[lighter] < widest.weight_bytes
        if offered and narrower and fits(_service(model, hardware, t, lighter, format_of_cache)):
            changes.append({"what": f"weights in {lighter}", "options": f"--weights {lighter}"})
            break
    for more in (t * 2**power for power in range(1, 5)):
        if model.shape.heads % more == 0 and more <= chip.reach and fits(widest._replace(tensor_parallel=more)):
            changes.append({"what": f"{more} accelerators a replica", "options": f"--count {more}"})
            break
    for larger in larger_than(chip.memory_bytes):
        if "bf16" in larger.formats and fits(Service.of(model.shape, larger, min(t, larger.reach))):
            changes.append({"what": f"{larger.name} in place of {chip.name}", "options": f"--accelerator {larger.key}"})
            break
    return {"why": why, "changes": changes, "assumed": [*model.assumed, *hardware.assumed]}

"""``hw plan train`` and ``hw plan finetune``: layouts that fit, ranked, with what the best one costs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from aictl.artifacts.plan import Plan
from aictl.artifacts.plan_pages import span
from aictl.core.errors import MachineLacks
from aictl.core.events import Events
from aictl.hw.plan import chart, document
from aictl.hw.plan.hardware import hardware_of
from aictl.hw.plan.job import Job
from aictl.hw.plan.model import model_of
from aictl.hw.plan.recipe import recipe_of
from aictl.hw.plan.spec import FinetuneSpec, LayoutSpec, TrainSpec
from aictl.planning import advice, explain
from aictl.planning.constants import JUDGED
from aictl.planning.finetune import adapter_parameters, finetuning
from aictl.planning.layout import check
from aictl.planning.run import Run, whole_run
from aictl.planning.search import Candidate, Found, search

SCALES = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4)  # counts of accelerators beside the one that is asked for
TOKENS_PER_PARAMETER = 20  # https://arxiv.org/abs/2203.15556
FINETUNING_TOKENS = 10e6
FINETUNING_BATCH_TOKENS = 65_536  # a step


def plan_training(
    model: Any, machine: Any, spec: TrainSpec, folder: Path, *, events: Events, draws: bool = True
) -> Plan:
    """Plan pre-training; the arguments are what ``hw plan train`` was given, and whether to draw."""
    found = model_of(model, spec.model)
    hardware = hardware_of(spec.hardware, machine)
    recipe, guesses = recipe_of(spec.work, found.shape, hardware.accelerator, hardware.number)
    tokens = spec.tokens
    if tokens is None:
        tokens = float(f"{TOKENS_PER_PARAMETER * found.shape.active_parameters:.3g}")
        guesses.append(f"{tokens:.3g} tokens, {TOKENS_PER_PARAMETER} for each parameter")
    job = Job(
        model=found,
        hardware=hardware,
        recipe=recipe,
        tokens=tokens,
        fixed=_fixed(spec.layout),
        spec=spec,
        assumed=[*found.assumed, *hardware.assumed, *guesses],
        draws=draws,
    )
    return _plan("train", job, {}, folder, events)


def plan_finetuning(
    model: Any, machine: Any, spec: FinetuneSpec, folder: Path, *, events: Events, draws: bool = True
) -> Plan:
    """Plan fine-tuning; the arguments are what ``hw plan finetune`` was given, and whether to draw."""
    found = model_of(model, spec.model)
    hardware = hardware_of(spec.hardware, machine)
    length = spec.work.sequence_length or min(found.shape.context or 2048, 2048)
    work = spec.work.model_copy(update={"sequence_length": length})
    batch = max(1, FINETUNING_BATCH_TOKENS // length // hardware.number) * hardware.number
    recipe, guesses = recipe_of(work, found.shape, hardware.accelerator, hardware.number, batch=batch)
    if spec.work.sequence_length is None:
        guesses.append(f"sequences of {length:,} tokens")
    recipe = finetuning(found.shape, recipe, spec.method, spec.adapter_rank, chunked_loss=spec.chunked_loss)
    tokens = spec.tokens
    if tokens is None:
        tokens = FINETUNING_TOKENS
        guesses.append(f"{tokens:.3g} tokens")
    fixed = _fixed(spec.layout)
    if spec.method != "full":  # adapters are trained by data parallelism, sharded where the model is too large
        fixed = {"tensor_parallel": 1, "pipeline_parallel": 1, "context_parallel": 1} | fixed
    job = Job(
        model=found,
        hardware=hardware,
        recipe=recipe,
        tokens=tokens,
        fixed=fixed,
        spec=spec,
        assumed=[*found.assumed, *hardware.assumed, *guesses],
        draws=draws,
    )
    about: dict[str, Any] = {"method": spec.method}
    if spec.method != "full":
        about |= {"adapter_rank": spec.adapter_rank, "trained": adapter_parameters(found.shape, spec.adapter_rank)}
    return _plan("finetune", job, about, folder, events)


def _fixed(layout: LayoutSpec) -> dict[str, Any]:
    return {name: value for name, value in layout.model_dump().items() if value is not None}


def _plan(verb: str, job: Job, about: dict[str, Any], folder: Path, events: Events) -> Plan:
    chip, count = job.hardware.accelerator, job.hardware.number
    check(job.model.shape, job.fixed, count, job.recipe.batch)
    found = search(job.model.shape, job.recipe, chip, count, fixed=job.fixed, keep=job.spec.answer.show)
    values = {"verb": verb, **about, **document.subject(job), "fits": bool(found.fitting)}
    if not found.fitting:
        values |= document.nothing_fits(job, found)
        if job.spec.answer.if_fits:
            raise MachineLacks(values["why"], cure=advice.cure(values["changes"]))
        Plan.write(folder, values)
        return Plan(folder, metrics={"fits": False}, summary=values["why"])
    ranked, scaling = _ranked(job, found)
    best, run = ranked[0]
    values |= document.figures(job, best, run)
    values["layouts"] = [document.row(one, its) for one, its in ranked[1:]]
    values["layouts_considered"] = found.considered
    values["scaling"] = scaling
    values["assumed"] = job.assumed
    values["error"] = JUDGED._asdict()
    if job.spec.answer.explain:
        lines = explain.training(job.model.shape, job.recipe, best, chip, run=run, goodput=job.spec.work.goodput)
        values["explained"] = [line._asdict() for line in lines]
    Plan.write(folder, values)
    if job.draws:
        chart.draw(folder, values, events)
    metrics = {
        name: values[name]
        for name in ("days", "accelerator_hours", "mfu", "tflops_per_accelerator", "tokens_per_s", "step_s")
    }
    what = f"{span(values['days'])} on {best.layout.ranks} {chip.name}, MFU {100 * run.mfu:.0f} %, {best.layout.shown}"
    return Plan(folder, metrics={"fits": True, **metrics}, summary=what)


def _ranked(job: Job, found: Found) -> tuple[list[tuple[Candidate, Run]], list[dict[str, Any]]]:
    """Candidates with their runs, the best first, and what other numbers of accelerators would do."""
    run = _runner(job, found)
    ranked = [(one, run(one)) for one in found.fitting]
    scaling: list[dict[str, Any]] = []
    fewer: list[tuple[Candidate, Run]] = []
    whole = {"data_parallel", "tensor_parallel", "pipeline_parallel", "expert_parallel", "context_parallel"}
    alone = job.hardware.accelerator.key == "here"  # there are no others of it
    if not alone and (not whole & job.fixed.keys() or job.recipe.frozen):
        for count in sorted(
            {round(job.hardware.number * scale) for scale in SCALES if job.hardware.number * scale >= 1}
        ):
            other = found if count == job.hardware.number else _search(job, count)
            if other.fitting:
                one, its = other.fitting[0], run(other.fitting[0])
                scaling.append(document.scale(count, one, its))
                if count < job.hardware.number:
                    fewer.append((one, its))
    if job.spec.answer.rank == "cost":
        ranked = sorted([*ranked, *fewer], key=lambda pair: pair[1].accelerator_hours)[: job.spec.answer.show]
    return ranked, scaling


def _search(job: Job, count: int) -> Found:
    return search(job.model.shape, job.recipe, job.hardware.accelerator, count, fixed=job.fixed, keep=1)


def _runner(job: Job, found: Found) -> Callable[[Candidate], Run]:
    def run(one: Candidate) -> Run:
        return whole_run(
            job.model.shape, job.recipe, one, job.hardware.accelerator, tokens=job.tokens,
            goodput=job.spec.work.goodput, searched=found.considered > 1,
            price_per_hour=job.spec.hardware.price_per_hour,
        )  # fmt: skip

    return run

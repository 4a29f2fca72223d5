"""The parts of a plan's document: its subject, the best layout's figures, the others, and why nothing fits."""

from __future__ import annotations

from typing import Any

from aictl.hw.plan.job import Job
from aictl.hw.plan.model import Model
from aictl.planning import advice
from aictl.planning.catalogue import Accelerator
from aictl.planning.constants import JUDGED, SHIPPED
from aictl.planning.run import Run
from aictl.planning.search import Candidate, Found


def subject(job: Job) -> dict[str, Any]:
    """What the plan is about: model, machine, work."""
    recipe = job.recipe
    return {
        "model": of_model(job.model),
        "accelerator": of_accelerator(job.hardware.accelerator, recipe.precision),
        "count": job.hardware.number,
        "tokens": job.tokens,
        "sequence_length": recipe.sequence_length,
        "batch": recipe.batch,
        "precision": recipe.precision,
        "optimizer": recipe.optimizer,
        "software": {"attention": recipe.attention, "kernels": recipe.kernels, "level": recipe.level},
        "goodput": job.spec.work.goodput,
    }


def of_model(model: Model) -> dict[str, Any]:
    """A model's shape, where it is from, and its parameters by part."""
    shape = model.shape
    return {
        "origin": model.origin,
        **{name: value for name, value in shape._asdict().items() if name != "latent"},
        "parameters": shape.parameters.total,
        "active_parameters": shape.active_parameters,
        "parameters_by_part": shape.parameters._asdict(),
    }


def of_accelerator(chip: Accelerator, precision: str) -> dict[str, Any]:
    """What a plan knows of an accelerator. Its peak is null in a format that it does not multiply."""
    return {
        "name": chip.key,
        "is": chip.name,
        "peak_flops_per_s": chip.formats.get(precision),
        "memory_bytes": chip.memory_bytes,
        "memory_bytes_per_s": chip.memory_bytes_per_s,
        "matmul_fraction": chip.matmul_fraction,
        "matmul_fraction_how": chip.matmul_fraction_how,
        "link": chip.link.name,
        "link_bytes_per_s": chip.link.bytes_per_s,
        "network": chip.network.name,
        "network_bytes_per_s": chip.network.bytes_per_s,
        "per_node": chip.per_node,
        "sources": list(chip.sources),
    }


def figures(job: Job, one: Candidate, run: Run) -> dict[str, Any]:
    """The best layout's figures, as they stand at the top of the document."""
    chip = job.hardware.accelerator
    memory = {name: round(size) for name, size in one.memory._asdict().items()}
    parts = one.step._asdict()
    return {
        **run._asdict(),
        "days_range": [run.days * JUDGED.fast, run.days * JUDGED.slow],
        "count": one.layout.ranks,
        "layout": one.layout._asdict(),
        "microbatches": job.recipe.microbatches(one.layout),
        "memory_bytes": {**memory, "total": round(one.memory.total)},
        "memory_free_bytes": round(chip.memory_bytes - one.memory.total),
        "step_time_s": {**parts, "search_margin": run.step_s - one.step.total},
        "exposed_communication_s": one.step.communication,
    }


def row(one: Candidate, run: Run) -> dict[str, Any]:
    """Another layout's figures, in short."""
    return {
        "layout": one.layout._asdict(),
        "count": one.layout.ranks,
        **run._asdict(),
        "memory_bytes": round(one.memory.total),
        "bubble_s": one.step.bubble,
        "recomputation_s": one.step.recomputation,
        "exposed_communication_s": one.step.communication,
    }


def scale(count: int, one: Candidate, run: Run) -> dict[str, Any]:
    """What another number of accelerators would do."""
    return {
        "count": count,
        "days": run.days,
        "accelerator_hours": run.accelerator_hours,
        "mfu": run.mfu,
        "cost": run.cost,
        "layout": one.layout._asdict(),
    }


def nothing_fits(job: Job, found: Found) -> dict[str, Any]:
    """Which part overflows by how much, and what would help, the smallest change first."""
    chip, count = job.hardware.accelerator, job.hardware.number
    usable = SHIPPED.usable_memory * chip.memory_bytes
    tried = advice.changes(job.model.shape, job.recipe, chip, count, job.fixed)
    values: dict[str, Any] = {"changes": [one._asdict() for one in tried], "assumed": job.assumed}
    if found.tightest is None:
        return {
            **values,
            "why": f"no layout of {count:,} {chip.name} divides this model and a batch of {job.recipe.batch} sequences",
        }
    over = advice.overflow(found.tightest, usable)
    part = {"optimizer": "optimizer states", "gathered": "gathered weights"}.get(over.part, over.part)
    why = (
        f"it fits on no layout of {count:,} {chip.name}: the one that needs least takes "
        f"{over.needed_bytes / 1e9:.3g} GB each of {over.usable_bytes / 1e9:.3g} usable, "
        f"{over.over_bytes / 1e9:.3g} GB too much; {part} take {over.part_bytes / 1e9:.3g} GB of it"
    )
    return {
        **values,
        "why": why,
        "tightest": {
            "layout": found.tightest.layout._asdict(),
            "memory_bytes": {name: round(size) for name, size in found.tightest.memory._asdict().items()},
            **over._asdict(),
            "over_bytes": over.over_bytes,
        },
    }

"""The planner against published runs: predicts every row of ``published.toml`` and fits the constants
to the rows that calibrate.

    python -m tests.bench planner      writes docs/benchmarks/planner.md
    python -m tests.bench fit          refits the constants and prints them beside the shipped ones
"""

from __future__ import annotations

import math
import statistics
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from aictl.planning.catalogue import Accelerator, accelerator
from aictl.planning.constants import SHIPPED, Constants
from aictl.planning.layout import Layout, Recipe
from aictl.planning.memory import Memory, training_memory
from aictl.planning.search import cluster, interleavings, search
from aictl.planning.shape import Shape
from aictl.planning.step import step_time

PAGE = Path(__file__).with_name("published.toml")
IN_CATALOGUE = {"tpu-v3": False}
SLOWER_IS_MORE = ("iteration_s", "days", "accelerator_hours")

Row = Mapping[str, Any]


class Prediction(NamedTuple):
    """What the planner says of a published run, in that run's own measure."""

    row: Row
    value: float
    layout: Layout
    memory: Memory

    @property
    def error(self) -> float:
        """Of the time: above 0 the planner is slower than the publication."""
        published = self.row["value"]
        return self.value / published - 1 if self.row["metric"] in SLOWER_IS_MORE else published / self.value - 1


@cache
def published() -> dict[str, Any]:
    return tomllib.loads(PAGE.read_text("utf-8"))


def training_rows(role: str) -> Iterator[Row]:
    """The published training runs of one role, each with what it shares with others of its source."""
    for row in published()["training"]:
        whole = published()["defaults"].get(row.get("like"), {}) | row
        if whole["role"] == role and IN_CATALOGUE.get(whole["accelerator"], True):
            yield whole


def shape_of(row: Row) -> Shape:
    """The model of a row."""
    return Shape(
        layers=row["layers"],
        hidden=row["hidden"],
        heads=row["heads"],
        vocabulary=row["vocabulary"],
        key_value_heads=row.get("key_value_heads", row["heads"]),
        head_width=row.get("head_width", row["hidden"] // row["heads"]),
        feed_forward=row.get("feed_forward", 4 * row["hidden"]),
        gated=row.get("gated", False),
        parallel_block=row.get("parallel_block", False),
        experts=row.get("experts", 0),
        experts_per_token=row.get("experts_per_token", 0),
        shared_experts=row.get("shared_experts", 0),
        dense_layers=row.get("dense_layers", 0),
        dense_feed_forward=row.get("dense_feed_forward", 0),
    )


def recipe_of(row: Row) -> Recipe:
    """How a row's model was trained; dropout counts only where it is stated."""
    return Recipe(
        sequence_length=row["sequence_length"],
        batch=row["batch"],
        precision=row.get("precision", "bf16"),
        optimizer=row.get("optimizer", "adamw"),
        attention=row.get("attention", "flash2"),
        kernels=row.get("kernels", "fused"),
        dropout=row.get("dropout", False),
        overlap_gradients=row.get("overlap_gradients", True),
        overlap_tensor=row.get("overlap_tensor", False),
    )


def accelerator_of(row: Row) -> Accelerator:
    """A row's accelerator with the network that it had."""
    found = accelerator(row["accelerator"])
    if network := row.get("network_bytes_per_s"):
        found = found._replace(network=found.network._replace(bytes_per_s=network))
    if memory := row.get("memory_bytes_per_s"):
        found = found._replace(memory_bytes_per_s=memory)
    return found


FIELDS = (
    "data_parallel",
    "tensor_parallel",
    "pipeline_parallel",
    "context_parallel",
    "expert_parallel",
    "interleave",
    "sharding",
    "microbatch",
    "recompute",
    "sequence_parallel",
    "slices",
)
TOLD = {"tensor_parallel", "pipeline_parallel", "microbatch", "recompute"}  # a layout that is printed as far as matters


def predict(row: Row, constants: Constants = SHIPPED) -> Prediction:
    """What the planner says of one run. What its publication leaves open of the layout is searched."""
    shape, recipe, chip = shape_of(row), recipe_of(row), accelerator_of(row)
    machine = cluster(chip, recipe.precision, constants)
    fixed = {name: row[name] for name in FIELDS if name in row}
    fixed["balanced_ends"] = row.get("balanced_ends", False)
    if fixed.keys() >= TOLD:  # it ran, so whether it fits is not asked
        inner = row["tensor_parallel"] * row["pipeline_parallel"] * row.get("context_parallel", 1)
        layout = Layout(**({"data_parallel": row["count"] // inner} | fixed))
        if "interleave" not in fixed:
            stages = interleavings(shape.layers, layout.pipeline_parallel, balanced=layout.balanced_ends)
            several = [layout._replace(interleave=n) for n in stages]
            layout = min(several, key=lambda one: step_time(shape, recipe, one, machine).total)
    else:
        found = search(shape, recipe, chip, row["count"], fixed=fixed, keep=1, usable=1.0, constants=constants)
        layout = found.fitting[0].layout
    seconds = step_time(shape, recipe, layout, machine).total
    memory = training_memory(shape, recipe, layout, constants)
    return Prediction(row, _measure(row, shape, layout, machine.kernels.peak, seconds, constants), layout, memory)


def _measure(row: Row, shape: Shape, layout: Layout, peak: float, seconds: float, constants: Constants) -> float:
    """A step's time in the measure that a row is published in."""
    per_accelerator = row["batch"] * row["sequence_length"] / seconds / row["count"]  # tokens/s
    causal = row.get("counts_attention_causally", False)
    model = shape.flops_per_token(row["sequence_length"], causal=causal) * per_accelerator
    hardware = model
    if layout.recompute == "full":  # four passes for three, the head excepted: 2104.04473 equation 3
        hardware = model * 4 / 3 - 2 * shape.vocabulary * shape.hidden * per_accelerator
    match row["metric"]:
        case "tflops_hardware":
            return hardware / 1e12
        case "tflops_model":
            return model / 1e12
        case "mfu":
            return 100 * model / peak
        case "iteration_s":
            return seconds
        case "tokens_per_s_per_accelerator":
            return per_accelerator
        case "days":
            return row["tokens"] / per_accelerator / row["count"] / 86400
        case "accelerator_hours":
            return row["tokens"] / per_accelerator / 3600 / constants.goodput
    raise ValueError(row["metric"])


class Agreement(NamedTuple):
    """How well a set of predictions agrees with what was published."""

    rows: int
    median: float
    worst: float
    mean: float


def agreement(errors: list[float]) -> Agreement:
    sizes = [abs(one) for one in errors]
    return Agreement(len(errors), statistics.median(sizes), max(sizes), statistics.fmean(errors))


def fp8_rows() -> Iterator[Row]:
    """NeMo's measurements in fp8 on H100, held out whole: no constant was fitted to fp8."""
    table = published()["nemo_fp8"]
    for model, count, batch, microbatch, length, tensor, stages, context, interleave, rate, _ in table["rows"]:
        layers, hidden, heads, keys, wide, vocabulary, gated = table["shapes"][model]
        yield {
            "id": f"nemo-{model}-{count}",
            "layers": layers,
            "hidden": hidden,
            "heads": heads,
            "key_value_heads": keys,
            "feed_forward": wide,
            "vocabulary": vocabulary,
            "gated": gated,
            "sequence_length": length,
            "batch": batch,
            "precision": "fp8",
            "accelerator": "h100-80gb",
            "count": count,
            "tensor_parallel": tensor,
            "pipeline_parallel": stages,
            "context_parallel": context,
            "interleave": interleave,
            "microbatch": microbatch,
            "sharding": 1,
            "recompute": "none",
            "sequence_parallel": tensor > 1,
            "overlap_tensor": True,  # Transformer Engine's user buffers
            "metric": "tokens_per_s_per_accelerator",
            "value": rate,
            "source": table["source"],
        }


# The rows that calibrate


def mpt_rows() -> Iterator[Row]:
    """llm-foundry's measurements: fully sharded, eager kernels, Triton's attention of 2023."""
    table = published()["mpt"]
    for chip, model, length, count, microbatch, accumulated, full, mfu in table["rows"]:
        layers, hidden, heads = table["shapes"][model]
        yield {
            "id": f"mpt-{model}-{chip}-{length}-{count}",
            "model": model,
            "layers": layers,
            "hidden": hidden,
            "heads": heads,
            "vocabulary": table["vocabulary"],
            "sequence_length": length,
            "accelerator": chip,
            "count": count,
            "tensor_parallel": 1,
            "pipeline_parallel": 1,
            "sharding": 3,
            "attention": "flash1",
            "kernels": "eager",
            "microbatch": microbatch,
            "batch": microbatch * accumulated * count,
            "recompute": "full" if full else "none",
            "metric": "mfu",
            "value": mfu,
        }


def maxtext_rows() -> Iterator[Row]:
    """MaxText's measurements on TPU: fully sharded within a slice, everything recomputed."""
    for chip, layers, hidden, heads, width, inner, length, count, slices, microbatch, mfu in published()["maxtext"][
        "rows"
    ]:
        yield {
            "id": f"maxtext-22b-{chip}-{count}",
            "layers": layers,
            "hidden": hidden,
            "heads": heads,
            "head_width": width,
            "feed_forward": inner,
            "vocabulary": 32768,
            "sequence_length": length,
            "accelerator": chip,
            "count": count,
            "tensor_parallel": 1,
            "pipeline_parallel": 1,
            "sharding": 3,
            "microbatch": microbatch,
            "batch": microbatch * count,
            "recompute": "full",
            "attention": "unfused",
            "metric": "mfu",
            "value": mfu,
            "slices": slices,
        }


DEPTHS = (90.0, 130.0, 180.0, 260.0)  # where the descent starts: tile depth and eager traffic explain each other
FIRST = Constants()._replace(
    eager_traffic=1.5, flash1_ampere=0.6, flash1_hopper=0.5, sustained_hopper=0.9, matmul_tpu=0.9, contention=0.3,
    straggling=0.01,
)  # fmt: skip
AMPERE = ("eager_traffic", "gemm_depth", "flash1_ampere", "contention")
HOPPER = ("sustained_hopper", "flash1_hopper")
BOUNDS = {"sustained_hopper": 1.0, "matmul_tpu": 0.97}
OUTLIER = 0.25  # beyond so much a row says that something else was going on


def loss(rows: list[Row], constants: Constants) -> float:
    """Mean absolute logarithm of predicted over published, each bounded by :data:`OUTLIER`."""
    return statistics.fmean(min(OUTLIER, abs(math.log(predict(row, constants).value / row["value"]))) for row in rows)


def fit(first: Constants = FIRST) -> Constants:
    """The constants that fit the calibration rows best: coordinate descent from several starts, family
    by family, and then together with the cost of scale."""
    mpt = list(mpt_rows())
    found = min((_fit_from(first._replace(gemm_depth=depth)) for depth in DEPTHS), key=lambda one: loss(mpt, one))
    return found._replace(searched=searched_share(found))


def _fit_from(found: Constants) -> Constants:
    mpt, tpu = list(mpt_rows()), list(maxtext_rows())
    ampere = [row for row in mpt if row["accelerator"].startswith("a100")]
    hopper = [row for row in mpt if row["accelerator"].startswith("h100")]
    found = _descend(found, AMPERE, ampere, 6)
    found = _descend(found, HOPPER, hopper, 6)
    found = _descend(found, ("matmul_tpu",), tpu, 6)
    for _ in range(3):
        found = _descend(found, ("straggling",), ampere + hopper + tpu, 4)
        found = _descend(found, AMPERE, ampere, 6)
        found = _descend(found, HOPPER, hopper, 6)
        found = _descend(found, ("matmul_tpu",), tpu, 4)
    return found


def _descend(constants: Constants, names: tuple[str, ...], rows: list[Row], rounds: int) -> Constants:
    scale, best = 0.12, loss(rows, constants)
    for _ in range(rounds):
        for name in names:
            for factor in (1 + scale, 1 / (1 + scale)):
                while True:
                    value = min(getattr(constants, name) * factor, BOUNDS.get(name, math.inf))
                    trial = constants._replace(**{name: value})
                    now = loss(rows, trial)
                    if now >= best - 1e-6:
                        break
                    constants, best = trial, now
        scale *= 0.6
    return constants


def searched_share(constants: Constants) -> float:
    """What the authors of the calibration rows reached of the speed that the planner's own search
    promises for the same model, batch and machine: the median over the best row of each setting."""
    best: dict[tuple[Any, ...], Row] = {}
    for row in mpt_rows():
        setting = (row["accelerator"], row["model"], row["sequence_length"], row["count"])
        if setting not in best or row["value"] > best[setting]["value"]:
            best[setting] = row
    shares = []
    for row in best.values():
        chip, recipe, shape = accelerator_of(row), recipe_of(row), shape_of(row)
        found = search(shape, recipe, chip, row["count"], keep=1, constants=constants)
        if found.fitting:
            step = found.fitting[0].step.total
            peak = chip.formats["bf16"]
            per = row["batch"] * row["sequence_length"] / step / row["count"]
            shares.append(row["value"] / (100 * shape.flops_per_token(row["sequence_length"]) * per / peak))
    return min(1.0, statistics.median(shares))


def print_fit() -> None:
    """Print the fitted constants beside those that are shipped."""
    found = fit()
    for name in (*AMPERE, *HOPPER, "matmul_tpu", "straggling", "searched"):
        print(f"{name:18} {getattr(found, name):8.3g}   shipped {getattr(SHIPPED, name):g}")

"""The formulas with their numbers, a line each: what a person would check by hand."""

from __future__ import annotations

from typing import NamedTuple

from aictl.planning.catalogue import Accelerator
from aictl.planning.constants import SHIPPED
from aictl.planning.kernels import Kernels
from aictl.planning.layer import layer_time
from aictl.planning.layout import Layout, Recipe
from aictl.planning.memory import Memory, layers_in_flight, resident
from aictl.planning.run import Run
from aictl.planning.search import Candidate, cluster
from aictl.planning.serving import Service
from aictl.planning.shape import Shape
from aictl.planning.step import StepTime


class Line(NamedTuple):
    """One quantity: its name, its formula, the formula with the numbers in it, and what comes out."""

    what: str
    formula: str
    numbers: str
    value: str


def training(
    shape: Shape, recipe: Recipe, candidate: Candidate, accelerator: Accelerator, *, run: Run, goodput: float
) -> list[Line]:
    """A training run's arithmetic."""
    layout, step, memory = candidate
    s = shape
    kernels, fabric = cluster(accelerator, recipe.precision)
    parts = s.parameters
    one = layer_time(s, recipe, layout, kernels, fabric)
    microbatches = recipe.microbatches(layout)
    tokens = recipe.batch * recipe.sequence_length
    return [
        Line(
            "parameters",
            "layers · matrices of a layer + tables + norms",
            f"{s.layers} · {s.layer:,} + {parts.embedding + parts.positions + parts.head:,} + {parts.norms:,}",
            f"{parts.total:.4g}",
        ),
        Line(
            "FLOPs of a token",
            "6 · (layers · active matrices + vocabulary · hidden) + 12 · layers · query width · sequence",
            f"6 · ({s.layers} · {s.active_layer:,} + {s.vocabulary} · {s.hidden}) "
            f"+ 12 · {s.layers} · {s.query_width} · {recipe.sequence_length}",
            f"{s.flops_per_token(recipe.sequence_length):.4g}",
        ),
        _gemm_line(s, recipe, layout, kernels),
        Line(
            "one layer, one microbatch",
            "forward + backward + recomputed",
            f"{one.forward.total * 1e3:.3g} + {one.backward.total * 1e3:.3g} + {one.again * 1e3:.3g} ms",
            f"{one.total * 1e3:.4g} ms",
        ),
        Line(
            "microbatches",
            "batch / (data-parallel ranks · microbatch)",
            f"{recipe.batch} / ({layout.data_parallel} · {layout.microbatch})",
            f"{microbatches}",
        ),
        *_bubble_line(layout, step),
        Line(
            "step",
            "sum of its parts / share that searched layouts keep",
            f"{step.total:.4g} s / {step.total / run.step_s:.3g}",
            f"{run.step_s:.4g} s",
        ),
        Line(
            "tokens a second", "batch · sequence / step", f"{tokens:,} / {run.step_s:.4g} s", f"{run.tokens_per_s:,.0f}"
        ),
        Line(
            "MFU",
            "FLOPs of a token · tokens a second / (accelerators · peak)",
            f"{s.flops_per_token(recipe.sequence_length):.4g} · {run.tokens_per_s:.4g} "
            f"/ ({layout.ranks} · {kernels.peak:.4g})",
            f"{run.mfu:.3f}",
        ),
        Line(
            "days",
            "tokens / tokens a second / 86,400 / goodput",
            f"{run.days * 86400 * goodput * run.tokens_per_s:.4g} / {run.tokens_per_s:.4g} / 86,400 / {goodput}",
            f"{run.days:.4g}",
        ),
        *_memory_lines(s, recipe, layout, memory),
    ]


def _bubble_line(layout: Layout, step: StepTime) -> list[Line]:
    stages = layout.pipeline_parallel
    if stages == 1:
        return []
    stage = step.bubble * layout.interleave / (stages - 1)
    formula, numbers = "(stages - 1) / interleave · stage", f"({stages} - 1) / {layout.interleave} · {stage:.4g} s"
    return [Line("pipeline bubble", formula, numbers, f"{step.bubble:.4g} s")]


def _memory_lines(shape: Shape, recipe: Recipe, layout: Layout, memory: Memory) -> list[Line]:
    """Where the largest parts of the memory come from."""
    dense, experts = (count * recipe.trained_share for count in resident(shape, layout))
    layers, tokens = layers_in_flight(shape, recipe, layout), recipe.microbatch_tokens(layout)
    formula = "bytes of a parameter · trained parameters of a rank / ranks that share them"
    if experts:
        formula = (
            "bytes of a parameter · (all but experts / ranks that share it + a rank's experts / ranks with the same)"
        )
    lines = []
    for name, sharded_from in (("gradients", 2), ("optimizer", 1)):
        size = getattr(memory, name)
        ranks = layout.data_parallel if layout.sharding >= sharded_from else 1
        alike = ranks / layout.expert_parallel if ranks > 1 else 1  # ranks that have the same experts
        held = f"({dense:.4g} / {ranks} + {experts:.4g} / {alike:g})" if experts else f"{dense:.4g} / {ranks}"
        each = size / (dense / ranks + experts / alike)
        lines.append(Line(f"memory of {name}", formula, f"{each:.3g} · {held}", f"{size / 1e9:.3g} GB"))
    lines.append(
        Line(
            "memory of activations",
            "layers in flight · tokens of a microbatch · bytes of a token and layer",
            f"{layers:.4g} · {tokens:,.0f} · {memory.activations / layers / tokens:,.0f}",
            f"{memory.activations / 1e9:.3g} GB",
        )
    )
    return lines


def _gemm_line(shape: Shape, recipe: Recipe, layout: Layout, kernels: Kernels) -> Line:
    m, n, k = recipe.tokens(layout), shape.gates * shape.feed_forward / layout.tensor_parallel, shape.hidden
    if kernels.rates.products:
        return Line(
            "feed-forward product",
            "2 · rows · columns · depth / measured rate",
            f"2 · {m:.0f} · {n:.0f} · {k}",
            f"{kernels.product(m, n, k) * 1e3:.3g} ms",
        )
    depth = SHIPPED.gemm_depth
    return Line(
        "feed-forward product",
        "2 · padded rows · columns · depth / (sustained · depth / (depth + gemm_depth)), or its bytes",
        f"2 · {m:.0f} · {n:.0f} · {k} / ({kernels.sustained / 1e12:.4g}e12 · {k} / ({k} + {depth:g}))",
        f"{kernels.product(m, n, k) * 1e3:.3g} ms",
    )


def serving(service: Service, requests: int, prompt: int, output: int) -> list[Line]:
    """A replica's arithmetic."""
    s, t = service.shape, service.tensor_parallel
    context = prompt + output / 2
    kernels = service.kernels
    weights, reads = service.weights_total_bytes / t, service.reads_of_cache
    cache = requests * context * service.cache_bytes_per_token / t
    return [
        Line(
            "cache of a token",
            "2 · layers · key/value width · bytes" if not s.latent else "layers · (rank + rotary width) · bytes",
            f"2 · {s.layers} · {s.key_value_width} · {service.cache_bytes:g}" if not s.latent else f"{s.layers} layers",
            f"{service.cache_bytes_per_token:,.0f} B",
        ),
        Line(
            "room for the cache",
            "accelerators · 0.9 · (memory - reserved) - weights",
            f"{t} · 0.9 · ({service.accelerator.memory_bytes / 1e9:.4g} - {service.reserved_bytes / 1e9:.3g}) "
            f"- {service.weights_total_bytes / 1e9:.4g} GB",
            f"{service.cache_room_bytes / 1e9:.4g} GB",
        ),
        Line(
            "requests at once",
            "room / (cache of a token · tokens of a request)",
            f"{service.cache_room_bytes:.4g} / ({service.cache_bytes_per_token:,.0f} · {prompt + output})",
            f"{service.requests_at_once(prompt + output)}",
        ),
        Line(
            "reading weights and cache",
            "(weights + reads · requests · context · cache of a token) / accelerators / bandwidth",
            f"({weights / 1e9:.4g} + {reads:.3g} · {cache / 1e9:.4g}) GB / {kernels.bandwidth / 1e9:.4g} GB/s",
            f"{(weights + reads * cache) / kernels.bandwidth * 1e3:.3g} ms",
        ),
        Line(
            "one more token",
            "layers · (products + attention + element-wise + kernels' own time) + head",
            f"{requests} requests, {context:.0f} tokens each",
            f"{service.token_s(requests, context) * 1e3:.3g} ms",
        ),
    ]

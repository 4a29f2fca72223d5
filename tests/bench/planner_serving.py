"""The planner against published throughputs and first tokens of servers, and against published memory."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from aictl.planning.catalogue import accelerator
from aictl.planning.constants import SHIPPED, Constants
from aictl.planning.finetune import finetuning
from aictl.planning.layout import Layout, Recipe
from aictl.planning.memory import training_memory
from aictl.planning.serving import DecodeAttention, Service
from aictl.planning.shape import Shape
from tests.bench.planner import predict, published, training_rows

LLAMA_8B = Shape(32, 4096, 32, 128256, 8, 128, 14336, gated=True)
MODELS = {
    "gptj-6b": Shape(28, 4096, 16, 50400, 16, 256, 16384),
    "llama-7b": Shape(32, 4096, 32, 32000, 32, 128, 11008, gated=True),
    "llama-70b": Shape(80, 8192, 64, 32000, 8, 128, 28672, gated=True),
    "falcon-180b": Shape(80, 14848, 232, 65024, 8, 64, 59392),
    "llama-3.1-8b": LLAMA_8B,
    "llama-3.1-70b": Shape(80, 8192, 64, 128256, 8, 128, 28672, gated=True),
    "llama-3.3-70b": Shape(80, 8192, 64, 128256, 8, 128, 28672, gated=True),
    "llama-3.1-405b": Shape(126, 16384, 128, 128256, 8, 128, 53248, gated=True),
    "bigscience/bloomz-7b1": Shape(30, 4096, 32, 250880, 32, 128, 16384, tied=True),
    "llama-65b": Shape(80, 8192, 64, 32000, 64, 128, 22016, gated=True),
    "llama-33b": Shape(60, 6656, 52, 32000, 52, 128, 17920, gated=True),
}
EIGHT_BIT_CACHE = {"fp8": "fp8", "fp16": "fp16"}


class Served(NamedTuple):
    """One published figure beside ours; ``calibrates`` where it set a constant."""

    what: str
    published: float
    planned: float
    source: str
    calibrates: bool = False

    @property
    def error(self) -> float:
        """Of the time: above 0 the planner is slower than the publication."""
        return self.published / self.planned - 1


def saturated(constants: Constants = SHIPPED) -> Iterator[Served]:
    """TensorRT-LLM 1.0 with in-flight batching: output tokens/s, the batch being what the cache holds."""
    table = published()["serving"]["trtllm_v1"]
    for model, chip, t, prompt, output, rate in table["rows"]:
        service = _service(model, chip, t, "fp8", constants)
        requests = max(1, service.requests_at_once(prompt + output))
        planned = service.steady_tokens_per_s(requests, prompt, output)
        what = f"{model}, {t} x {chip}, fp8, {prompt} + {output} tokens"
        yield Served(what, rate, planned, table["source"])


def static_batches(constants: Constants = SHIPPED) -> Iterator[Served]:
    """TensorRT-LLM 0.6 with batches that start and end together: output tokens/s of an accelerator."""
    table = published()["serving"]["trtllm"]
    for chip, number, model, requests, t, prompt, output, rate in table["rows"]:
        service = _service(model, chip, t, number, constants, "repeated")
        planned = service.batch_tokens_per_s(requests, prompt, output) / t
        what = f"{model}, {t} x {chip}, {number}, batch {requests}, {prompt} + {output} tokens"
        yield Served(what, rate, planned, table["source"])


def earlier_batches(constants: Constants = SHIPPED) -> Iterator[Served]:
    """TensorRT-LLM 0.5 likewise: output tokens/s of all accelerators. Its rows of grouped-query models calibrate."""
    table = published()["serving"]["trtllm_05"]
    for chip, number, model, requests, t, prompt, output, rate in table["rows"]:
        service = _service(model, chip, t, number, constants, "repeated")
        planned = service.batch_tokens_per_s(requests, prompt, output)
        what = f"{model}, {t} x {chip}, {number}, batch {requests}, {prompt} + {output} tokens"
        grouped = MODELS[model].key_value_heads < MODELS[model].heads
        yield Served(what, rate, planned, table["source"], calibrates=grouped)


def first_tokens(constants: Constants = SHIPPED) -> Iterator[Served]:
    """TensorRT-LLM 0.5, one request: first tokens a second. The short prompts on L40S calibrate."""
    table = published()["serving"]["trtllm_first_token"]
    source = published()["serving"]["trtllm_05"]["source"]
    for chip, number, model, t, prompt, first_ms in table["rows"]:
        planned = 1 / _service(model, chip, t, number, constants).first_token_s(prompt)
        what = f"{model}, {t} x {chip}, {number}, {prompt} tokens"
        yield Served(what, 1e3 / first_ms, planned, source, calibrates=chip == "l40s" and prompt == 128)


def single_stream(constants: Constants = SHIPPED) -> Iterator[Served]:
    """gpt-fast, one request: tokens/s."""
    table = published()["serving"]["gpt_fast"]
    formats = {16: "bf16", 8: "int8", 4: "int4"}
    for model, bits, t, rate in table["rows"]:
        service = Service.of(MODELS[model], accelerator("a100-80gb"), t, weights=formats[bits], constants=constants)
        calibrates = model == "llama-7b" and bits == 16
        planned = 1 / service.token_s(1, 100)
        yield Served(f"{model}, {bits} bits, {t} x a100-80gb", rate, planned, table["source"], calibrates)


def _service(
    model: str,
    chip: str,
    tensor_parallel: int,
    number: str,
    constants: Constants,
    decode_attention: DecodeAttention = "grouped",
) -> Service:
    return Service.of(
        MODELS[model],
        accelerator(chip),
        tensor_parallel,
        weights=number,
        cache=EIGHT_BIT_CACHE[number],
        decode_attention=decode_attention,
        constants=constants,
    )


# What calibrates which constants: each group is fitted to its rows, in this order.
FITS: tuple[tuple[tuple[str, ...], Callable[[Constants], Iterator[Served]], str], ...] = (
    (("decode_layer_s", "decode_all_reduce_s"), single_stream, ""),
    (("prompt_layer_s",), first_tokens, ""),
    (("repeated_reads",), earlier_batches, "a100"),
    (("repeated_reads_fp8",), earlier_batches, "h100"),
)


def fit_serving(first: Constants = SHIPPED) -> Constants:
    """The constants of serving that fit their calibrating rows best, by least squares of the errors in time."""
    for names, rows, chip in FITS:
        first = _fit(first, names, lambda constants, of=rows, on=chip: [row for row in of(constants) if on in row.what])
    return first


def _fit(first: Constants, names: tuple[str, ...], rows: Callable[[Constants], list[Served]]) -> Constants:
    def loss(constants: Constants) -> float:
        return statistics.fmean(row.error**2 for row in rows(constants) if row.calibrates)

    found, best, scale = first, loss(first), 0.1
    for _ in range(12):
        for name in names:
            for factor in (1 + scale, 1 / (1 + scale)):
                trial = found._replace(**{name: getattr(found, name) * factor})
                while (now := loss(trial)) < best - 1e-9:
                    found, best = trial, now
                    trial = found._replace(**{name: getattr(found, name) * factor})
        scale *= 0.7
    return found


def print_fit() -> None:
    """Print the fitted constants of serving beside those that are shipped."""
    found = fit_serving()
    for name in (name for names, _, _ in FITS for name in names):
        print(f"{name:18} {getattr(found, name):8.3g}   shipped {getattr(SHIPPED, name):g}")


# Memory


def pretraining_memory() -> Iterator[Served]:
    """Memory of the fullest accelerator where a training run's is published, in GB."""
    for role in ("judge", "report"):
        for row in training_rows(role):
            gigabytes = row.get("memory_gb") or row.get("memory_gib", 0) * 2**30 / 1e9
            if gigabytes:
                yield Served(row["id"], gigabytes, predict(row).memory.total / 1e9, row["source"])


class Tuning(NamedTuple):
    """A published fine-tuning run: the setting that its page describes."""

    table: str
    model: str
    method: str
    device: str
    recipe: Recipe
    layout: Layout
    adapter_rank: int = 8
    chunked_loss: bool = True
    reserve_bytes: float = 0.0


# torchtune: batches of 2 packed to 2048 tokens, adapters of rank 8 on all matrices, the loss in 8 pieces, bf16
# throughout; its peak is the allocator's, which leaves out the context. Activations are recomputed where the
# page's recipes do so.
TORCHTUNE = Recipe(2048, 2, gradient_bytes=2)
TUNINGS = (
    Tuning("torchtune", "llama-3.1-8b", "lora", "rtx-4090", TORCHTUNE, Layout(microbatch=2, recompute="full")),
    Tuning("torchtune", "llama-3.1-8b", "lora", "a6000", TORCHTUNE, Layout(microbatch=2)),
    Tuning("torchtune", "llama-3.1-8b", "qlora", "rtx-4090", TORCHTUNE, Layout(microbatch=2, recompute="full")),
    Tuning(
        "torchtune",
        "llama-3.1-70b",
        "lora",
        "a100-80gb",
        TORCHTUNE._replace(batch=16),
        Layout(data_parallel=8, sharding=3, microbatch=2, recompute="full"),
    ),
    Tuning(
        "torchtune",
        "llama-3.1-405b",
        "qlora",
        "a100-80gb",
        TORCHTUNE._replace(batch=16),
        Layout(data_parallel=8, sharding=3, microbatch=2, recompute="full"),
    ),
    # PEFT: fp32, batches of 8 short tweets (64 tokens).
    Tuning(
        "peft",
        "bigscience/bloomz-7b1",
        "lora",
        "",
        Recipe(64, 8, precision="fp32"),
        Layout(microbatch=8),
        chunked_loss=False,
        reserve_bytes=1e9,
    ),
)


def finetuning_memory() -> Iterator[Served]:
    """Peak memory of published fine-tuning runs, in GB."""
    for one in TUNINGS:
        table: dict[str, Any] = published()["finetuning"][one.table]
        shape = MODELS[one.model]
        recipe = finetuning(shape, one.recipe, one.method, one.adapter_rank, chunked_loss=one.chunked_loss)  # type: ignore[arg-type]
        memory = training_memory(shape, recipe, one.layout)
        planned = (memory.total - memory.reserve + one.reserve_bytes) / 1e9
        yield Served(
            f"{one.model} {one.method} {one.device}".strip(), _published_memory(table, one), planned, table["source"]
        )


def _published_memory(table: dict[str, Any], one: Tuning) -> float:
    """The row's peak in GB."""
    columns = table["columns"]
    for values in table["rows"]:
        row = dict(zip(columns, values, strict=True))
        if (row["model"], row["method"], row.get("device", "")) == (one.model, one.method, one.device):
            return float(row["gpu_gb"] if "gpu_gb" in row else row["peak_gib"] * 2**30 / 1e9)
    raise KeyError(one)


TABLES: dict[str, Callable[[], Iterator[Served]]] = {
    "TensorRT-LLM 1.0 at saturation, output tokens/s": saturated,
    "TensorRT-LLM 0.6, batches that start and end together, output tokens/s for each accelerator": static_batches,
    "TensorRT-LLM 0.5, batches that start and end together, output tokens/s": earlier_batches,
    "TensorRT-LLM 0.5, one request, first tokens a second": first_tokens,
    "gpt-fast, one request, tokens/s": single_stream,
    "Memory of training, GB on the fullest accelerator": pretraining_memory,
    "Memory of fine-tuning, GB on each accelerator": finetuning_memory,
}

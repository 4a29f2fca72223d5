"""Encoder-decoder models as ONNX artifacts: a graph that reads a text, and one that writes with a cache.

The decoder looks the text up by keys and values that depend on the text alone. The first graph gives these, so that
they are made once for a text and not once for each token that is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel, copy_network_files, write_facts
from aictl.artifacts.onnx_header import read_header
from aictl.core.errors import GateMissed
from aictl.core.events import Events
from aictl.export.graph import FREE, Given, save, traced
from aictl.export.parity import Parity
from aictl.export.precision import DTYPES, peaks, proven, require_finite
from aictl.export.samples import Inputs, Samples, texts
from aictl.export.spec import OnnxSpec
from aictl.inference.checkpoints import write_merged
from aictl.inference.encoder_torch import TorchRewriter
from aictl.inference.rewriter_onnx import DECODER, ENCODER, OnnxRewriter

WRITTEN = 16  # tokens of each text that are compared
_TOGETHER = 2  # a batch of them; any number above 1 is free for torch.export


class Reads(torch.nn.Module):  # type: ignore[misc]
    """From a text to what the decoder looks up, key and value of each layer in turn."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Both (batch, read); each that comes out is (batch, heads, read, head width)."""
        states = self.network.get_encoder()(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        cache: Any = EncoderDecoderCache(DynamicCache(), DynamicCache())
        # The decoder fills the cache on any token, and the rest of what it does here is dropped from the graph.
        self.network(
            encoder_outputs=BaseModelOutput(last_hidden_state=states),
            attention_mask=attention_mask,
            decoder_input_ids=torch.zeros_like(input_ids[:, :1]),
            past_key_values=cache,
            use_cache=True,
        )
        return _flat(cache.cross_attention_cache)


class Writes(torch.nn.Module):  # type: ignore[misc]
    """From tokens, what is past and what is looked up to the next logits and what is past then."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, decoder_input_ids: torch.Tensor, attention_mask: torch.Tensor, *caches: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """``decoder_input_ids`` (batch, length), ``attention_mask`` (batch, read); ``caches`` are of what is looked up
        and of what is past, as many each. Gives logits (batch, length, vocabulary) and what is past."""
        half = len(caches) // 2
        own: Any = _filled(caches[half:])
        width = self.network.config.hidden_size
        # Their number alone is looked at: their keys and values are there.
        states = torch.zeros((*attention_mask.shape, width), dtype=self.network.dtype)
        result = self.network(
            encoder_outputs=BaseModelOutput(last_hidden_state=states),
            attention_mask=attention_mask,
            decoder_input_ids=decoder_input_ids,
            past_key_values=EncoderDecoderCache(own, _filled(caches[:half])),
            use_cache=True,
        )
        return (result.logits.float(), *_flat(own))


def _filled(tensors: Sequence[torch.Tensor]) -> Any:
    cache: Any = DynamicCache()
    for layer in range(len(tensors) // 2):
        cache.update(tensors[2 * layer], tensors[2 * layer + 1], layer)
    return cache


def _flat(cache: Any) -> tuple[torch.Tensor, ...]:
    return tuple(tensor for layer in cache.layers for tensor in (layer.keys, layer.values))


class _Written(NamedTuple):
    """The likeliest tokens (1, length), the one to begin from first, and PyTorch's logits (length - 1, vocabulary) of
    those that follow, in one pass without a cache."""

    tokens: np.ndarray
    logits: np.ndarray


def export(model: Checkpoint | Adapter, spec: OnnxSpec, folder: Path, *, events: Events) -> OnnxModel:
    """See :func:`aictl.export.onnx.export`."""
    base = model.base if isinstance(model, Adapter) else model
    parity = Parity(spec)
    with TemporaryDirectory(prefix="aictl-export-") as scratch:
        source = base.folder
        if isinstance(model, Adapter):
            source = Path(scratch, "merged")
            write_merged(model, source)
        events.started("load the model")
        rewriter = TorchRewriter(source, device="cpu")
        samples = texts(source, (), rewriter.module.config)
        with peaks(rewriter.module) as wide:
            wanted = [_write(rewriter, row) for row in samples.alone]
        network = rewriter.module
        if spec.precision != "fp32":
            network = TorchRewriter(source, device="cpu", dtype=DTYPES[spec.precision]).module
            with peaks(network) as narrow:
                rounded = [_logits(network, row, one.tokens) for row, one in zip(samples.alone, wanted, strict=True)]
            require_finite(network, narrow, wide, spec.precision)
            for got, one in zip(rounded, wanted, strict=True):
                parity.saw("rounded", "logits", got, one.logits)
        events.finished("load the model")
        copy_network_files(source, folder)
        events.started("trace the graphs")
        _trace(network, samples, spec, folder)
        events.finished("trace the graphs")
        signatures = {Path(name).stem: read_header(folder / name).signature for name in (ENCODER, DECODER)}
        write_facts(
            folder,
            layout="standard",
            precision=spec.precision,
            opset=spec.opset,
            capability="text-to-text",
            graphs=signatures,
        )
        tried = [proven(folder / name, spec.precision, Path(scratch)) for name in (ENCODER, DECODER)]
        ours = OnnxRewriter(folder, device="cpu", graphs=tried[0].parent)
        same = _compare(ours, samples, wanted, parity, events)
    agreed = parity.require(events)
    if spec.precision == "fp32" and same < len(wanted):
        raise GateMissed(
            f"{len(wanted) - same} of {len(wanted)} texts are not rewritten as transformers rewrites them, though the "
            "logits agree",
            cure="its generation_config.json may ask for what is not followed here, such as a repetition_penalty",
        )
    exported = OnnxModel(folder)
    parameters = base.brief().parameters or 0
    return OnnxModel(
        folder,
        metrics={
            "parity": {**agreed, "texts": len(wanted), "same_texts": same},
            "parameters": parameters,
            "size_bytes": exported.weights_bytes,
        },
        summary=f"{parameters / 1e6:.3g}M parameters, {spec.precision}, logits within {agreed['worst']:.1g} of "
        f"PyTorch, {same} of {len(wanted)} texts the same",
    )


def _write(rewriter: TorchRewriter, row: Inputs) -> _Written:
    (tokens,) = rewriter.write(row["input_ids"], row["attention_mask"], WRITTEN)
    array = np.array([tokens], np.int64)
    return _Written(array, _logits(rewriter.module, row, array))


def _logits(network: Any, row: Inputs, tokens: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        result = network(
            **{name: torch.from_numpy(value) for name, value in row.items()},
            decoder_input_ids=torch.from_numpy(tokens[:, :-1]),
            use_cache=False,
        )
    return result.logits[0].float().numpy()


def _trace(network: Any, samples: Samples, spec: OnnxSpec, folder: Path) -> None:
    # Of torch's own attention the exporter mistakes the order in memory, where a bias is added as T5 does.
    network.set_attn_implementation("eager")
    ids, mask = (torch.from_numpy(samples.batch[name][:_TOGETHER]) for name in ("input_ids", "attention_mask"))
    with torch.inference_mode():
        cross = [one.clone() for one in Reads(network)(ids, mask)]
    names = [f"{layer}.{part}" for layer in range(len(cross) // 2) for part in ("key", "value")]
    read, called = {0: FREE, 1: FREE}, network.config.model_type
    given = Given(["input_ids", "attention_mask"], (ids, mask), (read, read))
    graph = traced(Reads(network), given, [f"cross.{name}" for name in names], spec.opset, called)
    save(graph, folder / ENCODER, dict.fromkeys(given.names, ("batch", "read")))

    past = [torch.zeros((_TOGETHER, one.shape[1], 5, one.shape[3]), dtype=network.dtype) for one in cross]
    tokens = torch.ones((_TOGETHER, 3), dtype=torch.long)
    inputs = [f"cross.{name}" for name in names] + [f"past_key_values.{name}" for name in names]
    given = Given(
        ["decoder_input_ids", "attention_mask", *inputs],
        (tokens, mask, *cross, *past),
        (read, read, tuple({0: FREE, 2: FREE} for _ in inputs)),
    )
    graph = traced(Writes(network), given, ["logits", *(f"present.{name}" for name in names)], spec.opset, called)
    free: dict[str, tuple[str | None, ...]] = {
        "decoder_input_ids": ("batch", "length"),
        "attention_mask": ("batch", "read"),
    }
    free |= {name: ("batch", None, "read" if name.startswith("cross") else "past", None) for name in inputs}
    save(graph, folder / DECODER, free)


def _compare(ours: OnnxRewriter, samples: Samples, wanted: Sequence[_Written], parity: Parity, events: Events) -> int:
    """Hold the logits of each text's tokens at once, one by one through the cache, and of all texts in one batch,
    against PyTorch's; returns how many texts are rewritten the same, all in one batch."""
    task = "compare with PyTorch"
    events.started(task, total=len(wanted) + 1, unit="texts")
    for count, (row, one) in enumerate(zip(samples.alone, wanted, strict=True), 1):
        read, tokens = ours.read(row["input_ids"], row["attention_mask"]), one.tokens[:, :-1]
        logits, _ = ours.step(tokens, read, ours.nothing(1))
        parity.saw("empty_cache", "logits", logits[0], one.logits)
        past = ours.nothing(1)
        for at in range(tokens.shape[1]):
            logits, past = ours.step(tokens[:, at : at + 1], read, past)
            parity.saw("full_cache", "logits", logits[0], one.logits[at : at + 1])
        events.advanced(task, count)
    ids, mask = samples.batch["input_ids"], samples.batch["attention_mask"]
    longest = max(one.tokens.shape[1] for one in wanted) - 1
    tokens = np.zeros((len(wanted), longest), np.int64)
    for row, one in zip(tokens, wanted, strict=True):
        row[: one.tokens.shape[1] - 1] = one.tokens[0, :-1]
    logits, _ = ours.step(tokens, ours.read(ids, mask), ours.nothing(len(wanted)))
    for row, one in zip(logits, wanted, strict=True):
        parity.saw("in_batch", "logits", row[: len(one.logits)], one.logits)
    written = ours.write(ids, mask, WRITTEN)
    events.finished(task)
    return sum(row[: one.tokens.shape[1]] == one.tokens[0].tolist() for row, one in zip(written, wanted, strict=True))

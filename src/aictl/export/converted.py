"""An onnx artifact in another form, for another runtime, held against its own graphs in onnxruntime: on real inputs, in
the situations in which `export onnx` holds the graph against PyTorch, and as fast as they are, in turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from transformers import AutoConfig

from aictl.artifacts.capability import Capability, require_capability
from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import Damaged
from aictl.core.events import Events
from aictl.export import cached, passes
from aictl.export.loaded import Loaded
from aictl.export.parity import Parity
from aictl.export.samples import TEXTS, Inputs, Samples, pairs, pictures, texts
from aictl.inference.quiet import quiet
from aictl.inference.session import open_session
from aictl.inference.tokenizer import ModelTokenizer
from aictl.measure.speed import answering, race, speed_up

AGAINST = "onnxruntime"
# Of an encoder-decoder what one graph gives goes into the other, for which nothing drives another runtime here.
CAPABILITIES: tuple[Capability, ...] = (
    *("text-generation", "text-classification", "reranking", "embedding", "image-classification"),
    *("object-detection", "image-text"),
)


class Close(NamedTuple):
    """See :class:`aictl.export.parity.Closeness`."""

    precision: str
    tolerance: float | None


class _Pass(NamedTuple):
    """One pass of one graph: what goes in, and the names of what comes out."""

    graph: str
    given: Inputs
    names: list[str]


class Parent:
    """The artifact's graphs in onnxruntime, on one thread, with inputs for them. By what another form of it is
    judged."""

    def __init__(self, model: OnnxModel, *, command: str) -> None:
        """Raises :class:`WrongKind` for a model for something that is not converted, :class:`Damaged` for one whose
        files are not whole, :class:`MachineLacks` for numbers in which onnxruntime cannot reckon here."""
        require_capability(model.label, model.capability, *CAPABILITIES, command=command)
        model.check()
        self.model = model
        self.graphs: dict[str, Loaded] = {
            name: open_session(path, threads=1, device="cpu") for name, path in model.graphs.items()
        }

    def compare(self, converted: Mapping[str, Loaded], parity: Parity, events: Events) -> int:
        """Hold the graphs of another form, by their names, against these. Returns on how many inputs."""
        if self.model.capability == "text-generation":
            prompts = self._prompts()
            (ours,), (theirs,) = self.graphs.values(), converted.values()
            cached.compare(theirs, prompts, cached.references(ours, prompts), parity, events)
            return len(prompts)
        rows = 0
        for name, ours in self.graphs.items():
            samples = self._samples(name)
            alone, in_batch = passes.references(ours, samples)
            passes.compare(converted[name], samples, alone, parity, events, in_batch=in_batch)
            rows += len(alone)
        return rows

    def race(self, converted: Mapping[str, Loaded], events: Events) -> dict[str, Any]:
        """CPU seconds of a pass of both, and how many times as fast the other form is, with its 95% confidence
        interval. A pass of a language model is one token onto a filled cache."""
        inputs = self._passes()

        def run(graphs: Mapping[str, Loaded], one: _Pass) -> None:
            graphs[one.graph].run(one.names, one.given)

        rounds = {
            name: answering(partial(run, graphs), [(one,) for one in inputs])
            for name, graphs in (("parent", self.graphs), ("converted", converted))
        }
        times = {name: found["pass"] for name, found in race(rounds, events=events).items()}
        gained = speed_up(times["parent"], times["converted"])
        return {
            **{name: {"pass_cpu_s": median(found)} for name, found in times.items()},
            "speedup": asdict(gained),
        }

    def _prompts(self) -> list[list[int]]:
        tokenizer = ModelTokenizer(self.model.folder)
        return [tokenizer.encode(text)[: self.model.context_length] for text in TEXTS]

    def _passes(self) -> list[_Pass]:
        if self.model.capability == "text-generation":
            ((name, graph),) = self.graphs.items()
            found = []
            for prompt in self._prompts():
                past = cached.step(graph, np.array([prompt[:-1]]), [0])[1] if len(prompt) > 1 else None
                found.append(_Pass(name, *cached.fed(graph, np.array([prompt[-1:]]), [0], past)))
            return found
        return [
            _Pass(name, given, _outputs(graph))
            for name, graph in self.graphs.items()
            for given in self._samples(name).alone
        ]

    def _samples(self, name: str) -> Samples:
        """Inputs for one graph, by what it takes."""
        taken = [one.name for one in self.graphs[name].get_inputs()]
        config = _config(self.model.folder)
        if "pixel_values" in taken:
            return pictures(self.model.folder, taken, config)
        return (pairs if self.model.capability == "reranking" else texts)(self.model.folder, taken, config)


def _outputs(graph: Loaded) -> list[str]:
    return [one.name for one in graph.get_outputs()]


def _config(folder: Path) -> Any:
    try:
        with quiet():
            return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # whatever a file that is not its own makes transformers raise
        raise Damaged(f"{folder / 'config.json'} cannot be read: {error}") from error

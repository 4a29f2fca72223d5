"""An onnx artifact in another form, for another runtime, held against its own graphs in onnxruntime: on real inputs, in
the situations in which `export onnx` holds the graph against PyTorch, and as fast as they are, in turns."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from transformers import AutoConfig

from aictl.artifacts.capability import Capability, require_capability
from aictl.artifacts.converted import Converted, size_of
from aictl.artifacts.onnx import OnnxModel, copy_network_files
from aictl.artifacts.onnx_header import read_header
from aictl.core.errors import BadInput, Damaged, WrongKind
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
_WRITERS = frozenset({"input_ids", "attention_mask", "position_ids"})
_TOKENS = frozenset({"input_ids", "attention_mask", "token_type_ids"})
_PIXELS = frozenset({"pixel_values", "pixel_mask"})


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
        """Raises :class:`WrongKind` for a model for something that is not converted or with fused operators,
        :class:`BadInput` for a graph with inputs that nobody prepares, :class:`Damaged` for files that are not whole,
        :class:`MachineLacks` for numbers in which onnxruntime cannot reckon here."""
        require_capability(model.label, model.capability, *CAPABILITIES, command=command)
        if model.facts["layout"] != "standard":
            raise WrongKind(
                f"{model.label} is of layout {model.facts['layout']}, with operators of onnxruntime's own, and aictl "
                f"{command} takes the standard layout",
                cure="give what aictl export onnx makes of the same model",
            )
        model.check()
        self.model = model
        self.signatures = {name: read_header(path).signature for name, path in model.graphs.items()}
        self.graphs: dict[str, Loaded] = {
            name: open_session(path, threads=1, device="cpu") for name, path in model.graphs.items()
        }
        for name, graph in self.graphs.items():
            self._require_known(name, [one.name for one in graph.get_inputs()])

    def describe(self, kind: type[Converted], folder: Path, *, precision: str, version: str) -> None:
        """Put beside the graphs in ``folder`` what is needed to run them, and the file of facts."""
        copy_network_files(self.model.folder, folder)
        if self.model.capability == "text-generation":
            shutil.copyfile(self.model.folder / "genai_config.json", folder / "genai_config.json")
        graphs = {
            name: {"size_bytes": size_of(folder, kind.files_of(name)), **signature.to_json()}
            for name, signature in self.signatures.items()
        }
        facts = {"precision": precision, "version": version, "capability": self.model.capability, "graphs": graphs}
        facts |= {name: self.model.facts[name] for name in ("scoring",) if name in self.model.facts}
        (folder / kind.facts_file).write_text(json.dumps(facts, indent=1) + "\n", "utf-8")

    def judge(self, made: Converted, graphs: Mapping[str, Loaded], close: Close, events: Events) -> dict[str, Any]:
        """What ``graphs``, of which ``made`` holds the files, are beside these: as metrics.

        Raises :class:`GateMissed` if what comes out differs by more than ``close`` allows.
        """
        parity = Parity(close, AGAINST)
        inputs = self.compare(graphs, parity, events)
        agreed = parity.require(events)
        times = self.race(graphs, events)
        return {
            "parity": {**agreed, "inputs": inputs},
            "parameters": self.model.brief().parameters,
            "size_bytes": made.weights_bytes,
            "parent": {"size_bytes": self.model.weights_bytes, **times["parent"]},
            "converted": times["converted"],
            "speedup": times["speedup"],
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

    def _require_known(self, name: str, taken: Sequence[str]) -> None:
        writes = self.model.capability == "text-generation"
        known = _WRITERS if writes else _PIXELS if "pixel_values" in taken else _TOKENS
        strange = [one for one in taken if one not in known and not (writes and one.startswith(cached.PAST))]
        if strange or (writes and not any(one.startswith(cached.PAST) for one in taken)):
            raise BadInput(
                f"{self.model.graphs[name]} takes {', '.join(taken)}, and is no graph for {self.model.capability} as "
                "aictl export onnx writes it",
                cure="give one that aictl export onnx made",
            )

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
        prepare = pairs if self.model.capability == "reranking" else texts
        found = prepare(self.model.folder, taken, config)
        return found._replace(alone=[_only(one, taken) for one in found.alone], batch=_only(found.batch, taken))


def _only(given: Inputs, taken: Sequence[str]) -> Inputs:
    """What a graph takes of tokens; all are of the first type where nobody said otherwise."""
    return {name: given.get(name, np.zeros_like(given["input_ids"])) for name in taken}


def _outputs(graph: Loaded) -> list[str]:
    return [one.name for one in graph.get_outputs()]


def _config(folder: Path) -> Any:
    try:
        with quiet():
            return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # whatever a file that is not its own makes transformers raise
        raise Damaged(f"{folder / 'config.json'} cannot be read: {error}") from error

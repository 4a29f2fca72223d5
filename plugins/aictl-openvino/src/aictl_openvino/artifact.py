"""openvino: a model as OpenVINO reads it, with all that is needed to run it.

Files: for each graph an ``.xml``, which describes it, and a ``.bin`` of the same name with its weights;
``openvino.json``: ``{"precision": "fp32" | "fp16", "version": "2026.4.1", "capability": ..., "graphs": {"model":
{"inputs": [...], "outputs": [...]}}}``, where a word in a shape stands for an extent that is free; and what lies beside
the graph in the ``onnx`` artifact: tokenizer, chat template, settings of generation, preparation of pictures, names of
classes, ``genai_config.json`` of a language model.

The one graph of a model is ``openvino_model.xml``, of several each is ``openvino_NAME_model.xml``: the names that
optimum-intel looks for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.parsers import expat

from aictl.artifacts.capability import ABILITIES, Capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.model import Brief, Model
from aictl.artifacts.onnx import OnnxModel
from aictl.core.answer import Answer, Document
from aictl.core.errors import Damaged

FACTS = "openvino.json"


def file_of(graph: str) -> str:
    """The file that describes a graph, by the name of the graph in the onnx artifact."""
    return "openvino_model.xml" if graph == "model" else f"openvino_{graph}_model.xml"


class OpenVinoModel(Model):
    """A model for OpenVINO."""

    kind = "openvino"
    about = "a model as OpenVINO reads it, for Intel's processors and others"

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Precision, version of OpenVINO, capability, and what each graph takes and gives. Raises
        :class:`Damaged`."""
        path = self.folder / FACTS
        try:
            facts = json.loads(path.read_text("utf-8"))
            facts["precision"], facts["version"]
            if not facts["graphs"] or not all(name.isidentifier() for name in facts["graphs"]):
                raise ValueError("graphs is no table of names with what they take and give")
            if facts["capability"] not in ABILITIES:
                raise ValueError(f"its capability is none of {', '.join(ABILITIES)}")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Damaged(f"{path}: {error!r}") from error
        return facts

    @property
    def graphs(self) -> dict[str, Path]:
        """The files that describe the graphs, by the graphs' names. Raises :class:`Damaged`."""
        return {name: self.folder / file_of(name) for name in self.facts["graphs"]}

    @property
    def capability(self) -> Capability:
        return self.facts["capability"]

    @property
    def weights_bytes(self) -> int:
        """Size of the graphs and their weights on disk."""
        return sum(one.stat().st_size for path in self.graphs.values() for one in (path, path.with_suffix(".bin")))

    def brief(self) -> Brief:
        origin = self.nearest(OnnxModel, Checkpoint)
        made = origin.brief() if origin else Brief(self.capability)
        counted = self.metrics.get("parameters") or made.parameters
        return Brief(self.capability, made.architecture, counted, self.facts["precision"], made.context)

    def check(self) -> None:
        """Raises :class:`Damaged` for a graph that is not described to its end or whose weights are not all there."""
        for path in self.graphs.values():
            weights = path.with_suffix(".bin")
            end = weights_end(path)
            try:
                held = weights.stat().st_size
            except OSError as error:
                raise Damaged(f"{weights} is missing: {error}") from error
            if end > held:
                raise Damaged(f"{weights} has {held:,} bytes, and the weights that {path.name} names end at {end:,}")

    def answer(self) -> Answer:
        return Document({**self.facts, **self.metrics})


def weights_end(path: Path) -> int:
    """Where in the ``.bin`` the last of the weights ends that a graph names, in bytes; the description is read from one
    end to the other and not kept. Raises :class:`Damaged`."""
    end, layers = 0, 0

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        nonlocal end, layers
        layers += tag == "layer"
        if tag == "data" and "offset" in attributes:
            first, size = int(attributes["offset"]), int(attributes["size"])
            if first < 0 or size < 0:
                raise ValueError(f"weights at {first:,} of {size:,} bytes")
            end = max(end, first + size)

    def doctype(*_: Any) -> None:
        raise ValueError("it declares a document type, which could make a few bytes fill the memory")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.StartDoctypeDeclHandler = start, doctype
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
        if not layers:
            raise ValueError("it has no layers")
    except (OSError, ValueError, KeyError, expat.ExpatError) as error:
        raise Damaged(f"{path} does not describe a graph: {error}") from error
    return end

"""openvino: a model as OpenVINO reads it, with all that is needed to run it.

Files: for each graph an ``.xml``, which describes it, and a ``.bin`` of the same name with its weights;
``openvino.json`` and what is needed beside the graphs, as :mod:`aictl.artifacts.converted` says.

The one graph of a model is ``openvino_model.xml``, of several each is ``openvino_NAME_model.xml``: the names that
optimum-intel looks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.parsers import expat

from aictl.artifacts.converted import Converted
from aictl.core.errors import Damaged


class OpenVinoModel(Converted):
    """A model for OpenVINO."""

    kind = "openvino"
    about = "a model as OpenVINO reads it, for Intel's processors and others"
    facts_file = "openvino.json"

    @classmethod
    def files_of(cls, graph: str) -> tuple[str, ...]:
        stem = "openvino_model" if graph == "model" else f"openvino_{graph}_model"
        return f"{stem}.xml", f"{stem}.bin"

    def check(self) -> None:
        """Raises :class:`Damaged` for a graph that is not described to its end or whose weights are not all there."""
        for path in self.graphs.values():
            end, weights = weights_end(path), path.with_suffix(".bin")
            try:
                held = weights.stat().st_size
            except OSError as error:
                raise Damaged(f"{weights} is missing: {error}") from error
            if end > held:
                raise Damaged(f"{weights} has {held:,} bytes, and the weights that {path.name} names end at {end:,}")
        super().check()


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

"""The program that runs where TensorFlow is: it reads a model, runs it, and writes it as ONNX.

It is run by its path, with nothing of aictl beside it. From standard input it takes one request as JSON
(``format``, ``path``, ``signature``, ``opset``, ``samples``, ``folder``, ``scratch``). Into ``folder`` goes
``model.onnx``; into ``scratch`` ``compared.npz``, with the samples as ``in:NAME`` and what TensorFlow made of them as
``out:NAME``, and ``result.json``: what is known of the graph, or ``{"error": "...", "kind": "..."}``.
"""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

# What a graph may not do when it is only looked at: read and write files, and call back into Python.
FORBIDDEN = frozenset(
    {"ReadFile", "WriteFile", "MatchingFiles", "PyFunc", "PyFuncStateless", "EagerPyFunc", "PrintV2", "Print"}
    | {"WholeFileReader", "WholeFileReaderV2", "FixedLengthRecordReaderV2", "TFRecordReaderV2", "TextLineReaderV2"}
    | {"TFRecordDataset", "TextLineDataset", "FixedLengthRecordDatasetV2", "WriteSummary", "CreateSummaryFileWriter"}
)
# The first release with the repairs of what a .keras file could do in safe mode: run code, read other files, take all
# memory (CVE-2025-9905, CVE-2025-9906, CVE-2026-0897, CVE-2026-1669).
OLDEST_KERAS = (3, 14)
ROWS = 16  # of random samples
MOST_ROWS = 256  # of given ones that are compared on: all are run at once
EXTENT = 16  # of a random sample, where the model leaves one free
BESIDE = 1_000_000_000  # bytes of weights above which they go into a file beside the graph: protobuf ends at 2 GiB


class Refused(Exception):
    """What was asked cannot be done; ``kind`` is the error that it becomes where it was asked."""

    def __init__(self, message: str, kind: str = "BadInput") -> None:
        super().__init__(message)
        self.kind = kind


class Port(NamedTuple):
    """An input: its name, numpy's word for its type, and its extents, None where one is free."""

    name: str
    type: str
    shape: Sequence[int | None]


class Loaded(NamedTuple):
    """A model that can be called with its inputs in order, and gives its outputs by name."""

    inputs: Sequence[Port]
    call: Callable[..., dict[str, Any]]
    keep: Any  # what has to stay alive while it is called


def main() -> None:
    request = json.load(sys.stdin)
    scratch = Path(request["scratch"])
    try:
        result = convert(request)
    except Refused as refused:
        result = {"error": str(refused), "kind": refused.kind}
    (scratch / "result.json").write_text(json.dumps(result), "utf-8")


def convert(request: dict[str, Any]) -> dict[str, Any]:
    libraries = _libraries()
    path = Path(request["path"])
    loaded = _load_keras(path) if request["format"] == "keras" else _load_saved_model(path, request["signature"])
    samples, are_random = _samples(request["samples"], loaded.inputs)
    # In ONNX a value has one name: an output that is called as an input is gets another.
    expected = {f"{name}_out" if name in samples else name: value for name, value in _run(loaded, samples).items()}
    facts = _write_onnx(loaded, list(expected), request["opset"], Path(request["folder"]))
    _keep(Path(request["scratch"]) / "compared.npz", samples, expected)
    return {**facts, "versions": libraries, "random": are_random, "rows": len(next(iter(samples.values())))}


def _libraries() -> dict[str, str]:
    """Versions of what does the work. Without it nothing can be asked of this environment."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    found = {"python": sys.version.split()[0]}
    for name in ("tensorflow", "keras", "tf2onnx", "onnx"):
        try:
            found[name] = __import__(name).__version__
        except Exception as error:  # a library that cannot be loaded raises whatever it likes
            raise Refused(f"{name} cannot be imported by {sys.executable}: {error}", "ExtraMissing") from error
    return found


def _load_saved_model(path: Path, signature: str) -> Loaded:
    import tensorflow as tf

    _require_harmless(path / "saved_model.pb")
    try:
        model = tf.saved_model.load(str(path))
    except Exception as error:  # what so many operators' loaders raise
        raise Refused(f"{path} cannot be loaded: {_line(error)}") from error
    there = list(model.signatures)
    if signature not in there:
        raise Refused(
            f"it has no signature '{signature}'; there are: {', '.join(there) or 'none'}",
            "BadRequest" if there else "BadInput",
        )
    function = model.signatures[signature]
    ports = [Port(name, spec.dtype.name, spec.shape) for name, spec in function.structured_input_signature[1].items()]
    ports = [Port(port.name, port.type, _extents(port.shape, port.name)) for port in ports]
    names = [port.name for port in ports]
    outputs = sorted(function.structured_outputs)

    def call(*given: Any) -> dict[str, Any]:
        made = function(**dict(zip(names, given, strict=True)))
        return {name: made[name] for name in outputs}

    return Loaded(ports, call, model)


def _require_harmless(path: Path) -> None:
    """A SavedModel is a program: refuse one with operators that reach out of it, before any of it is loaded."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    described = SavedModel()
    try:
        described.ParseFromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise Refused(f"{path} is no whole SavedModel: {_line(error)}") from error
    if not described.meta_graphs:
        raise Refused(f"{path} is no whole SavedModel: it holds no graph")
    for graph in described.meta_graphs:
        bodies = [graph.graph_def.node, *(function.node_def for function in graph.graph_def.library.function)]
        found = sorted({node.op for body in bodies for node in body} & FORBIDDEN)
        if found:
            raise Refused(
                f"{path} has operators that reach out of the model, and such are never run: {', '.join(found)}"
            )


def require_repaired(version: str) -> None:
    """Refuse a Keras whose safe mode is not one."""
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_KERAS:
        wanted = ".".join(map(str, OLDEST_KERAS))
        raise Refused(
            f"Keras {version} there has known holes in its safe mode; {wanted} or later is needed", "ExtraMissing"
        )


def _load_keras(path: Path) -> Loaded:
    import keras
    import tensorflow as tf

    require_repaired(keras.__version__)
    if keras.backend.backend() != "tensorflow":
        raise Refused(f"Keras runs on {keras.backend.backend()} there", "BadRequest")
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        tensors = model.inputs
        # A Sequential model has one output, which is its last layer's.
        named = [str(name) for name in getattr(model, "output_names", [model.layers[-1].name])]
    except Exception as error:  # Keras raises whatever its layers raise
        raise Refused(f"{path} cannot be loaded: {_line(error)}") from error
    if not tensors:
        raise Refused(f"{path} does not say what goes in: give a SavedModel of it, by model.export('FOLDER')")
    ports = [Port(one.name, str(one.dtype), _extents(one.shape, one.name)) for one in tensors]
    structure = model.input if hasattr(model, "input") else tensors

    def call(*given: Any) -> dict[str, Any]:
        packed = tf.nest.pack_sequence_as(structure, list(given)) if len(given) > 1 else given[0]
        made = model(packed, training=False)
        flat = made if isinstance(made, dict) else dict(enumerate(tf.nest.flatten(made)))
        names = list(flat) if isinstance(made, dict) else named
        names = [str(name) for name in names] if len(names) == len(flat) else [f"output_{n}" for n in range(len(flat))]
        return dict(zip(names, flat.values(), strict=True))

    return Loaded(ports, call, model)


def _extents(shape: Any, name: str) -> list[int | None]:
    try:
        return [None if extent is None else int(extent) for extent in shape]
    except (TypeError, ValueError) as error:
        raise Refused(f"the input '{name}' has no known number of dimensions") from error


def _samples(path: str | None, ports: Sequence[Port]) -> tuple[dict[str, Any], bool]:
    """An array for each input, and whether nobody gave any."""
    import numpy as np

    if path is None:
        return {port.name: _random(port) for port in ports}, True
    given = np.load(path, allow_pickle=False)
    arrays = dict(given) if isinstance(given, np.lib.npyio.NpzFile) else {ports[0].name: given}
    if isinstance(given, np.ndarray) and len(ports) > 1:
        names = ", ".join(port.name for port in ports)
        raise Refused(f"the samples are one array, and the model takes {names}: give them as .npz")
    if len(arrays) == 1 and len(ports) == 1:
        arrays = {ports[0].name: next(iter(arrays.values()))}
    found = {}
    for port in ports:
        if port.name not in arrays:
            raise Refused(f"the samples have no '{port.name}'; there are: {', '.join(arrays) or 'none'}")
        array = arrays[port.name]
        fits = array.ndim == len(port.shape) and all(
            extent in (None, there) for extent, there in zip(port.shape, array.shape, strict=True)
        )
        if not fits or not array.size:
            wanted = " × ".join("any" if extent is None else str(extent) for extent in port.shape)
            raise Refused(f"the samples' '{port.name}' is {array.shape}, and the model takes {wanted}")
        found[port.name] = (array[:MOST_ROWS] if port.shape and port.shape[0] is None else array).astype(port.type)
    if len({len(array) for array in found.values() if array.ndim}) > 1:
        raise Refused("the samples' arrays differ in their number of rows")
    return found, False


def _random(port: Port) -> Any:
    import numpy as np

    random = np.random.default_rng(0)
    shape = [(ROWS if at == 0 else EXTENT) if extent is None else extent for at, extent in enumerate(port.shape)]
    if port.type == "string":
        raise Refused(f"the input '{port.name}' takes text, and no text is made up: give samples")
    if np.issubdtype(np.dtype(port.type), np.floating):
        return random.normal(size=shape).astype(port.type)
    return random.integers(0, 2, size=shape).astype(port.type)  # 0 and 1 are among the values of any vocabulary


def _run(loaded: Loaded, samples: dict[str, Any]) -> dict[str, Any]:
    import tensorflow as tf

    try:
        made = loaded.call(*(tf.constant(samples[port.name]) for port in loaded.inputs))
    except Exception as error:  # what operators raise over values that they do not take
        raise Refused(f"TensorFlow itself does not run the model on the samples: {_line(error)}") from error
    return {name: value.numpy() for name, value in made.items()}


def _write_onnx(loaded: Loaded, outputs: Sequence[str], opset: int, folder: Path) -> dict[str, Any]:
    import onnx
    import tensorflow as tf
    import tf2onnx

    specs = [tf.TensorSpec(port.shape, port.type, name=f"in_{n}") for n, port in enumerate(loaded.inputs)]
    function = tf.function(lambda *given: list(loaded.call(*given).values()))
    try:
        model, _ = tf2onnx.convert.from_function(function, input_signature=specs, opset=opset)
    except Exception as error:  # the converter raises what its many passes raise
        raise Refused(f"it cannot be written as ONNX: {_line(error)}", "WorkFailed") from error
    graph = model.graph
    names = {f"in_{n}": port.name for n, port in enumerate(loaded.inputs)}
    by_place = [value.name for value in graph.output]
    if len(by_place) != len(outputs):
        raise Refused(f"{len(outputs)} outputs became {len(by_place)} in the graph", "WorkFailed")
    renamed = {one.name: names[one.name.partition(":")[0]] for one in graph.input}
    _rename(graph, renamed | dict(zip(by_place, outputs, strict=True)))
    for side in (graph.input, graph.output):
        for value in side:
            for at, extent in enumerate(value.type.tensor_type.shape.dim):
                if extent.dim_param or not extent.dim_value:
                    extent.dim_param = "batch" if at == 0 else f"{value.name}_{at}"
    graph.doc_string = ""
    beside = sum(len(tensor.raw_data) for tensor in graph.initializer) > BESIDE
    onnx.save(model, folder / "model.onnx", save_as_external_data=beside, location="model.onnx.data")
    try:
        onnx.checker.check_model(str(folder / "model.onnx"))  # by its path: in memory it may be too large for protobuf
    except onnx.checker.ValidationError as error:  # operators that the converter does not know are left as they were
        raise Refused(f"it cannot be written as ONNX: {_line(error)}", "WorkFailed") from error
    domains = sorted({node.domain for node in graph.node} - {"", "ai.onnx"})
    return {"domains": domains, "parameters": sum(_count(tensor) for tensor in graph.initializer)}


def _rename(graph: Any, outer: dict[str, str], inside: str = "model.") -> None:
    """Give inputs and outputs the names of the model's own signature, and all between them names by their place: the
    converter's have counters of its process in them, and the same model must give the same bytes. Bodies of loops and
    branches see the names around them; ``inside`` sets theirs apart."""
    names = dict(outer)
    for value in graph.input:
        names.setdefault(value.name, f"{inside}input_{len(names)}")
    for number, tensor in enumerate(_in_order_of_use(graph)):
        names[tensor.name] = f"{inside}weight_{number}"
    for number, node in enumerate(graph.node):
        node.name, node.doc_string = f"{inside}{node.op_type}_{number}", ""
        for place, name in enumerate(node.output):
            if name:
                names.setdefault(name, f"{inside}value_{number}_{place}")
        for attribute in node.attribute:
            for body in [attribute.g, *attribute.graphs] if attribute.type in (5, 10) else ():
                if body.node:
                    _rename(body, names, f"{node.name}.")
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    del graph.value_info[:]
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = names.get(value.name, value.name)
    graph.name = inside.rstrip(".")


def _in_order_of_use(graph: Any) -> list[Any]:
    """A graph's initialisers as its nodes come to them, which is also how they are then kept."""
    used: dict[str, None] = {}
    waiting = deque(graph.node)
    while waiting:
        node = waiting.popleft()
        used.update(dict.fromkeys(node.input))
        for attribute in node.attribute:
            waiting += [inner for body in (attribute.g, *attribute.graphs) for inner in body.node]
    places = {name: place for place, name in enumerate(used)}
    ordered = sorted(graph.initializer, key=lambda tensor: places.get(tensor.name, len(places)))
    kept = [type(tensor).FromString(tensor.SerializeToString()) for tensor in ordered]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return list(graph.initializer)


def _count(tensor: Any) -> int:
    """Numbers in a floating format: the weights."""
    import math

    return math.prod(tensor.dims) if tensor.data_type in (1, 10, 11, 16) else 0


def _keep(path: Path, samples: dict[str, Any], expected: dict[str, Any]) -> None:
    import numpy as np

    named = {f"in:{name}": value for name, value in samples.items()}
    named |= {f"out:{name}": value for name, value in expected.items()}
    # Texts come as Python objects, which only a pickle could hold.
    np.savez(
        path, **{name: value.astype(np.bytes_) if value.dtype == object else value for name, value in named.items()}
    )


def _line(error: BaseException) -> str:
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) < 400 else words[:397] + "..."


if __name__ == "__main__":
    main()

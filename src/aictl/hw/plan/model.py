"""From MODEL or numbers to a shape, with what was assumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.capability import require_capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.artifact import Artifact, Source
from aictl.core.errors import BadInput, BadRequest
from aictl.hw.plan.spec import ModelSpec
from aictl.planning.assumed import Given, assume
from aictl.planning.config_json import read_shape, shape_of
from aictl.planning.shape import Shape


class Model(NamedTuple):
    """A shape, where it is from, and the guesses that went into it; of an ONNX model the number format of
    its weights, and their size."""

    shape: Shape
    origin: str
    assumed: list[str]
    stored: str | None = None
    stored_bytes: float | None = None


def model_of(given: Any, spec: ModelSpec) -> Model:
    """The model that a plan is for: an artifact, a ``config.json``, or the options. Raises
    :class:`BadRequest` where both or neither is given."""
    numbers = {name: value for name, value in spec.model_dump().items() if value is not None}
    if given is None:
        names = {"params": "parameters"}
        shape, assumed = assume(Given(**{names.get(name, name): value for name, value in numbers.items()}))
        return Model(shape, "from the options", assumed)
    if numbers:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in numbers)
        raise BadRequest(f"MODEL has a shape of its own, and {options} is given too", cure="leave one of them out")
    if isinstance(given, OnnxModel):
        return Model(*_read(given), [], given.facts["precision"], given.weights_bytes)
    return Model(*_read(given), [])


def _read(given: Artifact | Source) -> tuple[Shape, str]:
    """The shape and what it is of. That is said by content and not by name or place, so that a plan is
    the same wherever it is made."""
    if isinstance(given, Source):
        return read_shape(_config_in(given.path)), f"config.json {given.digest[:12]}"
    if isinstance(given, Adapter):
        return _of_checkpoint(given.base), f"{_called(given)} on {_called(given.base)}"
    if isinstance(given, OnnxModel):
        trained = given.nearest(Checkpoint)
        return _of_checkpoint(trained) if trained else _of_graph(given), _called(given)
    assert isinstance(given, Checkpoint)
    return _of_checkpoint(given), _called(given)


def _called(artifact: Artifact) -> str:
    return f"{artifact.kind} {artifact.record.id[:12]}" if artifact.record else artifact.kind


def _of_checkpoint(checkpoint: Checkpoint) -> Shape:
    return shape_of(checkpoint.config, str(checkpoint.folder / "config.json"))


def _config_in(path: Path) -> Path:
    if not path.is_dir():
        return path
    inner = path / "config.json"
    if not inner.is_file():
        raise BadInput(f"{path} holds no config.json", cure="give a config.json, or a folder with one")
    return inner


def _of_graph(model: OnnxModel) -> Shape:
    """What ``genai_config.json`` says; the feed-forward part follows from the weights' size."""
    require_capability(model.label, model.capability, "text-generation", command="hw plan")
    decoder, where = model.driving["model"]["decoder"], str(model.folder / "genai_config.json")
    values = {**decoder, "head_dim": decoder["head_size"], "vocab_size": model.driving["model"].get("vocab_size")}
    values |= {"max_position_embeddings": model.context_length, "tie_word_embeddings": True}
    shape = shape_of(values, where)
    stored = {"fp32": 4.0, "fp16": 2.0, "int8": 1.06, "int4": 0.63}.get(model.facts["precision"], 2.0)
    rest = model.weights_bytes / stored - shape.layers * shape.attention_layer - shape.vocabulary * shape.hidden
    wide = max(shape.hidden, round(rest / shape.layers / 3 / shape.hidden / 64) * 64)
    return shape._replace(feed_forward=wide, gated=True)

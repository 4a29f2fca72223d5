"""Cutting heads, neurons and layers out of a network, so that its matrices and its configuration are smaller."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from transformers import PreTrainedModel

from aictl.core.errors import BadRequest
from aictl.optimize.prune.anatomy import Body, is_transposed
from aictl.optimize.prune.importance import Importance
from aictl.optimize.prune.spec import CutSpec

MULTIPLE = 8  # what kernels like the sides of a matrix to be; a share of the neurons is rounded to it


class Left(NamedTuple):
    """How many of each stay: layers, and in each of them heads and neurons."""

    layers: int
    heads: int
    neurons: int


def left(body: Body, cut: CutSpec, share: float) -> Left:
    """What stays where ``cut`` says so, or all but a ``share`` of the neurons and of what heads can be cut. Raises
    :class:`BadRequest` for more than there are, for heads that share keys with others that go, for heads where the
    configuration has no word for fewer, and where nothing would go."""
    found = _left(body, cut, share)
    if found == Left(len(body.layers), body.heads, body.neurons):
        raise BadRequest(
            f"nothing would be left out of {found.layers} layers of {found.heads} heads and {found.neurons} neurons",
            cure="give a larger --sparsity, or fewer --layers, --heads or --neurons",
        )
    return found


def _left(body: Body, cut: CutSpec, share: float) -> Left:
    layers, heads, neurons = len(body.layers), body.heads, body.neurons
    if cut == CutSpec():
        fewer = round((1 - share) * neurons)
        fewer = max(MULTIPLE, round(fewer / MULTIPLE) * MULTIPLE) if neurons >= 8 * MULTIPLE else max(1, fewer)
        groups = max(1, round((1 - share) * body.groups)) if body.anatomy.output else body.groups
        return Left(layers, groups * (heads // body.groups), fewer)
    for name, asked, has in (
        ("layers", cut.layers, layers),
        ("heads", cut.heads, heads),
        ("neurons", cut.neurons, neurons),
    ):
        if asked is not None and asked > has:
            raise BadRequest(f"--{name} {asked}: there are {has}", cure=f"--{name} of at most {has}")
    shared = heads // body.groups
    if cut.heads is not None and cut.heads < heads:
        if body.anatomy.output is None:
            raise BadRequest(
                f"--heads: the configuration of a {body.model.config.model_type} has no word for fewer heads of the "
                "same width",
                cure="--neurons and --layers",
            )
        if cut.heads % shared:
            raise BadRequest(
                f"--heads {cut.heads}: {shared} heads share their keys and values, and stay or go together",
                cure=f"a multiple of {shared}",
            )
    if cut.layers is not None and cut.layers < len(body.anatomy.bound):
        raise BadRequest(f"--layers {cut.layers}: the first {len(body.anatomy.bound)} have to stay")
    return Left(cut.layers or layers, cut.heads or heads, cut.neurons or neurons)


def cut(body: Body, stays: Left, importance: Importance) -> PreTrainedModel:
    """A new network of the parts that do most, each in the order it had."""
    bound = importance.layers.clone()
    bound[list(body.anatomy.bound)] = float("inf")
    layers = most(bound, stays.layers)
    weights = dict(body.model.state_dict())
    for number in layers:
        _cut_neurons(body, weights, number, most(importance.neurons[number], stays.neurons))
        if importance.groups is not None:
            _cut_heads(body, weights, number, most(importance.groups[number], stays.heads * body.groups // body.heads))
    return rebuilt(body, weights, layers, {"heads": stays.heads, "neurons": stays.neurons})


def rebuilt(
    body: Body, weights: Mapping[str, torch.Tensor], layers: list[int], counts: Mapping[str, int] | None = None
) -> PreTrainedModel:
    """A network of the same class with ``layers`` alone, numbered anew, and other ``counts`` of heads and neurons in
    each where they are given."""
    config = _smaller(body, layers, counts or {})
    model = type(body.model)(config)
    model.load_state_dict(renumbered(weights, body.path(0, "").removesuffix("0."), layers), strict=True)
    if hasattr(body.model, "generation_config"):
        model.generation_config = copy.deepcopy(body.model.generation_config)
    return model.eval()


def most(scores: torch.Tensor, count: int) -> list[int]:
    """The places of the ``count`` highest scores, in order; of equals the first."""
    return sorted(scores.argsort(descending=True, stable=True)[:count].tolist())


def _smaller(body: Body, layers: list[int], counts: Mapping[str, int]) -> Any:
    anatomy, values = body.anatomy, copy.deepcopy(body.model.config).to_dict()
    values[anatomy.layer_count] = len(layers)
    if values.get("layer_types") is not None:
        values["layer_types"] = [values["layer_types"][number] for number in layers]
    if values.get("sliding_window") is None and "max_window_layers" in values:
        values["max_window_layers"] = len(layers)
    if counts.get("neurons", body.neurons) != body.neurons:
        values[anatomy.neuron_count] = counts["neurons"]
    if counts.get("heads", body.heads) != body.heads:
        values["head_dim"] = body.head_width
        if "num_key_value_heads" in values:
            values["num_key_value_heads"] = counts["heads"] * body.groups // body.heads
        values["num_attention_heads"] = counts["heads"]
    return type(body.model.config).from_dict(values)


def renumbered(weights: Mapping[str, torch.Tensor], stem: str, layers: list[int]) -> dict[str, torch.Tensor]:
    """The weights with the kept layers, whose names begin with ``stem``, numbered from 0."""
    numbers = {old: new for new, old in enumerate(layers)}
    found = {}
    for name, value in weights.items():
        if not name.startswith(stem):
            found[name] = value
            continue
        old, _, rest = name.removeprefix(stem).partition(".")
        if int(old) in numbers:
            found[f"{stem}{numbers[int(old)]}.{rest}"] = value
    return found


def _cut_neurons(body: Body, weights: dict[str, torch.Tensor], number: int, kept: list[int]) -> None:
    index = torch.tensor(kept)
    for part in body.anatomy.enters:
        rows = torch.cat([index, index + body.neurons]) if body.anatomy.doubled else index
        _take(body, weights, number, part, rows, outputs=True)
    _take(body, weights, number, body.anatomy.leaves, index, outputs=False)


def _cut_heads(body: Body, weights: dict[str, torch.Tensor], number: int, kept: list[int]) -> None:
    """``kept`` are groups: a head of keys and values, and those of queries that read it."""
    anatomy, width = body.anatomy, body.head_width
    assert anatomy.query and anatomy.output
    shared = body.heads // body.groups
    one = torch.tensor(kept)[:, None] * width + torch.arange(width)
    several = torch.tensor(kept)[:, None] * width * shared + torch.arange(width * shared)
    for part in anatomy.keys:
        _take(body, weights, number, part, one.flatten(), outputs=True)
    _take(body, weights, number, anatomy.query, several.flatten(), outputs=True)
    _take(body, weights, number, anatomy.output, several.flatten(), outputs=False)


def _take(
    body: Body, weights: dict[str, torch.Tensor], number: int, part: str, index: torch.Tensor, *, outputs: bool
) -> None:
    """Leave of a layer's weights, and of its bias where it is one of outputs, what ``index`` names."""
    name = body.path(number, part)
    index = index.to(weights[f"{name}.weight"].device)
    side = int(outputs) if is_transposed(body.part(number, part)) else int(not outputs)
    weights[f"{name}.weight"] = weights[f"{name}.weight"].index_select(side, index)
    if outputs and f"{name}.bias" in weights:
        weights[f"{name}.bias"] = weights[f"{name}.bias"].index_select(0, index)

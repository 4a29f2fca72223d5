"""A whole shape from a few numbers, with every guess named.

A model of P parameters is given the proportions of the GPT-3 family
(https://arxiv.org/abs/2005.14165 table 2.1), which deepens and widens together: P is about
``12 · layers · hidden²``, and ``hidden`` about 128 times the layers, in multiples of 128.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from aictl.core.errors import BadRequest
from aictl.planning.config_json import MOST
from aictl.planning.shape import Shape

HEAD_WIDTH = 128
SMALL_HEAD_WIDTH = 64  # below a hidden size of 2048
VOCABULARY = 51_200  # GPT-2's 50,257 padded for tensor parallelism, as in Megatron-LM
LEAST_PARAMETERS, MOST_PARAMETERS = 1e5, 1e15
DISAGREEMENT = 0.25  # by which stated parameters may differ from the shape's


class Given(NamedTuple):
    """What was said of a model; None where nothing was."""

    parameters: float | None = None
    layers: int | None = None
    hidden: int | None = None
    heads: int | None = None
    key_value_heads: int | None = None
    feed_forward: int | None = None
    vocabulary: int | None = None
    gated: bool | None = None
    experts: int | None = None
    experts_per_token: int | None = None


def assume(given: Given) -> tuple[Shape, list[str]]:
    """A shape and what was assumed for it, a phrase each. Raises :class:`BadRequest` where the numbers
    are absurd or contradict each other."""
    _within_reason(given)
    assumed: list[str] = []

    def guess(name: str, value: int, because: str) -> int:
        assumed.append(f"{name} {value:,} ({because})")
        return value

    gated, experts = bool(given.gated), given.experts or 0
    usual = _vocabulary(given.parameters)
    vocabulary = given.vocabulary or guess(
        "vocabulary", usual, "GPT-2's, padded" if usual == VOCABULARY else "a small one"
    )
    hidden = given.hidden or guess("hidden size", _width(given, vocabulary), "proportions of the GPT-3 family")
    heads = given.heads or guess("heads", _heads(hidden, given.key_value_heads or 1), "of 128 or 64 each")
    if hidden % heads:
        raise BadRequest(f"{heads} heads do not divide a hidden size of {hidden}", cure="--heads divides --hidden")
    keys = given.key_value_heads or heads
    if heads % keys:
        raise BadRequest(
            f"{keys} key/value heads do not divide {heads} heads", cure="--key-value-heads divides --heads"
        )
    wide = given.feed_forward or guess(
        "feed-forward width", _feed_forward(hidden, gated), "8/3 times as wide" if gated else "4 times as wide"
    )
    if given.gated is None:
        assumed.append("a plain feed-forward part (--gated for SwiGLU)")
    per_token = given.experts_per_token or (guess("experts a token", min(2, experts), "as Mixtral") if experts else 0)
    if per_token > experts:
        raise BadRequest(f"a token cannot go through {per_token} of {experts} experts")
    shape = Shape(
        layers=given.layers or 1,
        hidden=hidden,
        heads=heads,
        vocabulary=vocabulary,
        key_value_heads=keys,
        head_width=hidden // heads,
        feed_forward=wide,
        gated=gated,
        tied=True,
        experts=experts,
        experts_per_token=per_token,
    )
    assumed.append("tied embeddings")
    if given.layers is None:
        assert given.parameters is not None
        body = max(given.parameters - vocabulary * hidden, 0.1 * given.parameters)
        shape = shape._replace(layers=guess("layers", _even(body / shape.layer), "from the parameters"))
    _agrees(given, shape)
    return shape, assumed


def _within_reason(given: Given) -> None:
    if given.parameters is None and (given.layers is None or given.hidden is None):
        raise BadRequest(
            "no model: it takes MODEL, or --params, or --layers and --hidden",
            cure="give a checkpoint, a config.json, or for example --params 7e9",
        )
    if given.parameters is not None and not LEAST_PARAMETERS <= given.parameters <= MOST_PARAMETERS:
        raise BadRequest(
            f"--params {given.parameters:g} is not the size of a language model",
            cure=f"it counts parameters: from {LEAST_PARAMETERS:g} to {MOST_PARAMETERS:g}, such as 7e9",
        )
    for name in ("layers", "hidden", "heads", "key_value_heads", "feed_forward", "vocabulary", "experts"):
        value = getattr(given, name)
        if value is not None and value > MOST[name]:
            raise BadRequest(f"--{name.replace('_', '-')} {value:,} is more than {MOST[name]:,}")


def _width(given: Given, vocabulary: int) -> int:
    """The hidden size of so many parameters: hidden is 128 times the layers, less for small models as
    GPT-3's are (125M: 64 times), or what the given layers need. It is a multiple that cuts into 2, 4, 8
    equal parts."""
    assert given.parameters is not None
    matrices, wide = (3, 8 / 3) if given.gated else (2, 4)
    grouped = given.key_value_heads / (given.heads or max(64, given.key_value_heads)) if given.key_value_heads else 1
    per_layer = 2 + 2 * grouped + matrices * wide * max(1, given.experts or 0)  # matrices, in units of hidden²
    ratio = 128 if given.parameters >= 5e9 else 85 if given.parameters >= 1e9 else 64
    width = 0.0
    for _ in range(8):  # the table of the vocabulary takes its part
        body = max(given.parameters - vocabulary * width, 0.1 * given.parameters)
        whole = body / per_layer  # layers · hidden²
        width = math.sqrt(whole / given.layers) if given.layers else (ratio * whole) ** (1 / 3)
    unit = 1024 if width >= 4000 else 512 if width >= 2000 else 128
    return max(128, round(width / unit) * unit)


def _vocabulary(parameters: float | None) -> int:
    """Tokens of the vocabulary: less where its table would be most of the model."""
    if parameters is None or parameters >= 1e8:
        return VOCABULARY
    return 16_384 if parameters >= 2e7 else 4_096


def _even(layers: float) -> int:
    """Layers that pipelines can share: multiples of 8 in deep models, of 4 and 2 in others."""
    unit = 8 if layers >= 60 else 4 if layers >= 24 else 2 if layers >= 8 else 1
    return max(1, round(layers / unit) * unit)


def _heads(hidden: int, key_value_heads: int) -> int:
    """Heads of the usual width, or the nearest number that divides and that the key/value heads do."""
    near = hidden / (HEAD_WIDTH if hidden >= 2048 else SMALL_HEAD_WIDTH)
    possible = [n for n in range(1, hidden + 1) if hidden % n == 0 and n % key_value_heads == 0]
    return min(possible, key=lambda n: abs(n - near), default=max(1, round(near)))


def _feed_forward(hidden: int, gated: bool) -> int:
    return math.ceil(8 * hidden / 3 / 256) * 256 if gated else 4 * hidden


def _agrees(given: Given, shape: Shape) -> None:
    """Stated parameters and stated shape have to be of one model."""
    if given.parameters is None or given.layers is None or given.hidden is None:
        return
    counted = shape.parameters.total
    if abs(counted / given.parameters - 1) > DISAGREEMENT:
        raise BadRequest(
            f"--params says {given.parameters:.3g} and a model of {shape.layers} layers and a hidden size of "
            f"{shape.hidden:,} has {counted:.3g}",
            cure="correct one of them, or give --feed-forward, --gated or --experts if that is the difference",
        )

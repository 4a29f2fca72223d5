"""Where a network has its layers, heads and neurons, for the kinds whose state dicts are known here.

A kind is one by its ``model_type``. Names of modules are relative to a layer, and layers to the network without its
head. What a configuration calls each count is beside it; where it has no word for it, as BERT's has none for heads
that are fewer than the width has room for, that cannot be cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

from aictl.core.errors import BadRequest


@dataclass(frozen=True)
class Anatomy:
    """``enters`` are the matrices whose outputs are the neurons, ``leaves`` the one that reads them. Where ``doubled``,
    the first half of an entering matrix's outputs are the neurons, and the second their gates. Queries, keys and values
    are matrices of their own where heads can be cut. ``bound`` layers stay: the network begins with them in another
    way."""

    layers: str
    enters: tuple[str, ...]
    leaves: str
    layer_count: str = "num_hidden_layers"
    neuron_count: str = "intermediate_size"
    doubled: bool = False
    query: str | None = None
    keys: tuple[str, ...] = ()
    output: str | None = None
    bound: tuple[int, ...] = ()


_LLAMA = Anatomy(
    "layers",
    ("mlp.gate_proj", "mlp.up_proj"),
    "mlp.down_proj",
    query="self_attn.q_proj",
    keys=("self_attn.k_proj", "self_attn.v_proj"),
    output="self_attn.o_proj",
)
_BERT = Anatomy("encoder.layer", ("intermediate.dense",), "output.dense")

ANATOMIES: Mapping[str, Anatomy] = {
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gpt2": Anatomy("h", ("mlp.c_fc",), "mlp.c_proj", layer_count="n_layer", neuron_count="n_inner"),
    "bert": _BERT,
    "roberta": _BERT,
    "xlm-roberta": _BERT,
    "distilbert": Anatomy(
        "transformer.layer", ("ffn.lin1",), "ffn.lin2", layer_count="n_layers", neuron_count="hidden_dim"
    ),
    # Its first layer has no norm of its own, as the embeddings end with one.
    "modernbert": Anatomy("layers", ("mlp.Wi",), "mlp.Wo", doubled=True, bound=(0,)),
    "vit": Anatomy(
        "layers",
        ("mlp.fc1",),
        "mlp.fc2",
        query="attention.q_proj",
        keys=("attention.k_proj", "attention.v_proj"),
        output="attention.o_proj",
    ),
}


class Body:
    """A network's layers, opened: what there is of each part, and where."""

    def __init__(self, model: PreTrainedModel) -> None:
        """Raises :class:`BadRequest` for a kind of network that is not known here."""
        kind = model.config.model_type
        found = ANATOMIES.get(kind)
        if found is None:
            raise BadRequest(
                f"where a {kind} has its heads, neurons and layers is not known here",
                cure=f"known are {', '.join(ANATOMIES)}; optimize prune --method magnitude takes any network",
            )
        self.anatomy: Anatomy = found
        self.model = model
        self.prefix = f"{model.base_model_prefix}." if model.base_model is not model else ""
        layers = model.base_model.get_submodule(found.layers)
        assert isinstance(layers, torch.nn.ModuleList)
        self.layers = layers

    def path(self, number: int, part: str) -> str:
        """The name of a part of a layer, as in the state dict."""
        return f"{self.prefix}{self.anatomy.layers}.{number}.{part}"

    def part(self, number: int, part: str) -> Any:
        return self.layers[number].get_submodule(part)

    @property
    def neurons(self) -> int:
        """Of each layer."""
        return in_features(self.part(0, self.anatomy.leaves))

    @property
    def heads(self) -> int:
        """Of queries, in each layer."""
        return int(self.model.config.num_attention_heads)

    @property
    def groups(self) -> int:
        """Heads of keys and values in each layer: the heads of queries that share one are a group."""
        return int(getattr(self.model.config, "num_key_value_heads", None) or self.heads)

    @property
    def head_width(self) -> int:
        return in_features(self.part(0, self.anatomy.output)) // self.heads if self.anatomy.output else 0


def is_transposed(module: torch.nn.Module) -> bool:
    """Whether a layer's weight has inputs first, as GPT-2's have."""
    return type(module).__name__ == "Conv1D"


def in_features(module: Any) -> int:
    return int(module.weight.shape[0 if is_transposed(module) else 1])

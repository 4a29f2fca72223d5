"""The shape of a transformer: its widths and counts, and what follows from them.

Lengths are in elements. ``query_width`` is heads · head_width and ``key_value_width`` is
key_value_heads · head_width. A layer has the attention's projections, of shapes
(hidden, query_width + 2 · key_value_width) and (query_width, hidden), and a feed-forward part of
(hidden, feed_forward), twice where it is gated, and (feed_forward, hidden). A mixture of experts has
the latter once for every expert, and a token goes through ``experts_per_token`` of them and through
the shared ones.
"""

from __future__ import annotations

from typing import NamedTuple


class Latent(NamedTuple):
    """Attention over compressed keys and values (DeepSeek-V2, https://arxiv.org/abs/2405.04434):
    the cache of a token and layer is ``rank + rotary_width`` elements."""

    rank: int
    rotary_width: int
    query_rank: int = 0
    value_width: int = 128


class Parameters(NamedTuple):
    """How many parameters each part of a model has."""

    embedding: int
    positions: int
    attention: int
    feed_forward: int
    experts: int
    norms: int
    head: int

    @property
    def total(self) -> int:
        return sum(self)


class Shape(NamedTuple):
    """A decoder-only transformer, dense or a mixture of experts."""

    layers: int
    hidden: int
    heads: int
    vocabulary: int
    key_value_heads: int
    head_width: int
    feed_forward: int
    gated: bool = False
    tied: bool = False
    parallel_block: bool = False
    positions: int = 0
    experts: int = 0
    experts_per_token: int = 0
    shared_experts: int = 0
    dense_layers: int = 0
    dense_feed_forward: int = 0
    latent: Latent | None = None
    context: int = 0

    @property
    def query_width(self) -> int:
        return self.heads * self.head_width

    @property
    def key_value_width(self) -> int:
        return self.key_value_heads * self.head_width

    @property
    def gates(self) -> int:
        """Matrices into the feed-forward width: one, or two where one gates the other."""
        return 2 if self.gated else 1

    @property
    def copies(self) -> int:
        """Feed-forward parts that a token goes through."""
        return self.experts_per_token + self.shared_experts if self.experts else 1

    @property
    def attention_layer(self) -> int:
        """Parameters of one layer's attention matrices."""
        if self.latent is None:
            return self.hidden * (2 * self.query_width + 2 * self.key_value_width)
        key_width = self.head_width + self.latent.rotary_width
        rank = self.latent.query_rank
        query = rank * (self.hidden + self.heads * key_width) if rank else self.hidden * self.heads * key_width
        down = self.hidden * (self.latent.rank + self.latent.rotary_width)
        up = self.latent.rank * self.heads * (self.head_width + self.latent.value_width)
        return query + down + up + self.heads * self.latent.value_width * self.hidden

    @property
    def feed_forward_part(self) -> int:
        """Parameters of one feed-forward part: of one expert, in a mixture of experts."""
        return (self.gates + 1) * self.hidden * self.feed_forward

    @property
    def adapted(self) -> list[tuple[int, int]]:
        """Inputs and outputs of each matrix of a layer that has adapters; experts have none, as their router
        would have to be trained with them."""
        hidden, wide = self.hidden, self.feed_forward
        into = [(hidden, self.query_width), (hidden, self.key_value_width), (hidden, self.key_value_width)]
        ends = [*into, (self.query_width, hidden)]
        if not self.experts:
            ends += [(hidden, wide)] * self.gates + [(wide, hidden)]
        return ends

    @property
    def dense_layer(self) -> int:
        """Matrix parameters of a layer that every token goes through: a mixture's experts are left
        out, and its few dense layers are spread evenly over all."""
        if not self.experts:
            return self.attention_layer + self.feed_forward_part
        extra = (self.gates + 1) * self.hidden * self.dense_feed_forward * self.dense_layers / self.layers
        sparse = (self.layers - self.dense_layers) / self.layers
        own = self.shared_experts * self.feed_forward_part + self.hidden * self.experts
        return self.attention_layer + round(extra + sparse * own)

    @property
    def expert_layer(self) -> int:
        """Parameters of one layer's routed experts, spread evenly over all layers."""
        return round(self.experts * self.feed_forward_part * (self.layers - self.dense_layers) / self.layers)

    @property
    def layer(self) -> int:
        """Matrix parameters of one layer."""
        return self.dense_layer + self.expert_layer

    @property
    def active_layer(self) -> int:
        """Matrix parameters of one layer that a token is multiplied with."""
        return self.dense_layer + (self.expert_layer * self.experts_per_token // self.experts if self.experts else 0)

    @property
    def parameters(self) -> Parameters:
        table = self.vocabulary * self.hidden
        dense = self.layers * (self.dense_layer - self.attention_layer)
        return Parameters(
            embedding=table,
            positions=self.positions * self.hidden,
            attention=self.layers * self.attention_layer,
            feed_forward=dense,
            experts=self.layers * self.expert_layer,
            norms=(2 * self.layers + 1) * self.hidden,
            head=0 if self.tied else table,
        )

    @property
    def active_parameters(self) -> int:
        """Parameters that one token meets, tables included."""
        return self.parameters.total - self.layers * (self.layer - self.active_layer)

    def flops_per_token(self, sequence_length: int, *, causal: bool = False) -> float:
        """Model FLOPs of one token, forward and backward: ``6 · (layers · active_layer + vocabulary ·
        hidden) + 12 · layers · query_width · sequence_length``.

        The attention is counted in full, as in PaLM's and Megatron's MFU (https://arxiv.org/abs/2204.02311
        appendix B, https://arxiv.org/abs/2205.05198 equation 7), or by its lower half with
        ``causal``. The embedding multiplies nothing.
        """
        attention = 12 * self.layers * self.query_width * sequence_length * (0.5 if causal else 1)
        return 6 * (self.layers * self.active_layer + self.vocabulary * self.hidden) + attention

    def cache_bytes_per_token(self, element_bytes: float = 2) -> float:
        """Bytes of keys and values that one token leaves in the cache: ``2 · layers ·
        key_value_width · element_bytes``."""
        if self.latent:
            return self.layers * (self.latent.rank + self.latent.rotary_width) * element_bytes
        return 2 * self.layers * self.key_value_width * element_bytes

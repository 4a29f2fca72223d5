"""Serving: how many requests fit beside the weights, and how fast they are answered.

A pass pushes new tokens through the model: a prompt's all at once, then one a request. Its products
read the weights once whatever their number, its attention reads the cache, and in small passes the
kernels' own time counts: ``decode_layer_s`` a layer, ``prompt_layer_s`` more where a pass is over prompts
and so of a size that no captured graph has, ``decode_all_reduce_s`` for each of its two all-reduces over
tensor-parallel ranks.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from aictl.planning.catalogue import Accelerator
from aictl.planning.constants import SHIPPED, Constants
from aictl.planning.kernels import Kernels
from aictl.planning.shape import Shape
from aictl.planning.traffic import Fabric

RESERVED_BYTES = 2e9  # context and workspace of one accelerator
CACHE_SHARE = 0.9  # of the rest that a server may fill, as vLLM's default
PASS_TOKENS = 8192  # prompts share passes of about so many tokens
ATTENTION_SHARE = 0.5  # of peak, of a prompt's scores
MOST_REQUESTS = 2048  # a server admits no more at once
# Up to here an all-reduce is a single exchange, beyond a ring: vLLM's csrc/custom_all_reduce.cuh, which has so much for
# four ranks and half of it for eight.
ONE_SHOT_BYTES = 512 * 2**10
DecodeAttention = Literal["grouped", "repeated"]
WEIGHT_BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "int4": 0.5625}  # int4: scales of 32


class Service(NamedTuple):
    """A model on ``tensor_parallel`` accelerators: one replica. ``weight_bytes`` and ``cache_bytes`` are
    of one element. ``runtime`` is what runs it, ``stored_bytes`` the size of its weights where it is known.
    ``decode_attention`` says whether keys and values are read once for all query heads that share them, or
    for each of these, as kernels of 2023 did."""

    shape: Shape
    accelerator: Accelerator
    kernels: Kernels
    fabric: Fabric
    tensor_parallel: int
    weight_bytes: float
    cache_bytes: float
    runtime: str = "torch"
    stored_bytes: float | None = None
    decode_attention: DecodeAttention = "grouped"

    @classmethod
    def of(
        cls,
        shape: Shape,
        accelerator: Accelerator,
        tensor_parallel: int = 1,
        *,
        weights: str = "bf16",
        cache: str = "bf16",
        runtime: str = "torch",
        stored_bytes: float | None = None,
        decode_attention: DecodeAttention = "grouped",
        constants: Constants = SHIPPED,
    ) -> Service:
        """``weights`` and ``cache`` are number formats; products run in the weights' format where the
        accelerator has it and in 16 bits where it does not."""
        peaks = accelerator.formats
        usual = next(one for one in ("bf16", "fp16", "fp32") if one in peaks)
        products = weights if weights in peaks and weights != "int8" else usual
        return cls(
            shape,
            accelerator,
            Kernels.of(accelerator, products, constants),
            Fabric.of(accelerator, constants),
            tensor_parallel,
            WEIGHT_BYTES[weights],
            WEIGHT_BYTES[cache],
            runtime,
            stored_bytes,
            decode_attention,
        )

    @property
    def weights_total_bytes(self) -> float:
        """Bytes of the model's weights on all accelerators of a replica; tables stay in 16 bits or more."""
        if self.stored_bytes is not None:
            packed = self.weight_bytes <= WEIGHT_BYTES["int8"] and self.accelerator.generation == "cpu"
            return self.stored_bytes * (self.kernels.constants.packed_weights if packed else 1)
        parts = self.shape.parameters
        tables = parts.embedding + parts.head + parts.positions
        return self.weight_bytes * (parts.total - tables) + max(self.weight_bytes, 2.0) * tables

    @property
    def cache_bytes_per_token(self) -> float:
        """Bytes of one token's keys and values on all accelerators of a replica; fewer key/value heads
        than accelerators are copied."""
        whole = self.shape.cache_bytes_per_token(self.cache_bytes)
        if self.shape.latent:
            return whole * self.tensor_parallel
        return whole * max(1.0, self.tensor_parallel / self.shape.key_value_heads)

    @property
    def cache_room_bytes(self) -> float:
        """Bytes for keys and values on all accelerators of a replica; below 0 the weights overflow."""
        each = CACHE_SHARE * (self.accelerator.memory_bytes - self.reserved_bytes)
        return self.tensor_parallel * each - self.weights_total_bytes

    @property
    def reserved_bytes(self) -> float:
        """Bytes of one accelerator that are no weights or cache: measured where it was benched, and on a
        processor the tokenizer too."""
        chip = self.accelerator
        measured = chip.measured.runtime_bytes.get(self.runtime) if chip.measured else None
        if measured is None:
            return min(RESERVED_BYTES, 0.1 * chip.memory_bytes)
        tokenizer = self.shape.vocabulary * self.kernels.constants.tokenizer_bytes
        return measured + (tokenizer if chip.generation == "cpu" else 0)

    def requests_at_once(self, context: float) -> int:
        """Requests of ``context`` tokens whose keys and values fit."""
        return int(max(0, min(MOST_REQUESTS, self.cache_room_bytes // (self.cache_bytes_per_token * context))))

    def longest_context(self) -> int:
        """Tokens that one request alone may have."""
        return int(max(0, self.cache_room_bytes // self.cache_bytes_per_token))

    @property
    def reads_of_cache(self) -> float:
        """How many times one more token reads its keys and values from memory: once, or for each query head
        that shares them less what it finds in the chip's own cache."""
        shape, constants = self.shape, self.kernels.constants
        if self.decode_attention == "grouped" or shape.latent:
            return 1.0
        share = constants.repeated_reads if self.cache_bytes > 1 else constants.repeated_reads_fp8
        return 1 + share * (shape.heads / shape.key_value_heads - 1)

    def pass_time(self, tokens: float, context: float, requests: int) -> float:
        """Seconds to push ``tokens`` new tokens of ``requests`` requests through the model, each request
        with ``context`` tokens behind it."""
        shape, kernels, t = self.shape, self.kernels, self.tensor_parallel
        each = tokens / requests
        products = self._products(tokens)
        flops = 4 * tokens * (context + each / 2) * shape.query_width / t
        cache = shape.cache_bytes_per_token(self.cache_bytes) / shape.layers / t
        reads = self.reads_of_cache if each == 1 else 1.0  # a prompt's kernel shares what it reads
        attention = max(
            flops / (self._attention_peak() * ATTENTION_SHARE),
            kernels.move(reads * requests * (context + each) * cache),
        )
        elementwise = kernels.move(tokens * (16 * shape.hidden + 6 * shape.feed_forward * shape.copies / t))
        small = kernels.constants.decode_layer_s + 2 * self._all_reduce(2 * tokens * shape.hidden)
        if each > 1 and not kernels.operator_s:  # which counts each launch, where it was measured
            small += kernels.constants.prompt_layer_s
        head = kernels.product(requests, shape.vocabulary / t, shape.hidden, 2)
        return shape.layers * (products + attention + elementwise + small) + head

    def _all_reduce(self, size_bytes: float) -> float:
        """Seconds to add up a tensor over the ranks: what a small one takes, and a ring's time. Only beyond
        :data:`ONE_SHOT_BYTES` does a ring's latency count, the small one having its own."""
        t = self.tensor_parallel
        if t == 1:
            return 0.0
        ring = self.fabric.gather(size_bytes, t, t)
        if size_bytes <= ONE_SHOT_BYTES:
            ring -= self.fabric.gather(0, t, t)
        return self.kernels.constants.decode_all_reduce_s + 2 * ring

    def _attention_peak(self) -> float:
        """Scores are computed in 16 bits."""
        peaks = self.accelerator.formats
        return next((peaks[one] for one in ("bf16", "fp16", "fp32") if one in peaks), self.kernels.peak)

    def _products(self, tokens: float) -> float:
        shape, t, width = self.shape, self.tensor_parallel, self.weight_bytes
        hidden, inner = shape.hidden, shape.feed_forward / t
        product = self.kernels.product
        seconds = product(tokens, hidden, shape.query_width / t, width)
        if shape.latent:
            seconds += product(tokens, (shape.attention_layer - shape.query_width * hidden) / hidden / t, hidden, width)
        else:
            seconds += product(tokens, (shape.query_width + 2 * shape.key_value_width) / t, hidden, width)
        if not shape.experts:
            return seconds + product(tokens, shape.gates * inner, hidden, width) + product(tokens, hidden, inner, width)
        # Few tokens meet only some of the experts, whose weights are all that is read.
        met = shape.experts * (1 - (1 - shape.experts_per_token / shape.experts) ** tokens)
        rows = tokens * shape.experts_per_token / met
        one = product(rows, shape.gates * inner, hidden, width) + product(rows, hidden, inner, width)
        if shape.shared_experts:
            shared = inner * shape.shared_experts
            seconds += product(tokens, shape.gates * shared, hidden, width) + product(tokens, hidden, shared, width)
        return seconds + met * one

    def first_token_s(self, prompt: float, requests: int = 1) -> float:
        """Seconds until prompts that arrive together have their first tokens."""
        return self.pass_time(requests * prompt, 0, requests)

    def token_s(self, requests: int, context: float) -> float:
        """Seconds for one more token of each request."""
        return self.pass_time(requests, context, requests)

    def batch_tokens_per_s(self, requests: int, prompt: int, output: int) -> float:
        """Output tokens/s of a batch that starts and ends together."""
        first = self.first_token_s(prompt, requests)
        return requests * output / (first + (output - 1) * self.token_s(requests, prompt + output / 2))

    def steady_tokens_per_s(self, requests: int, prompt: int, output: int) -> float:
        """Output tokens/s where a request that ends makes room for the next at once:
        ``requests · output / (requests · prefill + output · token)``, prompts sharing passes."""
        together = max(1, min(requests, PASS_TOKENS // prompt))
        prefill = self.first_token_s(prompt, together) / together
        return requests * output / (requests * prefill + output * self.token_s(requests, prompt + output / 2))

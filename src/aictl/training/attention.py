"""Attention within documents that share a row, at the cost of the documents and not of the row.

``install`` makes it the attention of a transformers model, and ``arguments`` gives what the model's ``forward`` is
then handed for a batch. A mask over the whole row would say the same and cost the row's square: 1,024 positions of 26
documents take 36 ms here where the mask takes 103. On a CPU documents of like length are gathered and attended to as a
batch of their own; on CUDA torch's kernel for sequences of any length takes them as they lie.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from transformers import AttentionInterface, PreTrainedModel

from aictl.core.errors import BadRequest
from aictl.planning.memory import BLOCK, LONGEST
from aictl.training.batches import TokenBatch

NAME = "aictl_documents"

# On a CPU, plain products over blocks of BLOCK queries, each with the keys up to it, are faster than the fused kernel
# in bf16, which repacks its matrices at every call, and in every format once they are compiled. They keep the weights
# for the backward pass, which grow with the square of the length, and so are for documents of at most LONGEST tokens;
# python -m tests.bench.operations has the figures.

# Documents of one group are padded to the longest of it; groups end at these lengths, then at multiples of the last.
STEPS = (16, 32, 64, 128, 256)
OF_OTHERS = ("softcap", "s_aux", "position_bias")
_KNOWN_LAYERS = {"full_attention", "sliding_attention"}
_REFUSED = "documents cannot be kept apart within a row in a model of type"
_CURE = "leave out the option that puts several of them into a row"


@dataclass(frozen=True)
class Documents:
    """Where the documents of a batch of packed rows lie, its rows put one after the other.

    ``groups`` are int64 indices of shape (documents, longest of them), those beyond a document's end being any of its
    own; ``back`` says where each position's result lies among the groups' results. ``ends`` are int32, from 0 to the
    number of positions, and ``longest`` is the length of the longest document.
    """

    groups: Sequence[torch.Tensor]
    back: torch.Tensor
    ends: torch.Tensor
    longest: int


def starts_of(inputs: torch.Tensor, end: int) -> torch.Tensor:
    """Where the documents of rows of tokens begin, each closed by the token ``end``: what ``TokenBatch.starts`` is for
    a corpus whose documents stand one after another."""
    begins = torch.zeros_like(inputs)
    begins[:, 1:] = (inputs[:, :-1] == end) * torch.arange(1, inputs.shape[1])
    return begins.cummax(1).values


def documents_of(starts: torch.Tensor, device: torch.device) -> Documents:
    """``starts``, int64 on the CPU of shape (rows, positions), is where in its row the document of a position
    begins."""
    rows, width = starts.shape
    begins = (starts == torch.arange(width)).flatten().nonzero().flatten()
    ends = torch.cat([begins, torch.tensor([rows * width])])
    lengths = ends.diff()
    longest = int(lengths.max())
    groups: list[torch.Tensor] = []
    back = torch.empty(rows * width, dtype=torch.int64)
    done = 0
    if device.type == "cpu":
        for low, high in pairwise((0, *_steps(longest))):
            chosen = (lengths > low) & (lengths <= high)
            if not chosen.any():
                continue
            first, size = begins[chosen, None], lengths[chosen, None]
            places = torch.arange(int(size.max()))
            index = first + torch.minimum(places, size - 1)
            real = places < size
            back[index[real]] = done + real.flatten().nonzero().flatten()
            done += index.numel()
            groups.append(index)
    return Documents(groups, back, ends.to(device, torch.int32), longest)


def _steps(longest: int) -> Iterable[int]:
    return (*STEPS, *range(2 * STEPS[-1], longest + STEPS[-1], STEPS[-1]))


def install(model: PreTrainedModel) -> None:
    """Make it the model's attention. Raises :class:`BadRequest` for one that mixes positions in another way too."""
    config = model.config.get_text_config()
    others = set(getattr(config, "layer_types", None) or ()) - _KNOWN_LAYERS
    capped = getattr(config, "attn_logit_softcapping", None) is not None
    if others or capped or not model._supports_sdpa or getattr(model, "_is_stateful", False):
        why = f", which has layers of {', '.join(sorted(others))}" if others else ""
        raise BadRequest(f"{_REFUSED} '{config.model_type}'{why}", cure=_CURE)
    AttentionInterface.register(NAME, attend)
    model.set_attn_implementation(NAME)


def arguments(model: torch.nn.Module, batch: TokenBatch) -> dict[str, Any]:
    """What ``forward`` takes beside the tokens, on their device: nothing where each row is one document.

    Positions begin anew with each document. Without :func:`install` transformers tells the documents apart by them,
    and masks the row.
    """
    if batch.starts is None:
        return {}
    device = batch.inputs.device
    given: dict[str, Any] = {"position_ids": (torch.arange(batch.starts.shape[1]) - batch.starts).to(device)}
    if model.config.get_text_config()._attn_implementation == NAME:
        given["documents"] = documents_of(batch.starts, device)
    return given


class How(NamedTuple):
    """The factor of the scores, the share of the weights that is dropped, and how far back a position sees."""

    scale: float
    dropout: float
    window: int | None


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    documents: Documents | None = None,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention as transformers calls it: ``query`` of shape (rows, heads, positions, width of a head), ``key``
    and ``value`` alike with as many heads or fewer; the result has the positions before the heads."""
    if lacking := next((name for name in OF_OTHERS if others.get(name) is not None), None):
        raise BadRequest(f"{_REFUSED} '{module.config.model_type}', whose attention has '{lacking}'", cure=_CURE)
    how = How(query.shape[-1] ** -0.5 if scaling is None else scaling, dropout, sliding_window)
    # Rotary positions leave float32 behind, and autocast would turn it back for the fused kernel alone.
    kind = query.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else query.dtype
    query, key, value = (one.to(dtype).transpose(1, 2) for one in (query, key, value))
    if documents is None:
        return _causal(query, key, value, how), None
    rows, positions = query.shape[:2]
    flat = [one.flatten(0, 1) for one in (query, key, value)]
    if documents.groups:
        made = _grouped(flat, documents, how)
    elif query.dtype == torch.float32 or dropout:
        made = _one_by_one(flat, documents, how)
    else:
        made = _varlen(flat, documents, how)
    return made.unflatten(0, (rows, positions)), None


def _grouped(flat: Sequence[torch.Tensor], documents: Documents, how: How) -> torch.Tensor:
    """``flat`` are query, key and value of shape (positions, heads, width)."""
    found = []
    for index in documents.groups:
        query, key, value = (one.index_select(0, index.flatten()).unflatten(0, index.shape) for one in flat)
        found.append(_causal(query, key, value, how).flatten(0, 1))
    return torch.cat(found).index_select(0, documents.back)


def _one_by_one(flat: Sequence[torch.Tensor], documents: Documents, how: How) -> torch.Tensor:
    sizes = documents.ends.diff().tolist()
    pieces = zip(*(one.split(sizes) for one in flat), strict=True)
    return torch.cat([_causal(query[None], key[None], value[None], how)[0] for query, key, value in pieces])


def _varlen(flat: Sequence[torch.Tensor], documents: Documents, how: How) -> torch.Tensor:
    from torch.nn.attention.varlen import varlen_attn

    query, key, value = flat
    return varlen_attn(
        query,
        key,
        value,
        documents.ends,
        documents.ends,
        documents.longest,
        documents.longest,
        scale=how.scale,
        window_size=(-1 if how.window is None else how.window - 1, 0),
        enable_gqa=query.shape[1] != key.shape[1],
    )


def _causal(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, how: How) -> torch.Tensor:
    """Over whole rows, whose shape is (rows, positions, heads, width)."""
    query, key, value = (one.transpose(1, 2) for one in (query, key, value))
    length = query.shape[2]
    faster = query.dtype == torch.bfloat16 or torch.compiler.is_compiling()
    if query.device.type == "cpu" and faster and length <= LONGEST:
        return _by_blocks(query, key, value, how).transpose(1, 2)
    banded = how.window is not None and length > how.window
    made = F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=~_unseen(0, length, how.window, query.device) if banded else None,
        dropout_p=how.dropout,
        is_causal=not banded,
        scale=how.scale,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return made.transpose(1, 2)


def _by_blocks(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, how: How) -> torch.Tensor:
    """Plain matrix products and a float32 softmax; the heads that share a key are one product."""
    rows, heads, length, width = query.shape
    key, value = key.contiguous(), value.contiguous()  # or the product of each block would keep a copy of its part
    parts = []
    for start in range(0, length, BLOCK):
        end = min(start + BLOCK, length)
        together = (rows, key.shape[1], heads // key.shape[1] * (end - start))
        scores = query[:, :, start:end].reshape(*together, width) @ key[:, :, :end].transpose(-1, -2)
        scores = scores.view(rows, heads, end - start, end).float() * how.scale
        unseen = _unseen(start, end, how.window, query.device)
        shares = scores.masked_fill(unseen, -torch.inf).softmax(-1).to(value.dtype)
        if how.dropout:
            shares = F.dropout(shares, how.dropout)
        part = shares.view(*together, end) @ value[:, :, :end]
        parts.append(part.view(rows, heads, end - start, width))
    return torch.cat(parts, dim=2)


def _unseen(start: int, end: int, window: int | None, device: torch.device) -> torch.Tensor:
    """What positions from ``start`` to ``end`` do not see of those up to ``end``: what comes later, and what lies
    ``window`` positions back or more."""
    places = torch.arange(end, device=device)
    asking = places[start:, None]
    later = places > asking
    return later if window is None else later | (places <= asking - window)

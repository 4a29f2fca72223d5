"""The forward pass of an adapted layer as one operation, where peft takes a dozen.

An adapted layer is ``x W' + scale (x A') B'`` with W frozen. Written out, its gradient needs no full-size
intermediate: the second term is added in the matrix product that makes it, forwards and backwards. Inputs that several
layers share, such as those of queries, keys and values, are cast to the number format of the products once.
"""

from __future__ import annotations

import weakref
from types import MethodType
from typing import Any

import torch
from peft.tuners.lora import Linear


def install(adapted: torch.nn.Module) -> int:
    """Let plain adapted linear layers run so, and return how many there are. Layers with dropout, DoRA, biases of
    their own or a quantised weight keep peft's way."""
    casts, count = _Casts(), 0
    for layer in adapted.modules():
        if isinstance(layer, Linear) and _is_plain(layer):
            layer.forward = MethodType(_forward_of(layer, casts), layer)
            count += 1
    return count


def _is_plain(layer: Linear) -> bool:
    base, adapters = layer.get_base_layer(), layer.active_adapters
    if type(base) is not torch.nn.Linear or len(adapters) != 1 or adapters[0] not in layer.lora_A:
        return False
    name = adapters[0]
    plain = isinstance(layer.lora_dropout[name], torch.nn.Identity) and not layer.lora_bias[name]
    return plain and not layer.use_dora[name] and not base.weight.requires_grad


def _forward_of(layer: Linear, casts: _Casts) -> Any:
    name = layer.active_adapters[0]
    usual, base = layer.forward, layer.get_base_layer()
    first, second, scale = layer.lora_A[name], layer.lora_B[name], layer.scaling[name]

    def forward(self: Linear, x: torch.Tensor, *arguments: Any, **named: Any) -> torch.Tensor:
        if arguments or named or self.disable_adapters or self.merged:
            return usual(x, *arguments, **named)
        bias = base.bias
        if bias is not None and bias.requires_grad:
            return usual(x)
        return _LowRank.apply(x, casts.of(x, base.weight.dtype), base.weight, bias, first.weight, second.weight, scale)

    return forward


class _Casts:
    """The last input and what it became, for the layers that are given the same."""

    def __init__(self) -> None:
        self._of: Any = None
        self._version = -1
        self._made: torch.Tensor | None = None

    def of(self, x: Any, dtype: torch.dtype) -> Any:
        if x.dtype == dtype:
            return x.detach()
        version = x._version  # rises when a tensor is changed in place
        known = self._of() if self._of is not None else None
        if known is not x or self._version != version or self._made is None:
            self._of, self._version, self._made = weakref.ref(x), version, x.detach().to(dtype)
        return self._made


class _LowRank(torch.autograd.Function):  # type: ignore[misc]
    """``x`` is what autograd knows, of shape (..., in), and ``cast`` the same in the format of ``weight``; ``first``
    is (rank, in) and ``second`` (out, rank), float32."""

    @staticmethod
    def forward(  # noqa: PLR0917
        ctx: Any,
        x: torch.Tensor,
        cast: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        first: torch.Tensor,
        second: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        rows = cast.reshape(-1, cast.shape[-1])
        a, b = first.to(weight.dtype), second.to(weight.dtype)
        inner = rows @ a.T
        made = torch.nn.functional.linear(rows, weight, None if bias is None else bias.to(weight.dtype))
        made.addmm_(inner, b.T, alpha=scale)
        ctx.save_for_backward(rows, inner, weight, a, b)
        ctx.scale, ctx.dtype, ctx.shape = scale, x.dtype, x.shape
        return made.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        rows, inner, weight, a, b = ctx.saved_tensors
        given = gradients[0].reshape(-1, weight.shape[0]).to(weight.dtype)
        inwards = given @ b
        into_x = None
        if ctx.needs_input_grad[0]:
            made = given @ weight
            into_x = made.addmm_(inwards, a, alpha=ctx.scale).to(ctx.dtype).view(ctx.shape)
        into_a = (inwards.T @ rows).float().mul_(ctx.scale)
        into_b = (given.T @ inner).float().mul_(ctx.scale)
        return into_x, None, None, None, into_a, into_b, None

"""Why a module could not be traced, and in which of its layers: the exporter's errors know, and say it in pages."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Any

import torch

_NO_FORM = "DispatchError"  # of the exporter, which has it in no public place


def reason(error: BaseException, module: torch.nn.Module) -> str:
    """One line: what failed, and the layer of ``module`` that it belongs to where that can be told."""
    chain = list(_causes(error))
    names = {id(layer): name for name, layer in module.named_modules() if name}
    layer: str | None = None
    has_no_form = type(chain[-1]).__name__ == _NO_FORM
    for frame in (one for cause in reversed(chain) for one in _frames(cause)):
        node, caller = frame.get("node"), frame.get("self")
        if has_no_form and isinstance(node, torch.fx.Node) and node.op == "call_function":
            return f"{node.target} has no ONNX form{_in(_of_node(node))}"
        if layer is None and id(caller) in names:
            # The innermost layer whose own code was running.
            layer = f"{_short(names[id(caller)])}, {type(caller).__name__}"
    root = chain[min(1, len(chain) - 1)]  # the exporter wraps what failed in a page of advice
    said = next(iter(str(root).strip().splitlines()), type(root).__name__)
    return f"{said}{_in(layer)}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__


def _frames(error: BaseException) -> list[dict[str, Any]]:
    """What was at hand in each call that the error passed through, the innermost first."""
    return [frame.f_locals for frame, _ in traceback.walk_tb(error.__traceback__)][::-1]


def _of_node(node: torch.fx.Node) -> str | None:
    """The layer that an operator came from: the exporter notes the path to it, outermost first."""
    path = list((node.meta.get("nn_module_stack") or {}).values())
    if not path:
        return None
    name, kind = path[-1]
    return f"{_short(name)}, {str(getattr(kind, '__name__', kind)).rpartition('.')[2]}"


def _short(name: str) -> str:
    """Without what was put around the model here to trace it."""
    for outer in ("L['self'].", "network.", "model."):
        name = name.removeprefix(outer)
    return name


def _in(layer: str | None) -> str:
    return f" (in {layer})" if layer else ""

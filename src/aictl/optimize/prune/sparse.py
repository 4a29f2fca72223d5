"""Setting single weights to zero: the smallest, or those that do least with what they are given.

The matrices keep their shapes, so that a file is as large as before and no faster but where something makes use of the
zeros: compression, or hardware that multiplies N of every M.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from transformers import PreTrainedModel

from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.optimize.prune.anatomy import ANATOMIES, Body, is_transposed
from aictl.optimize.prune.calibration import Calibration, InputNorms
from aictl.optimize.prune.spec import PruneSpec


def matrices(model: PreTrainedModel, *, convolutions: bool) -> dict[str, torch.nn.Module]:
    """The layers whose weights may be left out, by name: those within a network's layers where these are known, else
    all but the embeddings and the head. Raises :class:`BadRequest` for a mixture of experts."""
    kinds = (torch.nn.Linear, torch.nn.Conv2d) if convolutions else (torch.nn.Linear,)
    found = {name: one for name, one in model.named_modules() if isinstance(one, kinds) or is_transposed(one)}
    if model.config.model_type in ANATOMIES:
        within = Body(model).path(0, "").removesuffix("0.")
        return {name: one for name, one in found.items() if name.startswith(within)}
    # Experts lie in one tensor for all of them, which would be passed over in silence.
    if any(one.dim() == 3 and len(one) > 1 for one in model.parameters()):
        raise BadRequest(f"how the matrices of a {model.config.model_type} lie in its tensors is not known here")
    head = model.get_output_embeddings()
    heads = {name for name, one in found.items() if one is head}
    if not heads and found:  # a classifier's is its last
        heads = {list(found)[-1]}
    return {name: one for name, one in found.items() if name not in heads}


def prune(model: PreTrainedModel, spec: PruneSpec, calibration: Calibration | None, events: Events) -> list[str]:
    """Set weights of ``model`` to zero and return the names of the matrices. ``calibration`` is what Wanda measures
    inputs by. Raises :class:`BadRequest` for a network without matrices, or whose rows are no multiples of a
    pattern."""
    chosen = matrices(model, convolutions=spec.method == "magnitude")
    if not chosen:
        raise BadRequest(f"a {model.config.model_type} has no matrix from which --method {spec.method} could leave out")
    norms: Mapping[str, torch.Tensor] = {}
    if spec.method == "wanda":
        assert calibration is not None
        norms = InputNorms(chosen).measure(model, calibration, events)
        chosen = {name: module for name, module in chosen.items() if name in norms}  # the rest does nothing
    for name, module in chosen.items():
        weight = rows_first(module)
        scores = weight.abs().float()
        if spec.method == "wanda":
            scores = scores * norms[name]
        if spec.pattern is not None:
            kept, of = spec.kept_of
            if weight.shape[1] % of:
                raise BadRequest(
                    f"--pattern {spec.pattern}: the rows of {name} have {weight.shape[1]} weights, no multiple of {of}",
                    cure="leave --pattern out, and give --sparsity",
                )
            keep = pattern_mask(scores, kept, of)
        else:
            keep = share_mask(scores, spec.share, by_row=spec.method == "wanda")
        weight.mul_(keep)
    return list(chosen)


def share_mask(scores: torch.Tensor, share: float, *, by_row: bool) -> torch.Tensor:
    """True but for the lowest ``share`` of the scores: of each row, as Wanda compares them
    (https://arxiv.org/abs/2306.11695, section 3), or of all, as for magnitudes (https://arxiv.org/abs/1506.02626)."""
    flat = scores if by_row else scores.reshape(1, -1)
    out = round(share * flat.shape[1])
    keep = torch.ones_like(flat, dtype=torch.bool)
    keep.scatter_(1, flat.argsort(dim=1, stable=True)[:, :out], False)
    return keep.reshape(scores.shape)


def pattern_mask(scores: torch.Tensor, kept: int, of: int) -> torch.Tensor:
    """True for the ``kept`` highest of every ``of`` scores in a row."""
    groups = scores.reshape(scores.shape[0], -1, of)
    keep = torch.zeros_like(groups, dtype=torch.bool)
    keep.scatter_(2, groups.argsort(dim=2, descending=True, stable=True)[..., :kept], True)
    return keep.reshape(scores.shape)


def rows_first(module: torch.nn.Module) -> torch.Tensor:
    """A view of a layer's weights of shape (outputs, inputs)."""
    weight: torch.Tensor = module.weight.data
    return weight.t() if is_transposed(module) else weight.flatten(1)


class KeptZeros:
    """Keeps the weights of some matrices at zero that are zero now, whatever a step of the optimiser does."""

    def __init__(self, model: torch.nn.Module, chosen: list[str]) -> None:
        self._kept = {name: model.get_submodule(name).weight.data != 0 for name in chosen}

    def __call__(self, model: torch.nn.Module) -> None:
        for name in self._kept:
            weight = model.get_submodule(name).weight.data
            self._kept[name] = self._kept[name].to(weight.device)
            weight.mul_(self._kept[name])

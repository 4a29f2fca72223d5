"""The loss of models in which tokens are sent to experts: beside predicting, to use them evenly."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from aictl.training import attention
from aictl.training.batches import TokenBatch
from aictl.training.head import bare
from aictl.training.objective import Objective, next_token_loss


def objective_of(model: torch.nn.Module) -> Objective:
    """What to minimise for a language model: the loss of the next token and, where tokens are sent to experts, their
    balance times ``router_aux_loss_coef`` (https://arxiv.org/abs/2101.03961, equation 4)."""
    share = float(getattr(model.config, "router_aux_loss_coef", 0.0) or 0.0)
    if not share or not hasattr(model.config, "output_router_logits"):
        return next_token_loss

    def balanced(model: torch.nn.Module, batch: TokenBatch) -> torch.Tensor:
        given = attention.arguments(bare(model), batch)
        made = model(input_ids=batch.inputs, use_cache=False, output_router_logits=True, **given)
        loss = F.cross_entropy(made.logits.flatten(0, 1).float(), batch.targets.flatten(), reduction="sum")
        return loss + share * made.aux_loss.float() * batch.counted

    return balanced

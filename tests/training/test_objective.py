from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from transformers import Gemma2Config, Gemma2ForCausalLM

from aictl.training.batches import IGNORED, TokenBatch
from aictl.training.head import cross_entropy
from aictl.training.objective import judged_by, means, next_token_loss
from aictl.training.precision import Compute

CPU = Compute(torch.device("cpu"), "fp32")


def sparse_batch() -> TokenBatch:
    torch.manual_seed(0)
    inputs = torch.randint(0, 61, (3, 12))
    targets = torch.randint(0, 61, (3, 12))
    targets[0, :7] = IGNORED
    targets[2, 5:] = IGNORED
    return TokenBatch(inputs, targets, int((targets != IGNORED).sum()))


def test_the_loss_is_the_plain_cross_entropy_and_so_are_its_gradients(job):
    batch, made = sparse_batch(), job()
    logits = made.model(input_ids=batch.inputs).logits
    expected = F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORED, reduction="sum")
    expected.backward()
    gradients = {name: value.grad.clone() for name, value in made.model.named_parameters()}
    made.model.zero_grad()
    loss = next_token_loss(made.model, batch)
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    for name, value in made.model.named_parameters():
        torch.testing.assert_close(value.grad, gradients[name], rtol=1e-4, atol=1e-5)


def test_only_positions_with_a_target_reach_a_head_whose_logits_are_capped():
    sizes = {"vocab_size": 61, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8}
    model = Gemma2ForCausalLM(Gemma2Config(**sizes, **heads, final_logit_softcapping=0.5, pad_token_id=0))
    batch, seen = sparse_batch(), []
    logits = model(input_ids=batch.inputs).logits.flatten(0, 1)
    expected = F.cross_entropy(logits, batch.targets.flatten(), ignore_index=IGNORED, reduction="sum").item()
    head = model.get_output_embeddings()
    next_token_loss(model, batch)  # the head is tried out once
    head.register_forward_hook(lambda module, given, out: seen.append(out.shape[:-1].numel()))
    assert next_token_loss(model, batch).item() == pytest.approx(expected, rel=1e-5)
    assert seen == [batch.counted]
    assert len(head._forward_pre_hooks) == 0


def test_what_pads_a_sequence_on_the_right_changes_nothing(job):
    batch, made = sparse_batch(), job()
    padded = batch.inputs.clone()
    padded[2, 5:] = 0
    other = TokenBatch(padded, batch.targets, batch.counted)
    assert next_token_loss(made.model, other).item() == pytest.approx(next_token_loss(made.model, batch).item())


def test_parts_keep_every_target_and_drop_what_follows_the_last():
    batch = sparse_batch()
    parts = batch.parts(12)
    assert [part.inputs.shape for part in parts] == [(1, 12), (1, 12), (1, 5)]
    assert sum(part.counted for part in parts) == batch.counted
    assert [part.inputs.shape for part in batch.parts(10_000)] == [(3, 12)]


def test_the_mean_is_over_targets_not_batches(job):
    made, batch = job(), sparse_batch()
    parts = [
        TokenBatch(
            batch.inputs[row : row + 1], batch.targets[row : row + 1], int((batch.targets[row] != IGNORED).sum())
        )
        for row in range(3)
    ]
    judge = judged_by(next_token_loss)
    whole = means(made.model, [batch], CPU, judge)["loss"]
    assert means(made.model, parts, CPU, judge)["loss"] == pytest.approx(whole, rel=1e-5)
    assert made.model.training


def test_only_positions_with_a_target_have_logits(job, monkeypatch):
    from aictl.training import objective

    rows = []

    def seen(hidden, head, targets):
        rows.append(len(hidden))
        return cross_entropy(hidden, head, targets)

    monkeypatch.setattr(objective, "cross_entropy", seen)
    batch = sparse_batch()
    next_token_loss(job().model, batch)
    assert rows == [batch.counted]

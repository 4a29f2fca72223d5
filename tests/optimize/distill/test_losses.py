"""The losses are those of the papers, and a copy of the teacher has none."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from aictl.optimize.distill.losses import Distillation, Mixture, add_projections, soft_loss
from aictl.training.batches import IGNORED, FieldBatch, TokenBatch
from aictl.training.objective import class_loss, next_token_loss

TARGETS = torch.tensor([[5, 6, 7, IGNORED], [IGNORED, 8, IGNORED, IGNORED]])
TOKENS = TokenBatch(torch.randint(3, 300, (2, 4), generator=torch.Generator().manual_seed(0)), TARGETS, 4)


def test_the_soft_loss_is_what_the_paper_says_by_hand():
    mine, theirs = torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([[1.0, 0.0, 3.0]])
    p, q = torch.softmax(theirs[0] / 2, 0), torch.softmax(mine[0] / 2, 0)
    assert soft_loss(mine, theirs, 2.0).item() == pytest.approx(4 * (p * (p / q).log()).sum().item())


def test_of_a_copy_the_teacher_has_nothing_to_say(language_model):
    teacher, copy = (AutoModelForCausalLM.from_pretrained(language_model.folder).eval() for _ in range(2))
    plain = next_token_loss(copy, TOKENS).item()
    for share in (0.0, 0.25, 1.0):
        found = Distillation(teacher, Mixture(2.0, share))(copy, TOKENS).item()
        assert found == pytest.approx((1 - share) * plain, abs=1e-3)


def test_the_loss_is_a_sum_over_parts(language_model):
    teacher, student = (AutoModelForCausalLM.from_pretrained(language_model.folder).eval() for _ in range(2))
    with torch.no_grad():
        for one in student.parameters():
            one.mul_(0.9)
    add_projections(student, teacher, TOKENS)
    loss = Distillation(teacher, Mixture(2.0, 0.5, 1.0))
    parts = [loss(student, part).item() for part in TOKENS.parts(1)]
    assert len(parts) == 2
    assert loss(student, TOKENS).item() == pytest.approx(sum(parts), rel=1e-4)
    assert min(parts) > 0


def test_padding_of_a_classifier_counts_for_nothing(classifier):
    teacher, student = (AutoModelForSequenceClassification.from_pretrained(classifier.folder).eval() for _ in range(2))
    with torch.no_grad():
        student.bert.encoder.layer[0].output.dense.weight.mul_(0.5)
    ids, mask = torch.tensor([[3, 4, 5]]), torch.ones(1, 3, dtype=torch.int64)
    labels, counts = torch.tensor([1]), torch.ones(1, dtype=torch.int64)
    short = FieldBatch({"input_ids": ids, "attention_mask": mask, "labels": labels}, counts, 3)
    padded = {"input_ids": F.pad(ids, (0, 4), value=2), "attention_mask": F.pad(mask, (0, 4)), "labels": labels}
    add_projections(student, teacher, short)
    loss = Distillation(teacher, Mixture(2.0, 0.5, 1.0))
    assert loss(student, short).item() == pytest.approx(loss(student, FieldBatch(padded, counts, 7)).item(), rel=1e-4)
    plain = Distillation(teacher, Mixture(1.0, 0.0))(student, short).item()
    assert plain == pytest.approx(class_loss(student, short).item())


def test_gradients_reach_the_student_alone(classifier):
    teacher, student = (AutoModelForSequenceClassification.from_pretrained(classifier.folder) for _ in range(2))
    ids = torch.tensor([[3, 4, 5]])
    batch = FieldBatch({"input_ids": ids, "labels": torch.tensor([0])}, torch.ones(1, dtype=torch.int64), 3)
    Distillation(teacher, Mixture(2.0, 0.9))(student, batch).backward()
    assert all(one.grad is None for one in teacher.parameters())
    assert student.classifier.weight.grad is not None

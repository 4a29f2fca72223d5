"""How well held-out documents are told apart, by class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from aictl.training.batches import FieldBatch
from aictl.training.precision import Compute


def predictions(
    model: torch.nn.Module,
    batches: Sequence[FieldBatch],
    compute: Compute,
    answer: Callable[[torch.nn.Module, FieldBatch], torch.Tensor],
) -> np.ndarray:
    """What a model in evaluation mode answers, a row for each row of the batches."""
    training = model.training
    model.eval()
    found = []
    for part in (part for batch in batches for part in batch.parts(compute.tokens_at_once)):
        with torch.no_grad(), compute.autocast():
            found.append(answer(model, part.to(compute.device)).float().cpu().numpy())
    model.train(training)
    return np.concatenate(found)


def class_scores(model: torch.nn.Module, batches: Sequence[FieldBatch], compute: Compute) -> Mapping[str, Any]:
    """Accuracy and macro F1 of a classifier, and on how many documents."""
    answers, labels = predictions(model, batches, compute, _likeliest).astype(np.int64).T
    accuracy = float((answers == labels).mean())
    return {"documents": len(labels), "accuracy": accuracy, "macro_f1": macro_f1(answers, labels)}


def macro_f1(answers: np.ndarray, labels: np.ndarray) -> float:
    """The mean of F1 over the classes that occur among ``labels`` or ``answers``, each counting alike, as
    scikit-learn's ``f1_score(average="macro")``."""
    present = np.union1d(answers, labels)
    scores = []
    for number in present:
        right = int(((answers == number) & (labels == number)).sum())
        scores.append(2 * right / int((answers == number).sum() + (labels == number).sum()))
    return float(np.mean(scores))


def _likeliest(model: torch.nn.Module, batch: FieldBatch) -> torch.Tensor:
    """The likeliest class of each row beside its label, of shape (rows, 2)."""
    given = {name: value for name, value in batch.fields.items() if name != "labels"}
    return torch.stack([model(**given).logits.argmax(dim=-1), batch.fields["labels"]], dim=1)

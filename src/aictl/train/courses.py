"""The course of each task but pretraining."""

from __future__ import annotations

from aictl.core.extras import require
from aictl.train.course import Course, Given
from aictl.train.spec import TrainSpec
from aictl.training.tasks.names import Task


def open_course(task: Task, spec: TrainSpec, given: Given) -> Course:
    """Make the model and the lesson of ``task``. What each raises is said there."""
    if task in ("text-classification", "embedding", "text-to-text"):
        from aictl.train import texts

        kinds = {
            "text-classification": texts.classification,
            "embedding": texts.embeddings,
            "text-to-text": texts.sequences,
        }
        return kinds[task](given, spec)
    require("images")
    if task == "image-text":
        from aictl.train import duals

        return duals.images_and_texts(given, spec)
    from aictl.train import pictures

    return (pictures.detection if task == "object-detection" else pictures.classification)(given, spec)

"""The options of ``train``."""

from __future__ import annotations

from typing import Literal

from aictl.core.spec import Spec, option
from aictl.training.presets import PresetName
from aictl.training.spec import ClusterSpec, LoopSpec, OptimizerSpec, ParallelSpec, PictureSpec, PrecisionSpec
from aictl.training.tasks.names import Task

Architecture = Literal[
    "llama",
    "qwen2",
    "qwen3",
    "gpt2",
    "mixtral",
    "qwen3-moe",
    "modernbert",
    "bert",
    "t5",
    "bart",
    "resnet",
    "vit",
    "convnext",
    "detr",
    "clip",
]


class TrainSpec(Spec):
    """What to train and for how long; what is left out comes from the preset."""

    task: Task | None = option(None, help="what to learn (default: what the dataset's documents are made for)")
    preset: PresetName = option("tiny", help="size of the model, and the settings that suit it")
    architecture: Architecture | None = option(None, help="kind of network (default: the first of the task's)")
    max_steps: int | None = option(None, ge=1, help="optimiser steps (tiny: 250)")
    epochs: float | None = option(
        None, gt=0, help="passes over the documents, in place of steps; not of language models"
    )
    batch_size: int | None = option(None, ge=1, help="sequences in a batch (tiny: 8), or documents")
    sequence_length: int | None = option(
        None, ge=8, help="tokens in a training sequence, and then the model's context (tiny: 256, at most 1024)"
    )
    vocab_size: int | None = option(None, ge=260, le=2**20, help="tokens in the tokenizer's vocabulary (tiny: 4096)")
    document_mask: bool = option(
        False, help="let a language model see nothing of other documents in the same training sequence"
    )
    held_out_tokens: int = option(16_384, ge=1, help="at most so many tokens of the validation split are evaluated")
    held_out_documents: int = option(
        1000, ge=1, help="at most so many documents are evaluated while it trains; at its end all are"
    )
    pictures: PictureSpec = PictureSpec()
    optimizer: OptimizerSpec = OptimizerSpec()
    precision: PrecisionSpec = PrecisionSpec()
    loop: LoopSpec = LoopSpec()
    parallel: ParallelSpec = ParallelSpec()
    cluster: ClusterSpec = ClusterSpec()

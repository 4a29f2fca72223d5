"""Options that a task does not read are refused: what is ignored in silence is found too late."""

from __future__ import annotations

from collections.abc import Mapping

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.tokenizer import Tokenizer
from aictl.core.artifact import Source
from aictl.core.errors import BadRequest
from aictl.train.spec import Architecture, TrainSpec
from aictl.training.tasks.names import Task

# The networks of each task, the one that is taken by default first.
ARCHITECTURES: Mapping[Task, tuple[Architecture, ...]] = {
    "language-model": ("llama", "qwen2", "qwen3", "gpt2", "mixtral", "qwen3-moe"),
    "text-classification": ("modernbert", "bert"),
    "embedding": ("modernbert", "bert"),
    "text-to-text": ("bart", "t5"),
    "image-classification": ("resnet", "vit", "convnext"),
    "object-detection": ("detr",),
    "image-text": ("clip",),
}
_OF_TEXTS = ("language-model", "text-classification", "embedding", "text-to-text", "image-text")


def refuse_unread(
    task: Task,
    spec: TrainSpec,
    tokenizer: Tokenizer | Checkpoint | None,
    start: Checkpoint | None,
    config: Source | None,
) -> None:
    """Raise :class:`BadRequest` for an option that was set and that ``task`` has no use for."""
    if config and task != "language-model":
        raise BadRequest(f"--config gives the shape of language models, and the task is {task}", cure="leave it out")
    if config and (start or spec.architecture):
        given = f"--from '{start.label}'" if start else f"--architecture {spec.architecture}"
        raise BadRequest(f"--config and {given} both say what model it is", cure="leave one out")
    known = ARCHITECTURES[task]
    if spec.architecture and spec.architecture not in known:
        raise BadRequest(
            f"--architecture {spec.architecture} is no network for the task {task}", cure=f"one of {', '.join(known)}"
        )
    if spec.architecture and start:
        raise BadRequest(
            f"--architecture is for a fresh network, and --from '{start.label}' brings one", cure="leave one out"
        )
    if spec.max_steps and spec.epochs:
        raise BadRequest("--max-steps and --epochs both say for how long", cure="leave one out")
    set_here = spec.model_fields_set
    unread = {
        "sequence_length": task in _OF_TEXTS,
        "vocab_size": task in _OF_TEXTS,
        "document_mask": task == "language-model",
        "held_out_tokens": task == "language-model",
        "held_out_documents": task != "language-model",
        "epochs": task != "language-model",
        "pictures": task not in _OF_TEXTS or task == "image-text",
    }
    for name, is_read in unread.items():
        value = getattr(spec, name)
        if name in set_here and not is_read and value != type(spec).model_fields[name].get_default():
            said = ", ".join(f"--{one.replace('_', '-')}" for one in _changed(value)) if name == "pictures" else None
            raise BadRequest(
                f"{said or '--' + name.replace('_', '-')} has no meaning for the task {task}", cure="leave it out"
            )
    if tokenizer is not None and task not in _OF_TEXTS:
        raise BadRequest(f"--tokenizer has no meaning for the task {task}", cure="leave it out")


def _changed(group: object) -> list[str]:
    fields = type(group).model_fields  # type: ignore[attr-defined]
    return [name for name, field in fields.items() if getattr(group, name) != field.get_default()]

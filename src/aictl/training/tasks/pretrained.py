"""A checkpoint's network with the head that a task needs, and what reads for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoImageProcessor, PreTrainedModel

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import BadRequest, Damaged
from aictl.core.events import Events
from aictl.inference.quiet import quiet
from aictl.tokenizing.folder import TokenizerFolder


def classes_in_config(names: Sequence[str]) -> dict[str, Any]:
    """What a configuration says of the classes of a head."""
    return {"id2label": dict(enumerate(names)), "label2id": {name: number for number, name in enumerate(names)}}


def load(
    auto_class: Any, checkpoint: Checkpoint, events: Events, seed: int, changes: Mapping[str, Any] | None = None
) -> PreTrainedModel:
    """The network of ``checkpoint`` in float32, as ``auto_class`` of transformers has it, with ``changes`` of its
    configuration. Weights of another head are left away and those of a new one drawn by ``seed``; both are told.

    Raises :class:`Damaged` if the files cannot be loaded, and :class:`BadRequest` for a network that has no such head.
    """
    checkpoint.check()
    torch.manual_seed(seed)
    with refusals(checkpoint), quiet():
        model, told = auto_class.from_pretrained(
            checkpoint.folder,
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **(changes or {}),
        )
    fresh = sorted({*told["missing_keys"], *(key[0] for key in told["mismatched_keys"])})
    total = len(model.state_dict())
    if len(fresh) > total / 2:
        raise BadRequest(
            f"checkpoint '{checkpoint.label}' has none of the weights of {type(model).__name__}: {len(fresh)} of its "
            f"{total} tensors would be made up",
            cure="give a checkpoint of a network of that kind",
        )
    if fresh:
        events.noted(f"{len(fresh)} tensors are new, and learnt from nothing: {', '.join(fresh[:4])}")
    return model


def load_processor(checkpoint: Checkpoint) -> Any:
    """The checkpoint's picture processor, the one that needs no torchvision. Raises :class:`BadRequest` without one."""
    if not any((checkpoint.folder / name).is_file() for name in ("preprocessor_config.json", "processor_config.json")):
        raise BadRequest(
            f"checkpoint '{checkpoint.label}' has no preprocessor_config.json, so nothing says how it sees pictures",
            cure="give a checkpoint of a network for pictures",
        )
    with refusals(checkpoint), quiet():
        return AutoImageProcessor.from_pretrained(
            checkpoint.folder, local_files_only=True, trust_remote_code=False, backend="pil"
        )


@contextmanager
def refusals(checkpoint: Checkpoint) -> Iterator[None]:
    """Turn what transformers raises over files into what it means."""
    try:
        yield
    except ValueError as error:
        if "Unrecognized configuration class" not in str(error):
            raise Damaged(f"{checkpoint.folder} cannot be loaded: {error}") from error
        kind = checkpoint.config.get("model_type")
        raise BadRequest(
            f"checkpoint '{checkpoint.label}' is a {kind}, and transformers has no such network with that head",
            cure="give a checkpoint of another kind, or another --task",
        ) from error
    except (OSError, KeyError, RuntimeError, SafetensorError) as error:
        raise Damaged(f"{checkpoint.folder} cannot be loaded: {error}") from error


def require_room(model: PreTrainedModel, tokenizer: TokenizerFolder) -> None:
    """Raise :class:`BadRequest` where a tokenizer has ids for which the model has no embedding."""
    rows = model.get_input_embeddings().weight.shape[0]
    if tokenizer.vocabulary > rows:
        raise BadRequest(
            f"the tokenizer in {tokenizer.folder} has {tokenizer.vocabulary} tokens, and the model's embedding {rows}",
            cure="give the tokenizer that the model was trained with",
        )

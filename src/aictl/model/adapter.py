"""A LoRA adapter in peft's layout, proven on the checkpoint that it is said to belong to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
import transformers

from aictl.artifacts.capability import ABILITIES
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.safetensors import parameter_count, read_header
from aictl.core.artifact import Record
from aictl.core.errors import BadInput, NotFound
from aictl.core.events import Events
from aictl.inference.quiet import quiet
from aictl.model.intact import AGAIN, number_formats, one_line, read_json
from aictl.model.recognise import ADAPTER, ADAPTER_WEIGHTS

OTHER = "name the checkpoint that the adapter was trained on; its page says which that is"
# Code of its own, or where the base lay on another machine, which says nothing here.
_NOT_KEPT = ("auto_mapping", "revision")


def bring(source: Path, base: Checkpoint, folder: Path, events: Events) -> dict[str, Any]:
    """Copy the adapter of ``source`` into ``folder`` and return what is known of it.

    Raises :class:`BadInput` for weights that are cut short, for another kind of adapter than LoRA, and for one that
    does not fit ``base`` or was made here on another checkpoint.
    """
    _was_made_on(source, base)
    config = read_json(source / ADAPTER)
    if config.get("peft_type") != "LORA":
        raise BadInput(f"{source / ADAPTER}: peft_type is {config.get('peft_type')!r}, and LORA can be taken")
    weights = source / ADAPTER_WEIGHTS
    formats = number_formats([weights])
    kept = {name: value for name, value in config.items() if name not in _NOT_KEPT}
    kept |= {"base_model_name_or_path": base.label, "inference_mode": True}
    shutil.copyfile(weights, folder / ADAPTER_WEIGHTS)
    (folder / ADAPTER).write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", "utf-8")
    events.started("try it")
    _prove(folder, source, base)
    events.finished("try it")
    return {
        "capability": base.capability,
        "format": "peft",
        "dtype": "+".join(sorted(formats)),
        "parameters": parameter_count(weights),
        "rank": config.get("r"),
        "was_for": config.get("base_model_name_or_path"),
    }


def _was_made_on(source: Path, base: Checkpoint) -> None:
    """That an adapter with a record of its own names ``base`` in it, by what its weights hash to: one of the same
    shape would take the adapter and say something else with it."""
    try:
        made_from = Record.read(source).inputs
    except NotFound:
        return
    first = next((one for one in made_from if one.role == "checkpoint"), None)
    if first and base.record and first.id != base.record.id:
        raise BadInput(
            f"{source} was made on checkpoint '{first.name or first.id[:12]}' of id {first.id[:12]}, and "
            f"'{base.label}' is {base.record.id[:12]}",
            cure=f"--checkpoint {first.id[:12]}, once that one is in this workspace",
        )


def _prove(folder: Path, source: Path, base: Checkpoint) -> None:
    """That every weight of the adapter has its place in the base, and nothing of it lacks."""
    from peft import PeftModel, get_peft_model_state_dict

    base.check()
    auto_class = getattr(transformers, ABILITIES[base.capability or "text-generation"].auto_class)
    try:
        with quiet():
            module = auto_class.from_pretrained(
                base.folder, dtype=torch.float32, local_files_only=True, use_safetensors=True, trust_remote_code=False
            )
            adapted = PeftModel.from_pretrained(module, folder, local_files_only=True)
        wanted = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
    except MemoryError:
        raise
    except Exception as error:  # what comes out of so many models' code
        said = one_line(error).replace(str(folder), str(source))
        raise BadInput(f"{source} does not fit checkpoint '{base.label}': {said}", cure=OTHER) from error
    there = set(read_header(folder / ADAPTER_WEIGHTS))
    for names, what in ((there - wanted, "has no place for"), (wanted - there, "would need")):
        if names:
            raise BadInput(
                f"{source} does not fit checkpoint '{base.label}', which {what} {len(names)} of its weights, such as "
                f"{min(names)}",
                cure=OTHER,
            )
    if not all(torch.isfinite(one).all() for name, one in adapted.named_parameters() if "lora_" in name):
        raise BadInput(f"{source}: its weights are not finite numbers", cure=AGAIN)

"""Low-rank adapters (https://arxiv.org/abs/2106.09685) put on a model, and written as peft reads them."""

from __future__ import annotations

import difflib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from peft.tuners.lora import LoraLayer
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import BadRequest, Damaged
from aictl.finetune import low_rank
from aictl.finetune.spec import LowRankSpec
from aictl.inference.quiet import quiet
from aictl.training.state import disk

ALL_LINEAR = "all-linear"
START = "start"  # the adapter that pissa and olora begin with, beside the checkpoints of the run
_TAKEN_OUT = ("pissa", "olora")  # their start is taken out of the frozen weights


def adapt(
    model: PreTrainedModel,
    spec: LowRankSpec,
    seed: int,
    scratch: Path,
    *,
    compiled: bool,
    task_type: str | None = TaskType.CAUSAL_LM,
    heads: Sequence[str] = (),
) -> PeftModel:
    """Put fresh low-rank matrices on a frozen model, drawn from ``seed``; what is trained is float32.

    Raises :class:`BadRequest` for modules that the model does not have, and for an initialisation that does not suit
    it. ``scratch`` keeps what :func:`save` needs of the start; ``heads`` are modules that are trained in full. A model
    that is to be ``compiled`` keeps peft's layers, which torch.compile fuses itself.
    """
    require_modules(model, spec)
    targets = spec.target_modules
    config = LoraConfig(
        task_type=task_type,
        r=spec.rank,
        lora_alpha=spec.alpha,
        lora_dropout=spec.dropout,
        target_modules=ALL_LINEAR if targets == [ALL_LINEAR] else targets,
        use_rslora=spec.rs_lora,
        use_dora=spec.dora,
        init_lora_weights=True if spec.init_weights == "default" else spec.init_weights,
        bias=spec.bias,
        modules_to_save=[*spec.modules_to_save, *heads] or None,
        exclude_modules=list(heads) or None,
    )
    # Initial values are drawn here, before the loop seeds the rest of the run.
    torch.manual_seed(seed)
    try:
        with quiet():
            adapted = get_peft_model(model, config)
    except (ValueError, TypeError) as error:
        raise BadRequest(f"the adapter cannot be put on this model: {error}", cure="--target-modules all-linear") from (
            error
        )
    for module in adapted.modules():
        if isinstance(module, LoraLayer):
            # Left on, every input is copied to float32, only for autocast to turn it back.
            module.cast_input_dtype_enabled = False
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    if spec.init_weights in _TAKEN_OUT:
        _keep_start(adapted, scratch)
    if not compiled:
        low_rank.install(adapted)
    return adapted


def save(model: PeftModel, checkpoint: Checkpoint, folder: Path, scratch: Path) -> None:
    """Write ``adapter_config.json`` and ``adapter_model.safetensors``, without what would differ
    between equal runs: the order of a set, and where the checkpoint lay.

    What pissa and olora took out of the frozen weights at the start is taken from the adapter, so that it belongs to
    the checkpoint as it is. Raises :class:`MachineLacks` for a full disk.
    """
    start = scratch / START
    taken_out = model.peft_config["default"].init_lora_weights in _TAKEN_OUT
    with disk(folder), quiet():
        model.save_pretrained(
            folder,
            safe_serialization=True,
            save_embedding_layers=False,
            path_initial_model_for_weight_conversion=str(start) if taken_out else None,
        )
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise Damaged(f"{path}: {error}") from error
    for name in ("target_modules", "modules_to_save", "exclude_modules"):
        if isinstance(config.get(name), list):
            config[name].sort()
    config["base_model_name_or_path"] = checkpoint.label
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")


def parameters(adapted: PeftModel) -> dict[str, int]:
    """How many values are trained, and how many of the base are not."""
    trained, total = adapted.get_nb_trainable_parameters()
    return {"parameters": trained, "base_parameters": total - trained}


def _keep_start(adapted: PeftModel, scratch: Path) -> None:
    start = scratch / START
    shutil.rmtree(start, ignore_errors=True)
    config = adapted.peft_config["default"]
    init = config.init_lora_weights
    config.init_lora_weights = True  # read back as plain matrices, which change no weight
    with disk(start), quiet():
        adapted.save_pretrained(start, safe_serialization=True, save_embedding_layers=False)
    config.init_lora_weights = init


def require_modules(model: PreTrainedModel, spec: LowRankSpec) -> None:
    """Raise :class:`BadRequest` for modules that the model does not have, with those that are like them."""
    matrices = {
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | torch.nn.Embedding | torch.nn.Conv2d | Conv1D)
    }
    everything = {name for name, _ in model.named_modules() if name}
    if spec.target_modules != [ALL_LINEAR]:
        _require("--target-modules", spec.target_modules, matrices, f"--target-modules {ALL_LINEAR}, or ")
    _require("--modules-to-save", spec.modules_to_save, everything, "")
    head = model.get_output_embeddings()
    if head is None:
        return
    tied = head.weight is model.get_input_embeddings().weight
    both = {name for name, module in model.named_modules() if module in (head, model.get_input_embeddings())}
    if tied and any(_is(name, wanted) for name in both for wanted in spec.modules_to_save):
        raise BadRequest(
            f"--modules-to-save {' '.join(spec.modules_to_save)}: this model's embedding and head are one matrix, and "
            "an adapter would part them",
            cure="leave it out, or train all weights with `aictl finetune full`",
        )


def _require(option: str, wanted: list[str], names: set[str], or_else: str) -> None:
    ends = sorted({name.rpartition(".")[2] for name in names})
    for one in wanted:
        if not any(_is(name, one) for name in names):
            near = difflib.get_close_matches(one, ends, 3, 0.5) or ends[:8]
            raise BadRequest(
                f"{option} {one}: the model has no such module; there are {', '.join(ends[:20])}",
                cure=f"{or_else}{option} {near[0]}" if near else None,
            )


def _is(name: str, wanted: str) -> bool:
    return name == wanted or name.endswith(f".{wanted}")

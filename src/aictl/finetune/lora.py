"""LoRA (https://arxiv.org/abs/2106.09685): learn a low-rank change of each matrix from conversations."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from peft.tuners.lora import LoraLayer
from transformers import PreTrainedModel

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadInput, BadRequest, Damaged
from aictl.core.events import Events
from aictl.finetune import pretrained
from aictl.finetune.spec import LoraSpec
from aictl.inference.quiet import quiet
from aictl.training import conversations, precision
from aictl.training.conversations import ConversationBatches, Conversations
from aictl.training.dialogue import Dialogue, DialogueEncoder, Unusable
from aictl.training.loop import Job, fit
from aictl.training.ranks.joining import join
from aictl.training.state import disk

LONGEST = 1024  # tokens of a conversation that are kept unless told otherwise


def finetune(
    checkpoint: Checkpoint, dataset: Dataset, spec: LoraSpec, folder: Path, *, scratch: Path, events: Events
) -> Adapter:
    """Train an adapter of ``checkpoint`` on a chat dataset and write it into ``folder``.

    ``scratch`` holds the encoded conversations and the state of the loop; a run that finds them
    goes on from there. Raises :class:`BadRequest` for a checkpoint without a chat template and
    for options that do not fit it, :class:`BadInput` for a dataset from which nothing can be
    learnt, :class:`WorkFailed` when training diverges.
    """
    dataset.require_format("chat", cure="make one with `aictl data prep FILES --format chat`")
    longest = _longest(spec, checkpoint)
    compute = precision.choose(spec.precision)
    world = join(spec.parallel, compute, events)
    tokenizer = pretrained.load_tokenizer(checkpoint)
    task = f"load {checkpoint.label}"
    events.started(task)
    model = pretrained.load(checkpoint, compute)
    events.finished(task)
    encoder = DialogueEncoder(tokenizer, pretrained.end_ids(model, tokenizer), longest)
    with world.in_turn():
        training, validation = (_encode(dataset, split, encoder, scratch, events) for split in ("train", "validation"))
    held_out = conversations.held_out(validation, spec.batch_size, spec.held_out_conversations)
    adapted = _adapt(model, spec)
    job = Job(
        model=adapted,
        batches=ConversationBatches(training, spec.batch_size, spec.loop.seed),
        held_out=held_out,
        max_steps=spec.max_steps,
        peak_rate=spec.optimizer.learning_rate,
        optimizer=spec.optimizer,
        loop=spec.loop,
        compute=compute,
        scratch=scratch,
        world=world,
    )
    outcome = fit(job, events)
    before, after = outcome.held_out_before, outcome.held_out_after
    if after >= before:
        events.noted(
            f"the adapter makes held-out answers less likely: loss {before:.3f} before, {after:.3f} after", "warning"
        )
    _save(adapted, checkpoint, folder)
    outcome.history.copy_to(folder)
    metrics = outcome.metrics()
    metrics["held_out"]["conversations"] = min(spec.held_out_conversations, len(validation))
    trained, total = adapted.get_nb_trainable_parameters()
    metrics |= {
        "perplexity": outcome.perplexity,
        "parameters": trained,
        "base_parameters": total - trained,
        "conversations": len(training),
    }
    summary = f"rank {spec.rank} on {checkpoint.label}, held-out loss {before:.3f} to {after:.3f}"
    return Adapter(folder, metrics=metrics, summary=summary)


def _longest(spec: LoraSpec, checkpoint: Checkpoint) -> int:
    context = checkpoint.context_length
    if spec.sequence_length and spec.sequence_length > context:
        raise BadRequest(
            f"--sequence-length {spec.sequence_length}: '{checkpoint.label}' has a context of {context} tokens",
            cure=f"--sequence-length {context}",
        )
    return spec.sequence_length or min(LONGEST, context)


def _encode(dataset: Dataset, split: str, encoder: DialogueEncoder, scratch: Path, events: Events) -> Conversations:
    path = scratch / f"{split}.conversations"
    if path.exists():
        return conversations.read(path)
    task = f"encode {split}"
    refused: Counter[str] = Counter()
    events.started(task, dataset.splits.get(split, 0), "conversations")

    def encoded() -> Iterator[Dialogue]:
        for done, document in enumerate(dataset.documents(split), 1):
            try:
                yield encoder.encode(document["messages"])
            except Unusable as reason:
                refused[str(reason)] += 1
            if done % 256 == 0:
                events.advanced(task, done)

    made = conversations.write(path, encoded())
    events.finished(task)
    for reason, count in refused.most_common():
        events.noted(f"{count} conversations of the {split} split set aside: {reason}", "warning")
    if not len(made):
        path.unlink()
        why = f": {refused.most_common(1)[0][0]}" if refused else ""
        raise BadInput(
            f"dataset '{dataset.label}' has no usable conversation in its {split} split{why}",
            cure="add conversations in which the assistant answers, or raise --sequence-length",
        )
    return made


def _adapt(model: PreTrainedModel, spec: LoraSpec) -> PeftModel:
    targets = spec.target_modules
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=spec.rank,
        lora_alpha=spec.alpha,
        lora_dropout=spec.dropout,
        target_modules=targets[0] if targets == ["all-linear"] else targets,
        bias="none",
    )
    # Initial values are drawn here, before the loop seeds the rest of the run.
    torch.manual_seed(spec.loop.seed)
    try:
        with quiet():
            adapted = get_peft_model(model, config)
    except ValueError as error:
        raise BadRequest(
            f"--target-modules {' '.join(targets)}: {error}", cure="--target-modules all-linear"
        ) from error
    for module in adapted.modules():
        if isinstance(module, LoraLayer):
            # Left on, every input is copied to float32, only for autocast to turn it back.
            module.cast_input_dtype_enabled = False
    return adapted


def _save(model: PeftModel, checkpoint: Checkpoint, folder: Path) -> None:
    """Write ``adapter_config.json`` and ``adapter_model.safetensors``, without what would differ
    between equal runs: the order of a set, and where the checkpoint lay."""
    with disk(folder), quiet():
        model.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise Damaged(f"{path}: {error}") from error
    if isinstance(config.get("target_modules"), list):
        config["target_modules"].sort()
    config["base_model_name_or_path"] = checkpoint.label
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")

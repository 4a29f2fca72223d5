"""Direct preference optimisation: make the better answer likelier than the worse one, without a reward model."""

from __future__ import annotations

from pathlib import Path

import torch

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.capability import require_capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.finetune import adapting, preferences, supervised
from aictl.finetune.spec import DpoSpec
from aictl.finetune.weights import kept_dtype
from aictl.training import language_models, precision, preference, saving
from aictl.training.dialogue import DialogueEncoder
from aictl.training.loop import Job, fit
from aictl.training.preference import PreferenceBatches, PreferenceLoss
from aictl.training.ranks.joining import join
from aictl.training.tasks.language import use_document_attention

RATES = {"lora": 5e-5, "full": 1e-6}


def finetune(
    checkpoint: Checkpoint, dataset: Dataset, spec: DpoSpec, folder: Path, *, scratch: Path, events: Events
) -> Adapter | Checkpoint:
    """Train ``checkpoint`` on preferences and write an adapter of it, or with method ``full`` what comes of it.

    The reference is the checkpoint itself: what it says of every preference that will be seen is computed before
    training. ``scratch`` holds that, the encoded conversations and the state of the loop; a run that finds them goes
    on from there. Raises :class:`BadRequest` for a checkpoint without a chat template and for options that do not
    fit, :class:`BadInput` for a dataset from which nothing can be learnt, :class:`WorkFailed` when training diverges.
    """
    require_capability(checkpoint.label, checkpoint.capability, "text-generation", command="finetune dpo")
    dataset.require_format("preference", cure="make one with `aictl data prep FILES --format preference`")
    if spec.label_smoothing and spec.loss != "sigmoid":
        raise BadRequest(f"--label-smoothing is for --loss sigmoid, and this is {spec.loss}", cure="leave it out")
    longest = supervised.longest_of(spec.examples, checkpoint)
    compute = precision.choose(spec.precision)
    world = join(spec.parallel, compute, events)
    load = language_models.load if spec.method == "lora" else language_models.load_trainable
    model, tokenizer = supervised.opened(checkpoint, compute, load, events)
    if compute.device.type == "cpu":
        use_document_attention(model, compute, required=False)
    encoder = DialogueEncoder(tokenizer, language_models.end_ids(model, tokenizer), longest)
    with world.in_turn():
        training, validation = (
            preferences.encode(dataset, split, encoder, scratch, events) for split in ("train", "validation")
        )
    language_models.require_match(
        model, max(int(split.conversations.ids.max()) for split in (training, validation)), checkpoint
    )
    size = spec.examples.batch_size
    batches = PreferenceBatches(training, size, spec.loop.seed)
    seen = {row for position in range(spec.max_steps * spec.optimizer.accumulate) for row in batches.rows(position)}
    held = list(range(min(spec.examples.held_out_examples, len(validation))))
    with world.in_turn():
        for split, rows, name in ((training, seen, "train"), (validation, held, "validation")):
            path = scratch / f"{name}.reference"
            preferences.judge_by_reference(model, split, rows, size=size, compute=compute, path=path, events=events)
    loss = PreferenceLoss(spec.loss, spec.beta, spec.label_smoothing)
    trained: torch.nn.Module = model
    if spec.method == "lora":
        trained = adapting.adapt(model, spec.low_rank, spec.loop.seed, scratch, compiled=compute.compiled)
    job = Job(
        model=trained,
        batches=batches,
        held_out=[validation.batch(held[first : first + size]) for first in range(0, len(held), size)],
        max_steps=spec.max_steps,
        peak_rate=spec.optimizer.learning_rate or RATES[spec.method],
        optimizer=spec.optimizer,
        loop=spec.loop,
        compute=compute,
        scratch=scratch,
        objective=preference.objective(loss),
        judge=preference.judge(loss),
        world=world,
    )
    outcome = fit(job, events)
    outcome.leave(folder, events)
    metrics = outcome.metrics()
    metrics["held_out"]["preferences"] = len(held)
    metrics["preferences"] = len(training)
    accuracy = metrics["held_out"]["accuracy"]
    if accuracy <= 0.5:
        events.noted(f"the chosen answer has the higher reward in {accuracy:.0%} of held-out preferences", "warning")
    summary = f"on {checkpoint.label}, prefers the chosen answer in {accuracy:.0%} of held-out preferences"
    if spec.method == "lora":
        adapting.save(trained, checkpoint, folder, scratch)
        return Adapter(
            folder, metrics=metrics | adapting.parameters(trained), summary=f"rank {spec.low_rank.rank} {summary}"
        )
    saving.save(model, folder, kept_dtype(spec.save_dtype, checkpoint))
    saving.copy_beside(checkpoint, folder)
    return Checkpoint(folder, metrics=metrics | {"parameters": model.num_parameters()}, summary=f"tuned {summary}")

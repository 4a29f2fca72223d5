"""One run of LoRA, ours or a peer's: ``finetune_runs.py SIDE CHECKPOINT DATASET PLACE ORDER STEPS``.

Prints a JSON object: CPU seconds of the steps, the positions with a token in them, and the held-out loss of the
adapter that was kept, computed in the same plain way for both sides. ``ORDER`` is ``same``, where the peer is given
our batches in our order, or ``own``, where it shuffles; ours has ``pack`` too.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.events import Advanced, Event, Events, Measured, silent
from aictl.finetune.spec import ExamplesSpec, LoraSpec, LowRankSpec
from aictl.training import examples, language_models
from aictl.training.batches import IGNORED
from aictl.training.conversations import ConversationBatches, Conversations, held_out
from aictl.training.optimizer import learning_rate
from aictl.training.packing import PackedConversations
from aictl.training.precision import cpu_multiplies_bf16
from aictl.training.spec import LoopSpec

BATCH, LENGTH, HELD_OUT, SEED = 4, 128, 64, 0
SPEC = LoraSpec(
    low_rank=LowRankSpec(rank=16, alpha=32),
    examples=ExamplesSpec(batch_size=BATCH, sequence_length=LENGTH, held_out_examples=1),
    loop=LoopSpec(seed=SEED, evaluate_every=10**6, save_every_s=10**6),
)


def encoded(checkpoint: Checkpoint, dataset: Dataset, place: Path) -> dict[str, Conversations]:
    tokenizer = language_models.load_tokenizer(checkpoint)
    encode = examples.encoder(dataset, tokenizer, {tokenizer.eos_token_id}, LENGTH)
    return {split: examples.encode(dataset, split, encode, place, silent) for split in ("train", "validation")}


def ours(checkpoint: Checkpoint, dataset: Dataset, place: Path, steps: int, pack: bool) -> tuple[float, Path]:
    from aictl.finetune.lora import finetune

    marks: list[float] = []

    def sink(event: Event) -> None:
        first = isinstance(event, Measured) and event.name == "held_out_loss" and event.step == 0
        if first or (isinstance(event, Advanced) and event.task == "train" and event.done == steps):
            marks.append(time.process_time())

    folder = place / "ours"
    folder.mkdir()
    scratch = place / "scratch"
    scratch.mkdir()
    options = {"max_steps": steps, "examples": SPEC.examples.model_copy(update={"pack": pack})}
    finetune(checkpoint, dataset, SPEC.model_copy(update=options), folder, scratch=scratch, events=Events(sink))
    return marks[1] - marks[0], folder


def theirs(
    checkpoint: Checkpoint, training: Conversations, place: Path, steps: int, order: str, positions: list[int]
) -> tuple[float, Path]:
    from datasets import Dataset as Rows
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    def row(number: int) -> dict[str, list[int]]:
        first, last = int(training.ends[number - 1]) if number else 0, int(training.ends[number])
        ids = training.ids[first:last].tolist()
        learnt = training.learnt[first:last].tolist()
        return {"input_ids": ids, "labels": [one if yes else IGNORED for one, yes in zip(ids, learnt, strict=True)]}

    chosen = positions if order == "same" else range(len(training))
    arguments = SFTConfig(
        output_dir=str(place / "theirs"),
        max_steps=steps,
        per_device_train_batch_size=BATCH,
        learning_rate=SPEC.optimizer.learning_rate,
        weight_decay=SPEC.optimizer.weight_decay,
        adam_beta2=SPEC.optimizer.beta2,
        max_grad_norm=SPEC.optimizer.max_gradient_norm,
        max_length=LENGTH,
        train_sampling_strategy="sequential" if order == "same" else "random",
        gradient_checkpointing=False,  # it would cost them a third of their speed
        bf16=cpu_multiplies_bf16(),
        use_cpu=True,
        seed=SEED,
        logging_steps=10**6,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    low_rank = LoraConfig(
        r=SPEC.low_rank.rank, lora_alpha=SPEC.low_rank.alpha, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    trainer = SFTTrainer(
        model=str(checkpoint.folder),
        args=arguments,
        train_dataset=Rows.from_list([row(number) for number in chosen]),
        peft_config=low_rank,
    )
    # The same rate at every step: their own schedule begins with a step at a rate of nothing.
    trainer.create_optimizer()
    peak = SPEC.optimizer.learning_rate
    trainer.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
        trainer.optimizer, lambda step: learning_rate(min(step, steps - 1), steps, peak, SPEC.optimizer) / peak
    )
    began = time.process_time()
    trainer.train()
    spent = time.process_time() - began
    trainer.model.save_pretrained(place / "theirs")
    return spent, place / "theirs"


def held_out_loss(checkpoint: Checkpoint, adapter: Path, validation: Conversations) -> float:
    """In float32, by plain peft and transformers."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(checkpoint.folder, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, adapter).eval()
    total, count = 0.0, 0
    for batch in held_out(validation, BATCH, HELD_OUT):
        with torch.no_grad():
            logits = model(input_ids=batch.inputs).logits
        total += torch.nn.functional.cross_entropy(logits.transpose(1, 2), batch.targets, reduction="sum").item()
        count += batch.counted
    return total / count


def main() -> None:
    side, checkpoint, dataset, place, order, steps = (
        sys.argv[1], Checkpoint(Path(sys.argv[2])), Dataset(Path(sys.argv[3])), Path(sys.argv[4]), sys.argv[5],
        int(sys.argv[6]),
    )  # fmt: skip
    splits = encoded(checkpoint, dataset, place)
    training = splits["train"]
    packed = PackedConversations(training, BATCH, LENGTH - 1, SEED)
    padded = ConversationBatches(training, BATCH, SEED)
    positions = [row for step in range(steps) for row in padded._rows(step)]
    if order == "pack":
        positions = [one for step in range(steps) for row in packed._rows(step) for one in row]
    if side == "ours":
        spent, adapter = ours(checkpoint, dataset, place, steps, pack=order == "pack")
    else:
        spent, adapter = theirs(checkpoint, training, place, steps, order, positions)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    result = {
        "cpu_s": spent,
        "tokens": int((training.lengths()[positions] - 1).sum()),
        "peak_bytes": peak,
        "held_out_loss": held_out_loss(checkpoint, adapter, splits["validation"]),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()

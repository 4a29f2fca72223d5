"""Runs of the page on the quality of training, as programs: ``python -m tests.bench.quality_runs``, followed by

``checkpoints PLACE``, where ``PLACE`` has the benchmark's tokens: what saving costs our loop;
``trainer CHECKPOINT DATASET FOLDER STEPS``: Hugging Face Trainer takes as many steps from the weights that
``aictl train --preset tiny`` began CHECKPOINT from, on the same batches, and leaves what comes of it in FOLDER.

Prints a JSON object.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

STEPS, EVERY = 300, 100  # of the run that saves, and between its checkpoints
PRESET = "tiny"


def checkpoints(place: Path) -> dict[str, float]:
    """Seconds in steps and beside them, and the CPU seconds that a step costs and that one checkpoint adds: those of
    the two steps between whose batches it is copied and written, beyond two plain steps."""
    from tests.bench import training_runs

    found = training_runs.outcome(STEPS, place, checkpoint_every=EVERY)
    stamps = training_runs.STAMPS
    plain = statistics.median(after - before for before, after in pairwise(stamps))
    assert len(stamps) == STEPS  # one for each batch, from 0, when it was asked for; nobody asks after the last step
    added = [stamps[step + 1] - stamps[step - 1] - 2 * plain for step in range(EVERY, STEPS, EVERY)]
    size = sum(parameter.numel() for parameter in training_runs.model().parameters())
    return {
        "steps_s": found.seconds,
        "saving_s": found.saving_s,
        "step_cpu_s": plain,
        "checkpoint_cpu_s": statistics.mean(added),
        "parameters": size,
    }


def trainer(checkpoint: Path, dataset: Path, folder: Path, steps: int) -> dict[str, Any]:
    from aictl.artifacts.checkpoint import Checkpoint
    from aictl.artifacts.dataset import Dataset
    from aictl.core.events import silent
    from aictl.tokenizing.encoder import Encoder
    from aictl.tokenizing.folder import TokenizerFolder
    from aictl.tokenizing.packing import pack
    from aictl.tokenizing.shards import read
    from aictl.training import architectures, precision, saving
    from aictl.training.presets import PRESETS
    from aictl.training.spec import LoopSpec, OptimizerSpec, PrecisionSpec
    from aictl.training.tokens import PackedBatches
    from tests.bench import trainer as others

    preset, seed, documents = PRESETS[PRESET], LoopSpec().seed, Dataset(dataset)
    tokenizer = TokenizerFolder(checkpoint)
    model = architectures.build(architectures.config_of("llama", preset, tokenizer, preset.sequence_length), seed)
    compute = precision.choose(PrecisionSpec())
    with tempfile.TemporaryDirectory() as scratch:
        texts = {"train": lambda: (one["text"] for one in documents.documents("train"))}
        pack(texts, Encoder(tokenizer, silent), Path(scratch, "tokens"), events=silent)
        corpus = read(Path(scratch, "tokens"), "train")
        losses = others.train(
            model,
            PackedBatches(corpus, preset.batch_size, preset.sequence_length, seed),
            max_steps=steps,
            peak_rate=preset.learning_rate,
            spec=OptimizerSpec(),
            bf16=compute.precision == "bf16",
            folder=Path(scratch, "trainer"),
        )
    saving.save(model, folder)
    saving.copy_beside(Checkpoint(checkpoint), folder)  # the tokenizer
    return {"losses": losses, "tokens": steps * preset.batch_size * preset.sequence_length}


def main() -> None:
    what, *words = sys.argv[1:]
    if what == "checkpoints":
        found: dict[str, Any] = checkpoints(Path(words[0]))
    else:
        found = trainer(Path(words[0]), Path(words[1]), Path(words[2]), int(words[3]))
    print(json.dumps(found))


if __name__ == "__main__":
    main()

"""CPU seconds for the losses of held-out documents: one window at a time with its logits, and in batches.

    python -m tests.bench.scoring CHECKPOINT_FOLDER DATASET_FOLDER

Both in turns, two rounds; the smallest of each counts.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.inference.load import load
from aictl.inference.scoring import Stretch, of_logits
from aictl.measure.stretches import of_text

TOKENS, WINDOW = 600, 512

if __name__ == "__main__":
    generator = load(Checkpoint(Path(sys.argv[1])), device="cpu", threads=1)
    stretches: list[Stretch] = []
    for document in Dataset(Path(sys.argv[2])).documents("validation"):
        stretches += of_text(generator, document["text"], WINDOW).stretches
        if sum(one.predicted for one in stretches) >= TOKENS:
            break
    tokens, times = sum(one.predicted for one in stretches), {"one at a time": [], "in batches": []}
    for _ in range(2):
        began = time.process_time()
        for one in stretches:
            of_logits(generator.logits(one.ids[:-1])[one.start - 1 :], np.array(one.ids[one.start :]))
        times["one at a time"].append(time.process_time() - began)
        began = time.process_time()
        list(generator.score(stretches))
        times["in batches"].append(time.process_time() - began)
    for name, found in times.items():
        print(f"{name:14} {min(found):6.2f} s for {tokens:,} tokens of {len(stretches)} windows")

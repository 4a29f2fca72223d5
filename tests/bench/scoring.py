"""CPU seconds for the losses of held-out documents: one window at a time with its logits, and in batches.

    python -m tests.bench.scoring CHECKPOINT_FOLDER DATASET_FOLDER

Both in turns, two rounds; the smallest of each counts.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.inference.load import load
from aictl.inference.scoring import Stretch
from aictl.measure.perplexity import heldout, perplexity

if __name__ == "__main__":
    generator = load(Checkpoint(Path(sys.argv[1])), device="cpu", threads=1)
    windows = heldout(generator, Dataset(Path(sys.argv[2])), tokens=600)
    stretches = [Stretch(one.ids, one.start) for one in windows]
    tokens, times = sum(one.predicted for one in stretches), {"one at a time": [], "in batches": []}
    for _ in range(2):
        began = time.process_time()
        perplexity(generator, windows)
        times["one at a time"].append(time.process_time() - began)
        began = time.process_time()
        generator.score(stretches)
        times["in batches"].append(time.process_time() - began)
    for name, found in times.items():
        print(f"{name:14} {min(found):6.2f} s for {tokens:,} tokens of {len(stretches)} windows")

"""One training run of the benchmark, as a program: ``python -m tests.bench.training_runs WHO THREADS STEPS PLACE``.

Everybody trains the same shape (16.9M parameters: width 384, 6 layers, 16,384 tokens) on the same windows of the same
tokens, 4 x 256 a step, with fused AdamW. The data source notes the process's CPU time whenever a batch is taken, which
is how all are timed: nothing inside of a peer is touched. Prints a JSON object.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SEQUENCES, LENGTH, VOCABULARY = 4, 256, 16_384
WIDTH, LAYERS, HEADS, FEED_FORWARD = 384, 6, 6, 1024
RATE, DECAY, BETAS = 1e-3, 0.1, (0.9, 0.99)
WARM = 3  # steps that do not count: compiling, allocating
TOKENS = "tokens.npy"

STAMPS: list[float] = []
FIRST: list[float] = []  # when the first step was done, of who takes the next batch before that


def stamp() -> None:
    STAMPS.append(time.process_time())


def shape() -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=FEED_FORWARD, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=HEADS, max_position_embeddings=LENGTH,
        tie_word_embeddings=True, bos_token_id=0, eos_token_id=1, pad_token_id=2,
    )  # fmt: skip


def model() -> Any:
    import torch
    from transformers import LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(shape())


def windows(place: Path, count: int) -> Any:
    """int64 of shape (count, LENGTH + 1)."""
    import numpy as np

    tokens = np.load(place / TOKENS, mmap_mode="r")
    picked = np.random.default_rng(0).integers(0, len(tokens) - LENGTH - 1, count)
    return np.stack([tokens[start : start + LENGTH + 1] for start in picked]).astype(np.int64)


class Stamped:
    """Windows as batches for our loop."""

    def __init__(self, place: Path, steps: int) -> None:
        self._rows = windows(place, steps * SEQUENCES)

    def __getitem__(self, position: int) -> Any:
        from aictl.training.tokens import stack

        stamp()
        return stack(list(self._rows[position * SEQUENCES : (position + 1) * SEQUENCES]))

    def shared(self, rank: int, ranks: int) -> Stamped:
        return self

    def named(self, position: int) -> str:
        return f"batch {position}"


def outcome(steps: int, place: Path, *, compiled: bool = False, checkpoint_every: int = 10**6) -> Any:
    """What our loop comes to."""
    from aictl.core.loading import loading

    with loading():  # as the command imports it
        import torch

        from aictl.core.events import silent
        from aictl.training.loop import Job, fit
        from aictl.training.precision import Compute
        from aictl.training.spec import LoopSpec, OptimizerSpec

    batches = Stamped(place, steps)
    held_out = [batches[0]]
    STAMPS.clear()
    with tempfile.TemporaryDirectory() as scratch:
        job = Job(
            model=model(), batches=batches, held_out=held_out, max_steps=steps, peak_rate=RATE,
            optimizer=OptimizerSpec(), loop=LoopSpec(checkpoint_every=checkpoint_every, evaluate_every=10**6),
            compute=Compute(torch.device("cpu"), "bf16", compiled=compiled), scratch=Path(scratch),
        )  # fmt: skip
        return fit(job, silent)


def ours(steps: int, place: Path) -> list[float]:
    return list(outcome(steps, place).history.values("loss"))


def ours_compiled(steps: int, place: Path) -> list[float]:
    return list(outcome(steps, place, compiled=True).history.values("loss"))


def trainer(steps: int, place: Path, *, compiled: bool = False) -> list[float]:
    """Hugging Face Trainer as it comes."""
    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments

    rows = torch.from_numpy(windows(place, steps * SEQUENCES))

    class Rows(torch.utils.data.Dataset):  # type: ignore[misc,name-defined]
        def __len__(self) -> int:
            return len(rows)

        def __getitem__(self, row: int) -> dict[str, Any]:
            if row % SEQUENCES == 0:
                stamp()
            return {"input_ids": rows[row, :-1], "labels": rows[row, :-1]}  # the model shifts them itself

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            FIRST.append(time.process_time())

    class InOrder(Trainer):  # type: ignore[misc]
        def _get_train_sampler(self, *_: Any) -> Any:
            return torch.utils.data.SequentialSampler(rows)

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, max_steps=steps, per_device_train_batch_size=SEQUENCES, learning_rate=RATE,
            weight_decay=DECAY, adam_beta1=BETAS[0], adam_beta2=BETAS[1], lr_scheduler_type="cosine",
            warmup_steps=steps // 10,
            bf16=True, use_cpu=True, optim="adamw_torch_fused", torch_compile=compiled, save_strategy="no",
            logging_steps=1, report_to=[], disable_tqdm=True, seed=0,
        )  # fmt: skip
        made = InOrder(model=model(), args=arguments, train_dataset=Rows(), callbacks=[Watch()])
        sys.stdout = sys.stderr  # it prints what it logs
        made.train()
        sys.stdout = sys.__stdout__
    return [row["loss"] for row in made.state.log_history if "loss" in row]


def trainer_compiled(steps: int, place: Path) -> list[float]:
    return trainer(steps, place, compiled=True)


def litgpt(steps: int, place: Path) -> list[float]:
    """litgpt's pretraining as it comes, which compiles."""
    import torch
    from litgpt import pretrain
    from litgpt.args import EvalArgs, TrainArgs
    from litgpt.config import Config
    from litgpt.data import DataModule

    rows = torch.from_numpy(windows(place, (steps + 1) * SEQUENCES))

    class Rows(torch.utils.data.Dataset):  # type: ignore[misc,name-defined]
        def __init__(self, stamps: bool) -> None:
            self.stamps = stamps

        def __len__(self) -> int:
            return len(rows)

        def __getitem__(self, row: int) -> Any:
            if self.stamps and row % SEQUENCES == 0:
                stamp()
            return rows[row]

    class Windows(DataModule):  # type: ignore[misc]
        def connect(self, *_: Any, **__: Any) -> None: ...

        def train_dataloader(self) -> Any:
            return torch.utils.data.DataLoader(Rows(True), batch_size=SEQUENCES)

        def val_dataloader(self) -> Any:
            return torch.utils.data.DataLoader(Rows(False), batch_size=SEQUENCES)

    config = Config(
        name="bench", block_size=LENGTH, vocab_size=VOCABULARY, padded_vocab_size=VOCABULARY, n_layer=LAYERS,
        n_head=HEADS, n_embd=WIDTH, n_query_groups=HEADS, rotary_percentage=1.0, parallel_residual=False, bias=False,
        norm_class_name="RMSNorm", mlp_class_name="LLaMAMLP", intermediate_size=FEED_FORWARD,
    )  # fmt: skip
    os.environ["TQDM_DISABLE"] = "1"
    sys.stdout = sys.stderr
    with tempfile.TemporaryDirectory() as folder:
        pretrain.save_checkpoint = lambda *_: None  # after the end, and nothing that is measured
        pretrain.setup(
            "bench", config, Path(folder), "bf16-mixed", data=Windows(),
            train=TrainArgs(
                save_interval=None, log_interval=1, global_batch_size=SEQUENCES, micro_batch_size=SEQUENCES,
                lr_warmup_steps=0, max_tokens=steps * SEQUENCES * LENGTH, max_norm=1.0, tie_embeddings=True,
            ),
            eval=EvalArgs(interval=10**6, max_iters=1, final_validation=False), devices=1, logger_name="csv",
            optimizer={"class_path": "torch.optim.AdamW", "init_args": {"lr": RATE, "weight_decay": DECAY}}, seed=0,
        )  # fmt: skip
    sys.stdout = sys.__stdout__
    return []


def hand(steps: int, place: Path) -> list[float]:
    """The loop that one writes by hand: autocast, torch.compile, fused AdamW, clipped gradients."""
    import torch
    import torch.nn.functional as F

    net = model()
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY, betas=BETAS, fused=True)
    forward = torch.compile(net)
    rows = torch.from_numpy(windows(place, steps * SEQUENCES))
    losses = []
    for step in range(steps):
        stamp()
        ids = rows[step * SEQUENCES : (step + 1) * SEQUENCES]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = forward(input_ids=ids[:, :-1], use_cache=False).logits
            loss = F.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
    return losses


RUNS = {
    "ours": ours,
    "ours-compiled": ours_compiled,
    "trainer": trainer,
    "trainer-compiled": trainer_compiled,
    "litgpt": litgpt,
    "hand": hand,
}


def costs(place: Path) -> dict[str, float]:
    """FLOP/s of a large bf16 product on the threads of this run, and what a token costs of them."""
    import torch

    from aictl.training.objective import next_token_loss
    from aictl.training.precision import Compute
    from aictl.training.utilisation import flops_per_position, peak_flops

    compute = Compute(torch.device("cpu"), "bf16")
    batch = Stamped(place, 1)[0]
    return {
        "peak_flops": peak_flops(compute),
        "flops_per_token": flops_per_position(model(), next_token_loss, batch, compute),
    }


def main() -> None:
    who, threads, steps, place = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    os.environ["OMP_NUM_THREADS"] = str(threads)
    losses = RUNS[who](steps, place)
    stamp()
    taken = [after - before for before, after in zip(STAMPS[WARM:], STAMPS[WARM + 1 :], strict=False)]
    print(
        json.dumps(
            {
                "tokens_per_cpu_s": SEQUENCES * LENGTH / statistics.median(taken),
                "first_step_cpu_s": FIRST[0] if FIRST else STAMPS[1],
                "losses": losses,
                **(costs(place) if who == "ours" else {}),
            }
        )
    )


if __name__ == "__main__":
    main()

"""What each process of a test does: train the tiny model of ``tests/training`` as its place among others asks."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import LoraConfig, TaskType, get_peft_model
from tests.training.conftest import VOCABULARY, counting_tokens, tiny_model
from transformers import Qwen3Config, Qwen3ForCausalLM

from aictl.core.command import Followed
from aictl.core.errors import AictlError, Interrupted
from aictl.core.events import Advanced, Event, Events, Noted
from aictl.training.loop import Job, fit
from aictl.training.precision import Compute
from aictl.training.ranks.joining import join
from aictl.training.spec import LoopSpec, OptimizerSpec, ParallelSpec
from aictl.training.tokens import PackedBatches, held_out


class Wanted(NamedTuple):
    """A run, and at which step which rank is sent which signal."""

    parallel: dict[str, Any] = {}
    steps: int = 12
    every: int = 4
    rows: int = 4
    at_once: int = 1024
    dropout: float = 0.0
    lora: bool = False
    qwen: bool = False
    precision: str = "fp32"
    dies_at: int | None = None
    who: int = 0
    signal: int = 0


def main(place: dict[str, str], scratch: Path, said: Path, wanted: Wanted) -> None:
    os.environ.update(place)
    words = said.open("wb")
    os.dup2(words.fileno(), 1)
    os.dup2(words.fileno(), 2)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    torch.set_num_threads(1)
    try:
        train(int(place.get("RANK", "0")), scratch, wanted)
    except Followed:
        pass
    except Interrupted as stopped:
        sys.exit(stopped.exit_code)
    except AictlError as error:
        print("failed:", error.message, flush=True)
        sys.exit(error.exit_code)


def _interrupt(number: int, frame: object) -> None:
    raise Interrupted(number)


def train(rank: int, scratch: Path, wanted: Wanted) -> None:
    def sink(event: Event) -> None:
        if isinstance(event, Noted) and rank == 0:
            print(event.message, flush=True)
        if isinstance(event, Advanced) and event.done == wanted.dies_at and rank == wanted.who:
            os.kill(os.getpid(), wanted.signal)
            time.sleep(0.01)  # for the signal to come

    parallel = ParallelSpec(**{"process_timeout_s": 180, **wanted.parallel})
    compute = Compute(torch.device("cpu"), wanted.precision, tokens_at_once=wanted.at_once)
    world = join(parallel, compute, Events(sink))
    tokens = counting_tokens()
    model: Any = _qwen() if wanted.qwen else tiny_model(wanted.dropout)
    if wanted.lora:
        torch.manual_seed(2)
        model = get_peft_model(model, LoraConfig(task_type=TaskType.CAUSAL_LM, r=4, target_modules="all-linear"))
    job = Job(
        model=model,
        batches=PackedBatches(tokens[:1800], wanted.rows, 16, seed=3),
        held_out=held_out(tokens[1800:], 4, 16, most=128),
        max_steps=wanted.steps,
        peak_rate=1e-2,
        optimizer=OptimizerSpec(),
        loop=LoopSpec(seed=5, evaluate_every=5, checkpoint_every=wanted.every),
        compute=compute,
        scratch=scratch,
        world=world,
    )
    fit(job, Events(sink))
    torch.save({name: value.detach() for name, value in model.named_parameters()}, scratch / "weights.pt")


def _qwen() -> Qwen3ForCausalLM:
    torch.manual_seed(1)
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=64,
    )
    return Qwen3ForCausalLM(config)

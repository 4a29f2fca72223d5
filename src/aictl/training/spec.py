"""The options that every verb that trains shares, in groups to nest in its own Spec.

A verb that wants another default subclasses the group and declares that one option again.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator

from aictl.core import doors, extras
from aictl.core.spec import Spec, comma_separated, option

Precision = Literal["auto", "fp32", "bf16", "fp16", "fp8"]
Device = Literal["auto", "cpu", "cuda"]


class OptimizerSpec(Spec):
    """AdamW, or Muon for matrices, with a linear warm-up and a cosine decay."""

    optimizer: Literal["adamw", "muon"] = option(
        "adamw", help="adamw; or muon for the matrices between embeddings and head, and adamw for the rest"
    )
    learning_rate: float | None = option(None, gt=0, lt=1, help="peak learning rate; left out, the one that suits")
    warmup_fraction: float = option(0.1, ge=0, le=1, help="share of the steps in which the learning rate rises")
    final_rate_fraction: float = option(0.1, ge=0, le=1, help="learning rate at the end, as a share of the peak")
    weight_decay: float = option(0.1, ge=0, help="decoupled weight decay of matrices; vectors have none")
    beta1: float = option(0.9, ge=0, lt=1, help="decay of AdamW's running mean of the gradient")
    beta2: float = option(0.99, ge=0, lt=1, help="decay of AdamW's running mean of the squared gradient")
    max_gradient_norm: float = option(1.0, gt=0, help="gradients of a larger norm are scaled down to it")
    accumulate: int = option(1, ge=1, help="batches whose gradients are summed before each step")


class PrecisionSpec(Spec):
    """Number format, device and memory."""

    precision: Precision = option(
        "auto",
        help="number format of the matrix products: auto takes bf16 where the hardware has it, else fp16 or fp32; fp8 "
        "is for the large layers, and bf16 for the rest",
    )
    device: Device = option("auto", affects_result=False, help="where to train: auto takes a GPU if there is one")
    tokens_at_once: int | None = option(
        None,
        ge=1,
        affects_result=False,
        help="tokens that go through the model together; a larger batch is cut, which bounds memory "
        "(default: 1024 on a CPU, 16384 on a GPU)",
    )
    recompute: bool = option(
        False,
        affects_result=False,
        help="work out activations anew in the backward pass in place of keeping them: a third more work, far less "
        "memory (activation checkpointing)",
    )
    ignore_memory: bool = option(False, affects_result=False, help="begin even where memory is forecast not to suffice")
    compile: bool = option(
        False, affects_result=False, help="compile the model with torch.compile (needs a C++ compiler; slow to start)"
    )


class ParallelSpec(Spec):
    """Processes that train together, on this machine and others. The loss is that of one process, but for the order of
    its sums."""

    nproc: str = option(
        "1",
        pattern=r"^(auto|[1-9][0-9]{0,3})$",
        affects_result=False,
        help="processes on this machine that train together; auto: one for each of its GPUs",
    )
    nnodes: str = option(
        "1",
        pattern=r"^[1-9][0-9]{0,4}(:[1-9][0-9]{0,4})?$",
        affects_result=False,
        help="machines, on each of which the same command is given; with 1:4 those that are lost, down to 1, are done "
        "without",
    )
    rdzv: str | None = option(
        None,
        pattern=r"^[^\s:/]+:[0-9]{1,5}$",
        affects_result=False,
        help="HOST:PORT at which the machines meet; HOST is one of them",
    )
    max_restarts: int | None = option(
        None,
        ge=0,
        affects_result=False,
        help="times that the processes are started again from the last checkpoint after one was lost "
        "(default: 0; 3 where --nnodes is a range)",
    )
    shard: Literal["none", "full"] = option(
        "none",
        affects_result=False,
        help="full: each process holds a part of the weights, gradients and moments (FSDP2) in place of all (DDP)",
    )
    tensor_parallel: int = option(
        1,
        ge=1,
        affects_result=False,
        help="processes that do each matrix product together; --nproc is a multiple of it",
    )
    process_timeout_s: float = option(
        300,
        gt=0,
        affects_result=False,
        help="seconds after which a process that does not come, or does not answer, is taken for lost",
    )

    @field_validator("nnodes")
    @classmethod
    def _in_order(cls, value: str) -> str:
        fewest, _, most = value.partition(":")
        if most and int(fewest) > int(most):
            raise ValueError(f"{value}: the fewest come first")
        return value


class ClusterSpec(Spec):
    """Other machines on which the same command is to be run."""

    on: Literal["here", "k8s", "kubeflow", "slurm"] = option(
        "here",
        affects_result=False,
        help="where: k8s prints a Kubernetes JobSet for this command, kubeflow a TrainJob, slurm a batch script",
    )
    apply: bool = option(False, affects_result=False, help="hand it in, by kubectl or sbatch, instead of printing it")
    job_name: str | None = option(
        None, affects_result=False, max_length=40, help="what the job is called there (default: after --name)"
    )
    image: str | None = option(None, affects_result=False, help="container image that has aictl in it")
    namespace: str | None = option(None, affects_result=False, help="namespace of Kubernetes")
    volume_claim: str = option(
        "workspace", affects_result=False, help="persistent volume claim that holds the workspace, for all machines"
    )
    gpus_per_node: int = option(0, ge=0, le=64, affects_result=False, help="GPUs to ask for on each machine")
    partition: str | None = option(None, affects_result=False, pattern=r"^[\w,.-]+$", help="partition of Slurm")
    time_limit: str | None = option(
        None, affects_result=False, pattern=r"^[0-9]+(-[0-9]+)?(:[0-9]+){0,2}$", help="Slurm's limit, as in 12:00:00"
    )


class PictureSpec(Spec):
    """How pictures are cut to size, and changed a little each time they are seen."""

    resolution: int | None = option(
        None, ge=8, le=4096, help="height and width in pixels (default: twice the pictures', up to the preset's)"
    )
    flip: bool = option(True, help="mirror half of the pictures, left to right; not for letters and digits")
    shift_fraction: float = option(0.08, ge=0, lt=0.5, help="move pictures at random by up to this share of their size")
    crop_fraction: float = option(
        1.0, gt=0.1, le=1, help="show a random window of at least this share of the height, in place of moving them"
    )


class LoopSpec(Spec):
    """Randomness, evaluation, saving, and who is told."""

    seed: int = option(0, ge=0, lt=2**63, help="seed of the initial weights, the order of the data and dropout")
    evaluate_every: int = option(100, ge=1, help="steps between evaluations on held-out data")
    keep: Literal["last", "best"] = option(
        "last", help="which weights are kept: those of the last step, or those with the lowest held-out loss"
    )
    spike_patience: int = option(
        20,
        ge=0,
        affects_result=False,
        help="steps in a row with a loss far above what it was after which the run is taken to have diverged; 0: never",
    )
    deterministic: bool = option(
        False,
        affects_result=False,
        help="use no operation whose result can differ between equal runs; an error where there is no other",
    )
    checkpoint_every: int | None = option(
        None,
        ge=1,
        affects_result=False,
        help="steps between the checkpoints that an interrupted run resumes from (default: by time)",
    )
    save_every_s: float = option(
        10,
        ge=0,
        affects_result=False,
        help="seconds between checkpoints, where --checkpoint-every is not given; 0 saves after every step",
    )
    keep_checkpoints: int = option(
        2, ge=1, affects_result=False, help="so many of the last checkpoints stay on the disk while a run is under way"
    )
    track: list[str] = option(
        [],
        affects_result=False,
        help="send every step's measures to tensorboard, mlflow, wandb or trackio too; :PLACE after it names the "
        "folder, experiment or project",
    )

    @field_validator("track", mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        """Before the work that would be tracked, not after it."""
        words = comma_separated(value)
        for one in words if isinstance(words, list) else ():
            name = str(one).partition(":")[0]
            if name not in (known := doors.doors(doors.TRACKERS)):
                raise ValueError(f"{name}: there are {', '.join(known)}")
            if name in extras.EXTRAS:
                extras.require(name)
        return words

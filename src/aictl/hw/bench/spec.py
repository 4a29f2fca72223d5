"""The settings of a benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from pydantic import field_validator

from aictl.core.spec import Spec, comma_separated, option

Part = Literal["gemm", "operators", "memory", "copies", "disk", "collectives"]
PARTS: tuple[Part, ...] = get_args(Part)


class BenchSpec(Spec):
    """What to measure, and how long to take over it."""

    only: list[Part] = option(
        [],
        help="measure these parts alone: gemm, operators, memory, copies, disk, collectives; several, or one list "
        "with commas",
    )
    quick: bool = option(False, help="seconds in place of a minute: fewer sizes, and wider intervals")
    budget_s: float | None = option(
        None, gt=0, le=600, help="longest time for one figure, in seconds (default: 0.6; with --quick 0.12)"
    )
    devices: list[str] = option([], help="devices to measure, such as cpu or cuda:0; left out, all of them")
    threads: int | None = option(
        None, ge=1, le=4096, help="threads on the processor; left out, as many as this process may use"
    )
    memory_share: float = option(
        0.25, gt=0, le=0.8, help="largest share of the memory that is free, or that a container may use, to take"
    )
    folder: Path | None = option(
        None, help="folder whose disk is measured; left out, the workspace, or else the current folder"
    )
    disk_mib: int | None = option(
        None, ge=4, le=2**20, help="size of the file that the disk is measured with, in MiB (default: 1024; quick: 128)"
    )
    ranks: int = option(2, ge=2, le=64, help="processes of the collectives on this machine; torchrun sets its own")
    join_timeout_s: float = option(
        60, gt=0, le=86400, help="how long to wait until every process of the collectives is there"
    )

    _words = field_validator("only", "devices", mode="before")(comma_separated)

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(part for part in PARTS if not self.only or part in self.only)

    @property
    def seconds(self) -> float:
        """The budget of one figure."""
        return self.budget_s or (0.12 if self.quick else 0.6)

    @property
    def disk_bytes(self) -> int:
        return (self.disk_mib or (128 if self.quick else 1024)) * 2**20

"""The settings of the commands that look at a machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import create_model

from aictl.core.spec import Spec, option

Purpose = Literal["train", "serve", "trt", "distributed"]


class ProbeSpec(Spec):
    """What to look at, how long to wait for it, and whether to go on looking."""

    deep: bool = option(False, help="also let torch say what it finds: a few seconds more")
    timeout_s: float = option(10.0, gt=0, le=600, help="how long a driver or a program may take to answer")
    watch: bool = option(False, help="go on looking, until Ctrl-C: a live view that keeps nothing")
    interval_s: float = option(1.0, ge=0.1, le=3600, help="with --watch: seconds between two looks")
    count: int | None = option(None, ge=1, help="with --watch: how many looks, and then end")


_PURPOSE: dict[str, Any] = {
    "for": (Purpose | None, option(None, help="what the machine is for: what that needs has to be well"))
}
# `for` is a word of Python, and so cannot stand as a field in the body of a class.
_For = create_model("_For", __base__=Spec, **_PURPOSE)


class DoctorSpec(_For):  # type: ignore[misc, valid-type]
    """What the machine is meant to do, and where."""

    disk_gib: float = option(5.0, ge=0, help="free space that the job needs where it writes")
    path: Path | None = option(None, help="where the job writes (default: the workspace, or this folder)")
    timeout_s: float = option(20.0, gt=0, le=600, help="how long a driver or a program may take to answer")

    @property
    def purpose(self) -> Purpose | None:
        return getattr(self, "for")

"""From options and a benchmark to the accelerator that a plan is for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from aictl.core.artifact import Artifact, Source
from aictl.core.errors import BadInput, BadRequest
from aictl.hw.plan.spec import HardwareSpec
from aictl.planning import catalogue
from aictl.planning.benched import benched
from aictl.planning.catalogue import Accelerator, Link

DEFAULT = "h100-80gb"


class Hardware(NamedTuple):
    """So many of one accelerator, and what was assumed."""

    accelerator: Accelerator
    number: int
    assumed: list[str]


def hardware_of(spec: HardwareSpec, machine: Any) -> Hardware:
    """The accelerators of a plan. Raises :class:`BadRequest` for what the catalogue lacks."""
    assumed: list[str] = []
    name = spec.accelerator or ("here" if machine is not None else None)
    if name == "here":
        if machine is None:
            raise BadRequest(
                "--accelerator here is this machine as benched", cure="give --machine, from `aictl hw bench`"
            )
        found, there = benched(*_read(machine))
        count = spec.count or there
    else:
        if machine is not None:
            raise BadRequest(
                f"--machine was measured here, and --accelerator {name} is another", cure="give one of them"
            )
        if name is None:
            assumed.append(f"accelerator {DEFAULT}")
        found = catalogue.accelerator(name or DEFAULT)
        count = spec.count or 8
    if spec.count is None:
        assumed.append(f"{count} accelerator{'s' * (count != 1)}")
    link = _link(spec.link, spec.link_bytes_per_s, found.link)
    network = _link(spec.network, spec.network_bytes_per_s, found.network)
    return Hardware(found.with_links(link, network, spec.per_node), count, assumed)


def _link(name: str | None, bytes_per_s: float | None, usual: Link) -> Link | None:
    if name is None and bytes_per_s is None:
        return None
    found = catalogue.link(name) if name else usual
    return found._replace(bytes_per_s=bytes_per_s, shared=False) if bytes_per_s else found


def _read(machine: Artifact | Source) -> tuple[dict[str, Any], str]:
    path = machine.path if isinstance(machine, Source) else machine.folder
    path = path / "benchmark.json" if Path(path).is_dir() else path
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path} cannot be read as a benchmark: {error}") from error
    if not isinstance(values, dict):
        raise BadInput(f"{path} holds no JSON object")
    return values, str(path)

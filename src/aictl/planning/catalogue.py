"""What can be bought or rented: accelerators and the links between them, from ``catalogue.toml``.

Each figure there has its source beside it. ``here`` is no entry: it is made of what a benchmark
measured (``benched``).
"""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from aictl.core.errors import BadRequest
from aictl.planning.measured import Measured

PAGE = Path(__file__).with_name("catalogue.toml")
FORMATS = ("fp32", "tf32", "bf16", "fp16", "fp8", "int8")


class Link(NamedTuple):
    """What bytes travel over. ``bytes_per_s`` is one way for one accelerator, ``achievable`` the
    share of it that a large all-reduce reaches, ``latency_s`` one hop. A ``shared`` one is divided among
    the accelerators of a node."""

    name: str
    bytes_per_s: float
    achievable: float
    latency_s: float
    sources: tuple[str, ...] = ()
    shared: bool = False


class Accelerator(NamedTuple):
    """One accelerator as sold, or as measured.

    ``flops_per_s`` has the dense peak of each number format as pairs. ``matmul_fraction`` is the best
    matrix product over that peak, ``memory_fraction`` the bandwidth that a kernel reaches; each is None
    where the planner's own constant holds. ``reach`` counts the accelerators that ``link`` joins: those
    of a node, or of a TPU's pod. ``measured`` is what a benchmark knows beyond that.
    """

    key: str
    name: str
    generation: str
    flops_per_s: tuple[tuple[str, float], ...]
    memory_bytes: float
    memory_bytes_per_s: float
    link: Link
    network: Link
    per_node: int
    reach: int
    compute_units: int = 0
    matmul_fraction: float | None = None
    matmul_fraction_how: str = ""
    memory_fraction: float | None = None
    power_w: float | None = None
    measured: Measured | None = None
    sources: tuple[str, ...] = ()

    @property
    def formats(self) -> dict[str, float]:
        return dict(self.flops_per_s)

    def with_links(
        self, link: Link | None = None, network: Link | None = None, per_node: int | None = None
    ) -> Accelerator:
        """The same accelerator in other company."""
        if network is not None and network.shared:
            network = network._replace(bytes_per_s=network.bytes_per_s / (per_node or self.per_node), shared=False)
        reach = self.reach if per_node is None or self.reach > self.per_node else per_node
        return self._replace(
            link=link or self.link,
            network=network or self.network,
            per_node=per_node or self.per_node,
            reach=reach,
        )


@cache
def _page() -> dict[str, Any]:
    return tomllib.loads(PAGE.read_text("utf-8"))


def names() -> list[str]:
    return list(_page()["accelerators"])


def link_names() -> list[str]:
    return list(_page()["links"])


@cache
def link(name: str) -> Link:
    """A link by its name. Raises :class:`BadRequest` with the nearest one."""
    row = _page()["links"].get(name)
    if row is None:
        raise BadRequest(f"no link '{name}' is in the catalogue", cure=_nearest(name, link_names()))
    shared = row.get("ports") == "one a node"
    return Link(name, row["bytes_per_s"], row["achievable"], row["latency_s"], tuple(row["source"]), shared)


@cache
def accelerator(name: str) -> Accelerator:
    """An accelerator by its name in the catalogue. Raises :class:`BadRequest` with the nearest one."""
    row = _page()["accelerators"].get(name.lower())
    if row is None:
        raise BadRequest(f"no accelerator '{name}' is in the catalogue", cure=_nearest(name, [*names(), "here"]))
    own = link(row["link"])._replace(bytes_per_s=row["link_bytes_per_s"])
    # The network of the usual machine is one of RDMA: the constant says how much of it is reached.
    network = Link("network", row["network_bytes_per_s"], 0.0, 0.0)
    return Accelerator(
        key=name.lower(),
        name=row["name"],
        generation=row["generation"],
        flops_per_s=tuple((one, row[f"{one}_flops"]) for one in FORMATS if f"{one}_flops" in row),
        memory_bytes=row["memory_bytes"],
        memory_bytes_per_s=row["memory_bytes_per_s"],
        link=own,
        network=network,
        per_node=row["per_node"],
        reach=row.get("pod_size", row["per_node"]),
        compute_units=row.get("compute_units", 0),
        matmul_fraction=row.get("matmul_fraction"),
        matmul_fraction_how=row.get("matmul_fraction_how", "fitted"),
        power_w=row.get("tdp_watts"),
        sources=tuple(row["source"]),
    )


def larger_than(memory_bytes: float) -> list[Accelerator]:
    """The accelerators of more memory, the smallest of them first."""
    found = [accelerator(name) for name in names()]
    return sorted((one for one in found if one.memory_bytes > memory_bytes), key=lambda one: one.memory_bytes)


def _nearest(name: str, known: list[str]) -> str:
    near = [one for one in known if name.lower() in one]
    near += [one for one in get_close_matches(name.lower(), known, n=3, cutoff=0.5) if one not in near]
    if near:
        return f"did you mean {' or '.join(near[:3])}? there are {', '.join(known)}"
    return f"there are {', '.join(known)}"

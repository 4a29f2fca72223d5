"""How long it takes to move bytes between accelerators.

Collectives are rings: gathering S bytes, or reducing and scattering them, over n ranks takes
``S · (n - 1) / n / bus + hop · log2 n``, and an all-reduce is one of each (Thakur et al. 2005,
https://doi.org/10.1177/1094342005051521). A ring with r ranks in each node crosses between two nodes
once for r ranks, so its bus runs at ``min(link, r · network)``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from aictl.planning.catalogue import Accelerator
from aictl.planning.constants import SHIPPED, Constants


class Fabric(NamedTuple):
    """What joins the accelerators, in bytes/s that a large message reaches, one way for each: ``link``
    within ``reach`` of them, ``network`` beyond. ``raw_link`` is unreduced: a pair's send needs no ring."""

    link: float
    network: float
    raw_link: float
    reach: int
    per_node: int
    hop_s: float
    network_hop_s: float
    send_s: float

    @classmethod
    def of(cls, accelerator: Accelerator, constants: Constants = SHIPPED) -> Fabric:
        link, network = accelerator.link, accelerator.network
        inside = link.bytes_per_s * link.achievable
        if accelerator.generation == "tpu":
            inside /= constants.torus_axis
        return cls(
            link=inside,
            network=network.bytes_per_s * (network.achievable or constants.network),
            raw_link=link.bytes_per_s,
            reach=accelerator.reach,
            per_node=accelerator.per_node,
            hop_s=constants.hop_s,
            network_hop_s=max(network.latency_s, constants.hop_s),
            send_s=constants.send_s,
        )

    def bus(self, ranks: int, together: int) -> float:
        """Bytes/s of a ring over ``ranks``, ``together`` of them in reach of each other's link."""
        return self.link if ranks <= together else min(self.link, self.network * together)

    def gather(self, size_bytes: float, ranks: int, together: int) -> float:
        """Seconds to gather a tensor of ``size_bytes`` over all ranks, or to reduce and scatter it."""
        if ranks == 1:
            return 0.0
        hop = self.hop_s if ranks <= together else self.network_hop_s
        return size_bytes * (ranks - 1) / ranks / self.bus(ranks, together) + hop * math.log2(ranks)

    def send(self, size_bytes: float, *, between_nodes: bool) -> float:
        """Seconds for one message from a stage of a pipeline to the next."""
        return size_bytes / (self.network if between_nodes else 0.8 * self.raw_link) + self.send_s


def exposed(communication_s: float, compute_s: float, constants: Constants) -> float:
    """What communication costs beside compute: what sticks out, and the slowdown of what hides it."""
    hidden = min(communication_s, compute_s)
    return communication_s - hidden + constants.contention * hidden

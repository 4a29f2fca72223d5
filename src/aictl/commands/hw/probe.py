"""Probe this machine: processor, memory, accelerators, network, software.

Nothing needs to be installed for it; with the extra hw, NVIDIA's own library describes its GPUs.
"""

from aictl.artifacts.probe import Probe
from aictl.core.command import Command, NoOptions, Work


def run(work: Work[NoOptions]) -> Probe:
    from aictl.hw.probe import probe

    return probe(work.folder)


command = Command(run=run, makes=(Probe,), observes=True, workspace="optional")

"""Probe this machine: processor, memory, disks, accelerators, network, software.

Nothing needs to be installed for it; with the extra hw, NVIDIA's own library describes its GPUs.
What is absent is said to be absent, and a driver that hangs to be unanswered. --watch shows
utilisation, memory, power, temperature and processes as they change.
"""

from aictl.artifacts.probe import Probe
from aictl.core.answer import Samples
from aictl.core.command import Command, Work
from aictl.hw.spec import ProbeSpec


def run(work: Work[ProbeSpec]) -> Probe | Samples:
    spec = work.spec
    if spec.watch:
        from aictl.hw.watch import watch

        return Samples(watch(spec.interval_s, spec.count, spec.timeout_s))
    from aictl.hw.probe import probe

    return probe(work.folder, place=work.workspace, deep=spec.deep, timeout_s=spec.timeout_s)


command = Command(run=run, spec=ProbeSpec, makes=(Probe,), observes=True, workspace="optional")

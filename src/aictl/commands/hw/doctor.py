"""Check this machine: each check passes, warns or fails, with its cure.

--for says what the machine is meant for, and so which checks have to pass: when one of those fails
the exit status is 5, and the report is shown and kept all the same.
"""

from pathlib import Path

from aictl.artifacts.diagnosis import Diagnosis
from aictl.core.command import Command, Work
from aictl.core.errors import NotFound
from aictl.hw.spec import DoctorSpec


def run(work: Work[DoctorSpec]) -> Diagnosis:
    from aictl.hw.doctor.diagnose import diagnose

    place = work.spec.path or work.workspace or Path.cwd()
    if not place.is_dir():
        raise NotFound(f"--path {place}: there is no such folder", cure="name a folder that is there")
    return diagnose(work.folder, work.spec, place, work.events)


command = Command(run=run, spec=DoctorSpec, makes=(Diagnosis,), observes=True, workspace="optional")

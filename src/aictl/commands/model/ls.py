"""List the models: what each can do, its size, and what it stands on.

They are the checkpoints, adapters, ONNX graphs and engines of the workspace, and what plugins bring. Read are the
headers of their files alone, so that a large model takes no longer than a small one. Of an adapter the parameters
are those that it adds to its base.

  aictl model ls --can embedding

  aictl model ls --json | jq '.[] | select(.parameters > 1e8) | .name'
"""

from __future__ import annotations

from aictl.artifacts.capability import Capability
from aictl.core.answer import Document
from aictl.core.command import Command, Work
from aictl.core.spec import Spec, option


class LsSpec(Spec):
    """Which models to list."""

    can: Capability | None = option(None, help="list models for this alone")
    all: bool = option(False, help="list older versions too")


def run(work: Work[LsSpec]) -> Document:
    from aictl.workspace.models import list_models

    assert work.workspace
    return list_models(work.workspace, work.events, can=work.spec.can, older=work.spec.all)


command = Command(run=run, spec=LsSpec)

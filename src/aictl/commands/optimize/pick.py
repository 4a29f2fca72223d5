"""Take a model from a front, the chosen one unless another is named.

What `aictl optimize auto` found lies in one artifact; this makes a model of its own of one of them, to serve, evaluate
or build on.

  aictl optimize auto support --name support-front

  aictl optimize pick support-front --name support-small
"""

from aictl.artifacts.front import Front
from aictl.artifacts.onnx import OnnxModel
from aictl.core.command import Command, Takes, Work
from aictl.optimize.spec import PickSpec


def run(work: Work[PickSpec]) -> OnnxModel:
    from aictl.optimize.pick import pick

    return pick(work.inputs["front"], work.spec, work.folder)


command = Command(
    run=run,
    spec=PickSpec,
    takes=[Takes("front", (Front,), help="what `aictl optimize auto` made")],
    makes=(OnnxModel,),
)

"""Find the best that a model can be made into, by latency, size or throughput.

Of a language model operators are fused, and weights rounded to 8 bits, and to 4 with more or fewer matrices in 8. Of
the graphs of any other model weights and what flows between layers are rounded in each manner there is; where that
loses too much, also without the layers that it harms most.

What is sure to be beaten, or to lose more than --max-quality-loss, is left early. The rest is judged on the same
held-out documents and timed in turns with the model itself, and what no other beats in size, speed and quality is kept:
the front, as a table and in plot.svg. Where nothing is better for --target and good enough, it exits 1.

  aictl optimize auto support --target latency --max-quality-loss 0.02 --name support-front

  aictl optimize pick support-front --name support-small
"""

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.front import Front
from aictl.artifacts.onnx import OnnxModel
from aictl.core.command import Command, Takes, Work
from aictl.core.loading import loading
from aictl.optimize.auto.spec import AutoSpec
from aictl.optimize.inputs import HELD_OUT


def run(work: Work[AutoSpec]) -> Front:
    with loading():
        from aictl.optimize.auto.auto import auto

    return auto(
        work.inputs["model"],
        work.inputs["dataset"],
        work.spec,
        work.folder,
        scratch=work.scratch,
        events=work.events,
    )


command = Command(
    run=run,
    spec=AutoSpec,
    takes=[
        Takes("model", (OnnxModel, Checkpoint, Adapter), help="the model to make smaller and faster", named=True),
        HELD_OUT,
    ],
    makes=(Front,),
    revision=2,
    extra="optimize",
)

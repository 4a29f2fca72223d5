"""Plan serving: requests at once, latency, throughput, replicas and cost.

MODEL is a checkpoint, adapter or ONNX model, or a config.json; without it --params, or --layers and
--hidden, describe one, and what is left out is assumed and said. Nothing is loaded or run.

    aictl hw plan serve config.json --accelerator h100-80gb --count 8 --requests-per-s 20
"""

from aictl.artifacts.plan import Plan
from aictl.core.command import Command, Work
from aictl.hw.plan.spec import ServeSpec
from aictl.hw.plan.takes import TAKES


def run(work: Work[ServeSpec]) -> Plan:
    from aictl.hw.plan.serve import plan_serving

    return plan_serving(work.inputs["model"], work.inputs["machine"], work.spec, work.folder, events=work.events)


command = Command(
    run=run,
    spec=ServeSpec,
    takes=TAKES,
    makes=(Plan,),
    workspace="optional",
    revision=3,
)

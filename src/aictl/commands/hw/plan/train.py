"""Plan pre-training: layouts that fit, their time, memory, energy and cost.

MODEL is a checkpoint, adapter or ONNX model, or a config.json; without it --params, or --layers and
--hidden, describe one, and what is left out is assumed and said. Nothing is loaded or run.

    aictl hw plan train --params 175e9 --layers 96 --hidden 12288 --tokens 300e9 --accelerator a100-80gb --count 1024
"""

from aictl.artifacts.plan import Plan
from aictl.core.command import Command, Work
from aictl.hw.plan.spec import TrainSpec
from aictl.hw.plan.takes import TAKES


def run(work: Work[TrainSpec]) -> Plan:
    from aictl.hw.plan.train import plan_training

    draws = work.workspace is not None
    model, machine = work.inputs["model"], work.inputs["machine"]
    return plan_training(model, machine, work.spec, work.folder, events=work.events, draws=draws)


command = Command(
    run=run,
    spec=TrainSpec,
    takes=TAKES,
    makes=(Plan,),
    workspace="optional",
)

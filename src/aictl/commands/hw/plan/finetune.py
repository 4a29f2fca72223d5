"""Plan fine-tuning by LoRA, QLoRA or in full: memory by part, time and cost.

MODEL is a checkpoint, adapter or ONNX model, or a config.json; without it --params, or --layers and
--hidden, describe one, and what is left out is assumed and said. Nothing is loaded or run.

    aictl hw plan finetune config.json --method qlora --accelerator rtx-4090 --count 1
"""

from aictl.artifacts.plan import Plan
from aictl.core.command import Command, Work
from aictl.hw.plan.spec import FinetuneSpec
from aictl.hw.plan.takes import TAKES


def run(work: Work[FinetuneSpec]) -> Plan:
    from aictl.hw.plan.train import plan_finetuning

    draws = work.workspace is not None
    model, machine = work.inputs["model"], work.inputs["machine"]
    return plan_finetuning(model, machine, work.spec, work.folder, events=work.events, draws=draws)


command = Command(
    run=run,
    spec=FinetuneSpec,
    takes=TAKES,
    makes=(Plan,),
    workspace="optional",
)

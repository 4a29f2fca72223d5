"""Measure models beside each other: latency, throughput, memory, size.

Each runs in a process of its own, pinned to --threads cores, and they take turns, so that a busy minute hits all alike.
Of a language model or an encoder-decoder it is the time to the first token and between tokens, with tokens/s by how
many sequences run at once; of other models the time of a pass over one input, and inputs/s by the size of a batch.
Percentiles are of all rounds; ratios are of CPU time beside the first model, with 95% intervals. What they say is not
compared here: `aictl evaluate --compare` does that.

  aictl optimize bench support-onnx support-q4 --name speeds

  xdg-open "$(aictl optimize bench minilm minilm-onnx minilm-q --dataset questions --name minilm-speeds)/index.html"
"""

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.comparison import Comparison
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.onnx import OnnxModel
from aictl.core.command import Command, Takes, Work
from aictl.core.loading import loading
from aictl.optimize.spec import BenchSpec


def run(work: Work[BenchSpec]) -> Comparison:
    with loading():
        from aictl.optimize.bench.bench import bench

    return bench(
        work.inputs["models"],
        work.inputs["dataset"],
        work.spec,
        work.folder,
        scratch=work.scratch,
        events=work.events,
    )


command = Command(
    run=run,
    spec=BenchSpec,
    takes=[
        Takes(
            "models",
            (OnnxModel, Checkpoint, Adapter),
            help="the models, the first of which is compared with",
            many=True,
            named=True,
        ),
        Takes(
            "dataset",
            (Dataset,),
            help="what they are run on; by default what one of them was made from",
            option=True,
            required=False,
        ),
    ],
    makes=(Comparison,),
    extra="evaluate",
    observes=True,
)

"""Round a model to 8 or 4 bits, kept only if it is still good.

Of a language model, taken as a checkpoint, an adapter or the graph exported from one, weights are rounded in blocks and
operators fused for onnxruntime. Of the graphs of a classifier of texts or pictures, a detector, an embedding model, a
reranker, a dual encoder or an encoder-decoder, weights and what flows between layers become whole numbers of 8 bits
(--calibration); --spare leaves out the layers that it harms most.

The model and its quantised form are measured in one run, on the same held-out documents: size, speed in turns on one
thread, and quality by the task's own measure (perplexity, accuracy, map_50, recall@1, mrr, chrf). What misses
--max-quality-loss, --max-size or --require-speedup is not made, and exits 1. What is made has weighed.html, a page
about the two.

  aictl optimize quantize support-onnx --method int4 --max-quality-loss 0.1 --name support-q4

  aictl optimize quantize minilm-onnx --dataset questions --require-speedup 1.5 --name minilm-q
"""

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.command import Command, Takes, Work
from aictl.core.loading import loading
from aictl.optimize.inputs import HELD_OUT
from aictl.optimize.spec import QuantizeSpec


def run(work: Work[QuantizeSpec]) -> OnnxModel:
    with loading():
        from aictl.optimize.quantize import quantize

    return quantize(
        work.inputs["model"],
        work.inputs["dataset"],
        work.spec,
        work.folder,
        scratch=work.scratch,
        events=work.events,
    )


command = Command(
    run=run,
    spec=QuantizeSpec,
    takes=[
        Takes("model", (OnnxModel, Checkpoint, Adapter), help="the model to quantise"),
        HELD_OUT,
    ],
    makes=(OnnxModel,),
    extra="optimize",
    revision=5,
)

"""Measure a model on a dataset, with intervals, and compare it with another.

What is measured follows from both. A language model on texts or conversations: perplexity, bits_per_byte,
token_accuracy, and with --metrics rouge,bleu,chrf what it answers. A text or image classifier on labelled
documents: accuracy, macro_f1, log_loss, brier, calibration_error. An encoder-decoder model on pairs: rouge, bleu,
chrf. An embedding model or a reranker on pairs, a dual encoder on pictures with captions: recall@k, mrr, ndcg@10. A
detector on pictures with boxes: map_50, map_75.

Each measure has a bootstrap interval. --compare measures another model on the same documents and says whether the
difference is real. A missed --gate exits 1; the evaluation is made and shown all the same.

--tasks asks the questions of lm-evaluation-harness in place of a dataset.

  aictl evaluate support-lora support --compare support --gate 'bits_per_byte<=other'

  xdg-open "$(aictl evaluate digits-vit digits --name digits-eval)/index.html"
"""

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.evaluation import Evaluation
from aictl.artifacts.onnx import OnnxModel
from aictl.core.artifact import Source
from aictl.core.command import Command, Takes, Work
from aictl.core.loading import loading
from aictl.evaluate.spec import EvaluateSpec


def run(work: Work[EvaluateSpec]) -> Evaluation:
    with loading():
        from aictl.evaluate.evaluate import evaluate

    return evaluate(
        work.inputs["model"],
        work.inputs["dataset"],
        work.inputs["compare"],
        work.spec,
        work.folder,
        tasks_folder=work.inputs["tasks_folder"],
        scratch=work.scratch,
        events=work.events,
    )


_MODELS = (Checkpoint, Adapter, OnnxModel, Source)

command = Command(
    run=run,
    spec=EvaluateSpec,
    takes=[
        Takes("model", _MODELS, help="the model to measure; also the folder or package of one", named=True),
        Takes("dataset", (Dataset,), help="what it is measured on; left out with --tasks", required=False, named=True),
        Takes(
            "compare",
            _MODELS,
            help="another model, measured on the same documents",
            option=True,
            required=False,
            named=True,
        ),
        Takes(
            "tasks_folder",
            (Source,),
            help="a folder with tasks of your own for lm-evaluation-harness; Python that they call is run",
            option=True,
            required=False,
        ),
    ],
    makes=(Evaluation,),
    extra="evaluate",
)

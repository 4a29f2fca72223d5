"""Answer one prompt with a model, streaming the text as it comes.

A model with a chat template is asked in its chat format, unless --raw is given. With --json the text
comes whole, with the model, why it ended and how many tokens it took, in the words of OpenAI's API.

  aictl generate support-q "How do I read a JSON file?"

  cat question.txt | aictl generate support-q
"""

import sys

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.answer import Stream
from aictl.core.command import Command, Takes, Work
from aictl.core.errors import BadRequest
from aictl.core.loading import loading
from aictl.generate.spec import GenerateSpec


def run(work: Work[GenerateSpec]) -> Stream:
    with loading():
        from aictl.generate.oneshot import generate

    prompt = work.spec.prompt
    if prompt is None and (sys.stdin is None or sys.stdin.isatty()):
        raise BadRequest("PROMPT is missing", cure="give it after the model, or pipe it in")
    if prompt is None or prompt == "-":
        prompt = sys.stdin.read().rstrip("\n") if sys.stdin else ""
    return Stream(generate(work.inputs["model"], prompt, work.spec, work.events))


command = Command(
    run=run,
    spec=GenerateSpec,
    takes=[Takes("model", (OnnxModel, Adapter, Checkpoint), help="the model to ask")],
    extra="serve",
)

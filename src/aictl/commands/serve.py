"""Serve a model over an HTTP API that OpenAI's clients understand.

The URL is printed once requests are answered; SIGTERM or Ctrl-C lets running answers finish and
exits 0. With --run a program runs against the server instead: it finds OPENAI_BASE_URL and
OPENAI_API_KEY set, the server stops after it, and its exit code is returned.

  aictl serve support-q --port 0

  aictl serve support-q --run pytest tests/answers
"""

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.answer import Stream
from aictl.core.command import Command, Takes, Work
from aictl.core.loading import loading
from aictl.serve.spec import ServeSpec


def run(work: Work[ServeSpec]) -> Stream:
    with loading():
        from aictl.serve.service import serve

    return Stream(serve(work.inputs["model"], work.spec, work.events), key="url", live=True)


command = Command(
    run=run,
    spec=ServeSpec,
    takes=[Takes("model", (OnnxModel, Adapter, Checkpoint), help="the model to serve")],
    extra="serve",
)

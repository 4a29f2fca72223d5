"""Make an application around a model and a dataset, yours to run and to edit.

The app lies in the workspace under its name. Scaffolding again brings it up to date and keeps every
file that was edited, with the new one beside it as FILE.new.

  aictl app scaffold customer-service helpbot --model support-q --docs docs
"""

from aictl.app.spec import ScaffoldSpec
from aictl.artifacts.adapter import Adapter
from aictl.artifacts.app import App
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.onnx import OnnxModel
from aictl.core.command import Command, Takes, Work


def run(work: Work[ScaffoldSpec]) -> App:
    from aictl.app.scaffold import scaffold

    assert work.workspace, "the runner gives one to a command that requires it"
    model, docs = work.inputs["model"], work.inputs["docs"]
    return scaffold(model, docs, work.spec, work.folder, workspace=work.workspace, events=work.events)


command = Command(
    run=run,
    spec=ScaffoldSpec,
    takes=[
        Takes("model", (OnnxModel, Adapter, Checkpoint), help="the model that the app asks", option=True, named=True),
        Takes("docs", (Dataset,), help="the documents that the app answers from", option=True, named=True),
    ],
    makes=(App,),
    extra="app",
)

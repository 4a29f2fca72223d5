"""Experiment trackers: one class each, that speaks to it through its own client.

They stand in the entry-point group ``aictl.trackers``, where other distributions may add theirs. What is called as a
:class:`Tracker` is made, told and closed by one thread, and whatever it raises costs the run nothing but its tracking.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

Row = Mapping[str, float]


class Run(NamedTuple):
    """The run to be tracked: ``name`` is for people, ``options`` are what it was given. One that goes on after ``step``
    has the ``identity`` that its tracker knows it by."""

    name: str
    options: Mapping[str, str | int | float | bool]
    step: int
    identity: str | None


class Tracker(Protocol):
    """Takes a run's measures. ``where`` tells a person where to look at them; by ``identity`` an interrupted run is
    found again."""

    where: str
    identity: str

    def __init__(self, place: str | None, run: Run) -> None:
        """``place`` is what the user named: a folder, a project; None for the usual one."""

    def log(self, row: Row, step: int) -> None: ...

    def close(self, ended: bool) -> None:
        """``ended`` is False for a run that was interrupted or failed."""


class TensorBoard:
    """Event files below a folder, ``runs`` by default."""

    def __init__(self, place: str | None, run: Run) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.identity = run.identity or run.name
        folder = Path(place or "runs") / self.identity
        # What an interrupted run told of steps that are taken again does not count.
        self._writer = SummaryWriter(str(folder), flush_secs=10, purge_step=run.step + 1 if run.identity else None)
        self.where = f"{folder}: tensorboard --logdir {folder.parent}"
        if run.identity is None:
            rows = "".join(f"| {name} | {value} |\n" for name, value in run.options.items())
            self._writer.add_text("options", f"| option | value |\n|---|---|\n{rows}")

    def log(self, row: Row, step: int) -> None:
        for name, value in row.items():
            self._writer.add_scalar(name, value, step)

    def close(self, ended: bool) -> None:
        self._writer.close()


class MLflow:
    """A run of an MLflow experiment, on the server or in the store that MLFLOW_TRACKING_URI names."""

    def __init__(self, place: str | None, run: Run) -> None:
        import mlflow

        self._mlflow = mlflow
        if run.identity is None:
            mlflow.set_experiment(place or "aictl")
            begun = mlflow.start_run(run_name=run.name)
            mlflow.log_params(dict(run.options))
        else:
            begun = mlflow.start_run(run_id=run.identity)
        self.identity = begun.info.run_id
        self.where = f"MLflow at {mlflow.get_tracking_uri()}, run {begun.info.run_name}"

    def log(self, row: Row, step: int) -> None:
        self._mlflow.log_metrics(dict(row), step=step)

    def close(self, ended: bool) -> None:
        self._mlflow.end_run("FINISHED" if ended else "KILLED")


class WeightsAndBiases:
    """A run of a Weights & Biases project, as its own variables (WANDB_MODE, WANDB_API_KEY ...) have it."""

    def __init__(self, place: str | None, run: Run) -> None:
        import wandb

        # Its console capture would take stderr from under whoever draws on it.
        settings = wandb.Settings(console="off", silent=True)
        self._run = wandb.init(
            project=place or "aictl",
            name=run.name,
            id=run.identity,
            resume="allow" if run.identity else None,
            config=dict(run.options),
            settings=settings,
        )
        self.identity = self._run.id
        self.where = f"Weights & Biases: {self._run.dir if self._run.offline else self._run.url}"

    def log(self, row: Row, step: int) -> None:
        self._run.log(dict(row), step=step)

    def close(self, ended: bool) -> None:
        self._run.finish(exit_code=0 if ended else 1)


class Trackio:
    """A run of a trackio project, kept on this machine unless its own variables say otherwise."""

    def __init__(self, place: str | None, run: Run) -> None:
        import trackio

        project, self.identity = place or "aictl", run.identity or run.name
        known: dict[str, Any] = {"resume": "allow"} if run.identity else {}
        self._run = trackio.init(project=project, name=self.identity, config=dict(run.options), **known)
        self.where = f"trackio: trackio show --project {project}"

    def log(self, row: Row, step: int) -> None:
        self._run.log(dict(row), step=step)

    def close(self, ended: bool) -> None:
        self._run.finish()

"""A run's measures in real trackers, and in some that misbehave."""

from __future__ import annotations

import json
import signal
import sqlite3
import sys
import threading
import time
from importlib.util import find_spec

import pytest
import torch
from pydantic import ValidationError

from aictl.core import doors, extras
from aictl.core.errors import ExtraMissing, Interrupted, WorkFailed
from aictl.core.events import Advanced, Events, Noted, silent
from aictl.training import tracking
from aictl.training.loop import fit
from aictl.training.spec import LoopSpec

STEPS = list(range(1, 13))


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """Trackers keep what they are told below the working directory."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def offer(tmp_path, monkeypatch):
    """Installs a tracker of another distribution, under the name ``theirs``."""

    def install(body: str) -> None:
        place = tmp_path / "site"
        (place / "theirs-1.0.dist-info").mkdir(parents=True)
        door = "[aictl.trackers]\ntheirs = their_tracker:Theirs\n"
        (place / "theirs-1.0.dist-info" / "entry_points.txt").write_text(door)
        (place / "their_tracker.py").write_text(body)
        monkeypatch.syspath_prepend(str(place))
        doors.doors.cache_clear()

    yield install
    sys.modules.pop("their_tracker", None)
    doors.doors.cache_clear()


def tracked_by(*names: str) -> LoopSpec:
    return LoopSpec(seed=5, evaluate_every=5, track=list(names), save_every_s=0)


def noting(into: list[str]) -> Events:
    return Events(lambda event: into.append(event.message) if isinstance(event, Noted) else None)


def stopping_at(step: int) -> Events:
    def sink(event: object) -> None:
        if isinstance(event, Advanced) and event.task == "train" and event.done == step:
            raise Interrupted(signal.SIGTERM)

    return Events(sink)


def scalars(folder) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(one.step, one.value) for one in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_tensorboard_has_every_step_and_evaluation(job, tmp_path):
    told: list[str] = []
    outcome = fit(job(loop=tracked_by("tensorboard:boards")), noting(told))
    (folder,) = (tmp_path / "boards").iterdir()
    found = scalars(folder)
    assert [step for step, _ in found["held_out_loss"]] == [0, 5, 10, 12]
    assert [step for step, _ in found["loss"]] == STEPS
    assert [value for _, value in found["loss"]] == pytest.approx(outcome.history.values("loss"))
    assert {"learning_rate", "gradient_norm", "tokens_per_second", "memory_bytes"} <= found.keys()
    assert any(f"tensorboard --logdir {folder.parent.name}" in one for one in told)


def test_a_run_that_goes_on_is_one_run_of_the_tracker(job, tmp_path):
    with pytest.raises(Interrupted):
        fit(job("cut", loop=tracked_by("tensorboard")), stopping_at(7))
    fit(job("cut", loop=tracked_by("tensorboard")), silent)
    (folder,) = (tmp_path / "runs").iterdir()
    found = scalars(folder)
    assert [step for step, _ in found["loss"]] == STEPS
    # A run that ended is not gone on with.
    assert not (tmp_path / "cut" / tracking.IDENTITIES).exists()


def test_tracking_changes_no_weight(job):
    plain, watched = job("plain"), job("watched", loop=tracked_by("tensorboard"))
    fit(plain, silent)
    fit(watched, silent)
    for one, other in zip(plain.model.parameters(), watched.model.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("fault", ["log", "close"])
def test_a_tracker_that_fails_costs_the_run_nothing(job, offer, fault):
    offer(
        "class Theirs:\n"
        "    where, identity = 'theirs', '1'\n"
        "    def __init__(self, place, run):\n        pass\n"
        "    def log(self, row, step):\n"
        f"        if {fault == 'log'} and step == 3:\n            raise ConnectionError('the server is gone')\n"
        "    def close(self, ended):\n        raise ConnectionError('the server is gone')\n"
    )
    told: list[str] = []
    outcome = fit(job(loop=tracked_by("theirs")), noting(told))
    assert outcome.steps == 12
    assert any("it took no more after ConnectionError: the server is gone" in one for one in told)


def test_a_tracker_that_hangs_is_not_waited_for_for_long(job, offer, monkeypatch):
    offer(
        "import threading\n"
        "class Theirs:\n"
        "    where, identity = 'theirs', '1'\n"
        "    def __init__(self, place, run):\n        pass\n"
        "    def log(self, row, step):\n        threading.Event().wait()\n"
        "    def close(self, ended):\n        pass\n"
    )
    monkeypatch.setattr(tracking, "CLOSE_S", 0.2)
    monkeypatch.setattr(tracking, "MOST_WAITING", 4)
    told: list[str] = []
    assert fit(job(loop=tracked_by("theirs")), noting(told)).steps == 12
    assert any("still taking rows" in one for one in told)
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "tracker")


def test_a_tracker_that_is_slow_is_closed_all_the_same(job, offer, monkeypatch, tmp_path):
    offer(
        "import time\n"
        "class Theirs:\n"
        "    where, identity = 'theirs', '1'\n"
        "    def __init__(self, place, run):\n        pass\n"
        "    def log(self, row, step):\n        time.sleep(0.3)\n"
        "    def close(self, ended):\n        open('closed', 'w').write(str(ended))\n"
    )
    monkeypatch.setattr(tracking, "MOST_WAITING", 2)
    told: list[str] = []
    fit(job(loop=tracked_by("theirs")), noting(told))
    assert (tmp_path / "closed").read_text() == "True"
    assert any("rows were left out, because it was too slow" in one for one in told)


def test_a_tracker_that_cannot_begin_stops_the_run_before_its_first_step(job, offer):
    offer("class Theirs:\n    def __init__(self, place, run):\n        raise PermissionError(f'no key for {place}')\n")
    with pytest.raises(WorkFailed, match="--track theirs:lab: PermissionError: no key for lab"):
        fit(job(loop=tracked_by("theirs:lab")), silent)


def test_what_a_tracker_is_told_of_a_run(job, offer, tmp_path):
    offer(
        "import json\n"
        "class Theirs:\n"
        "    where, identity = 'theirs', 'number 7'\n"
        "    def __init__(self, place, run):\n"
        "        self.told = {'place': place, 'options': run.options, 'step': run.step, 'known': run.identity}\n"
        "    def log(self, row, step):\n        print('hello')\n"
        "    def close(self, ended):\n"
        "        open('told.json', 'w').write(json.dumps({**self.told, 'ended': ended}))\n"
    )
    with pytest.raises(Interrupted):
        fit(job(loop=tracked_by("theirs")), stopping_at(4))
    first = json.loads((tmp_path / "told.json").read_text())
    assert (first["place"], first["step"], first["known"], first["ended"]) == (None, 0, None, False)
    assert first["options"] | {"max_steps": 12, "learning_rate": 1e-2, "seed": 5} == first["options"]
    fit(job(loop=tracked_by("theirs")), silent)
    second = json.loads((tmp_path / "told.json").read_text())
    assert (second["step"], second["known"], second["ended"]) == (4, "number 7", True)


def test_an_unknown_tracker_and_one_that_is_not_installed_are_refused_at_once(monkeypatch):
    with pytest.raises(ValidationError, match="comet: there are mlflow, tensorboard, trackio, wandb"):
        LoopSpec(track="tensorboard,comet")
    with pytest.raises(ValidationError, match="valid list"):
        LoopSpec(track=3)
    monkeypatch.setitem(extras.EXTRAS, "wandb", ("no_such_module",))
    with pytest.raises(ExtraMissing, match="wandb"):
        LoopSpec(track=["wandb"])


def needs(module: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(find_spec(module) is None, reason=f"{module} is not installed")


@pytest.mark.integration
@needs("mlflow")
def test_mlflow_has_every_step_in_one_run(job, tmp_path, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    with pytest.raises(Interrupted):
        fit(job("cut", loop=tracked_by("mlflow:lab")), stopping_at(7))
    fit(job("cut", loop=tracked_by("mlflow:lab")), silent)
    client = mlflow.MlflowClient()
    (experiment,) = client.search_experiments(filter_string="name = 'lab'")
    (run,) = client.search_runs([experiment.experiment_id])
    assert [one.step for one in client.get_metric_history(run.info.run_id, "loss")] == STEPS
    assert run.info.status == "FINISHED"
    assert run.data.params["max_steps"] == "12"


@pytest.mark.integration
@needs("wandb")
def test_wandb_keeps_a_run(job, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    told: list[str] = []
    fit(job(loop=tracked_by("wandb:lab")), noting(told))
    assert [one.partition(":")[0] for one in told if "track" in one] == ["tracked in Weights & Biases"]
    (kept,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    until = time.monotonic() + 60  # its own process writes the file, and may still be at it
    while kept.stat().st_size < 1000 and time.monotonic() < until:
        time.sleep(0.1)
    assert kept.stat().st_size > 1000


@pytest.mark.integration
@needs("trackio")
def test_trackio_keeps_every_step(job, tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    fit(job(loop=tracked_by("trackio:lab")), silent)
    (path,) = (tmp_path / "trackio").glob("lab*.db")
    with sqlite3.connect(path) as database:
        assert database.execute("select count(*) from metrics").fetchone()[0] >= len(STEPS)

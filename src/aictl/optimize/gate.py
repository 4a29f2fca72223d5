"""The gate: a candidate is held against its parent in one run, and kept only if it is worth it.

    sizes ─▶ quality on the same held-out documents ─▶ what comes out ─▶ speed, in turns

Each is measured of both, and each may end it. Quality is the task's own measure: perplexity of a language model,
accuracy of a classifier, the share of questions whose answer an embedding model puts first.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import BadRequest, GateMissed
from aictl.core.events import Events
from aictl.judging.choosing import task_for
from aictl.judging.documents import Draw, draw, within
from aictl.judging.measuring import measured
from aictl.judging.running import rows_of
from aictl.judging.shipped import shipped
from aictl.judging.subject import Subject, subject
from aictl.judging.task import Task
from aictl.judging.terms import Terms
from aictl.measure.parity import parity
from aictl.measure.speed import SpeedUp, race, speed_up
from aictl.optimize.contestants import contestant
from aictl.optimize.page import write_page
from aictl.optimize.spec import GateSpec

Model = OnnxModel | Checkpoint | Adapter

_WINDOW = 512
_CHARACTERS = 2048  # of a text, so that many texts are read and not one long one
_BYTES_A_TOKEN = 4  # of English, about; it only decides how many documents are read
_RACED_DOCUMENTS = 64  # that speed is measured on, at most


class Quality(NamedTuple):
    """What a task is judged by. A loss is relative to the parent's, or the difference of two shares of ``scale``."""

    measure: str
    is_relative: bool
    accepted: float
    scale: float = 1.0


QUALITIES: Mapping[str, Quality] = {
    "language model": Quality("perplexity", True, 0.05),
    "text classifier": Quality("accuracy", False, 0.01),
    "image classifier": Quality("accuracy", False, 0.01),
    "embedding model": Quality("recall@1", False, 0.01),
    "encoder-decoder model": Quality("chrf", False, 0.01, 100.0),
}


def heldout(parent: Model, named: Dataset | None, scratch: Path, events: Events) -> Dataset:
    """What quality is measured on: the dataset that was named, the nearest that the model was made from, or of a
    language model the texts that come with this package. Raises :class:`BadRequest` where there is none."""
    found = named or parent.nearest(Dataset)
    if found is not None:
        return found
    if parent.capability == "text-generation":
        events.noted("no dataset is known here: quality is measured on old English texts; --dataset names another")
        return shipped(scratch / "shipped")
    raise BadRequest(
        f"'{parent.label}' was not made from a dataset here, so there is nothing held out to measure quality on",
        cure="pass one: --dataset NAME",
    )


def require_judgeable(parent: Model, dataset: Dataset, spec: GateSpec, scratch: Path) -> None:
    """Raise before any work what judging a model on a dataset would raise after it."""
    task_for([subject(parent)], dataset, _terms(spec), scratch)
    if spec.split not in dataset.splits:
        raise BadRequest(
            f"dataset '{dataset.label}' has no split '{spec.split}'", cure=f"its splits are {', '.join(dataset.splits)}"
        )


def weigh(
    parent: Model, candidate: OnnxModel, dataset: Dataset, spec: GateSpec, *, scratch: Path, events: Events
) -> dict[str, Any]:
    """The metrics of a candidate that passes; a page about it lies beside it then.

    Raises :class:`GateMissed` for one that does not, and what judging and loading the two raises.
    """
    sizes = {"parent": size_bytes(parent), "candidate": candidate.weights_bytes}
    events.measured("size, share of the parent's", sizes["candidate"] / sizes["parent"])
    _require_size(sizes, spec)
    subjects = [subject(parent), subject(candidate)]
    terms = _terms(spec)
    task = task_for(subjects, dataset, terms, scratch)
    quality = QUALITIES[task.name]
    task.wanted = [quality.measure]
    drawn = _drawn(task, dataset, spec, terms, events)
    found = _judged(task, quality, subjects, drawn, terms, scratch=scratch, events=events)
    _require_quality(found, quality, spec)
    metrics = {
        "parent": {quality.measure: found["parent"], "size_bytes": sizes["parent"]},
        "candidate": {quality.measure: found["candidate"], "size_bytes": sizes["candidate"]},
        "quality_loss": found["loss"],
        "quality": {
            "measure": quality.measure,
            "low": found["low"],
            "high": found["high"],
            "dataset": dataset.label,
            "split": terms.split,
            "documents": len(drawn),
            **{name: count for name, count in found["details"].items() if name == "tokens"},
        },
    }
    _compare(subjects, drawn, metrics, scratch, events)
    _require_speed(SpeedUp(**metrics["speedup"]), spec)
    write_page(candidate.folder, parent.label, task.name, metrics)
    return metrics


def told(metrics: Mapping[str, Any], what: str) -> str:
    """A candidate's metrics in a line."""
    loss, measure = metrics["quality_loss"], metrics["quality"]["measure"]
    change = f"{measure} {loss:+.1%}" if measure == "perplexity" else f"{measure} {-100 * loss:+.2g} points"
    size, ratio = metrics["candidate"]["size_bytes"], metrics["speedup"]["ratio"]
    return f"{what}, {size / 1e6:.3g} MB, {ratio:.2g}x as fast, {change}"


def size_bytes(model: Model) -> int:
    """The weights of a model, of an adapter those of its base, on disk."""
    if isinstance(model, OnnxModel):
        return model.weights_bytes
    base = model.base if isinstance(model, Adapter) else model
    return sum(path.stat().st_size for path in base.weights())


def _terms(spec: GateSpec) -> Terms:
    return Terms(
        split=spec.split, most=spec.most, seed=0, confidence=0.95, resamples=1000, window=_WINDOW, max_tokens=128,
        threads=None, device="cpu", characters=_CHARACTERS,
    )  # fmt: skip


def _drawn(task: Task, dataset: Dataset, spec: GateSpec, terms: Terms, events: Events) -> Draw:
    drawn = draw(dataset, terms.split, task.usable, most=terms.most, seed=terms.seed, events=events)
    if task.name == "language model":
        drawn = within(drawn, _bytes, spec.quality_tokens * _BYTES_A_TOKEN, seed=terms.seed)
    task.require_fit()
    return drawn


def _bytes(document: Mapping[str, Any]) -> int:
    texts = [document["text"]] if "text" in document else [one["content"] for one in document.get("messages", ())]
    texts += [document[side] for side in ("input", "output") if side in document]
    return sum(len(text[:_CHARACTERS].encode("utf-8", "replace")) for text in texts)


def _judged(
    task: Task, quality: Quality, subjects: list[Subject], drawn: Draw, terms: Terms, *, scratch: Path, events: Events
) -> dict[str, Any]:
    paths = [scratch / f"judged-{who}.jsonl" for who in ("parent", "candidate")]
    paths[1].unlink(missing_ok=True)  # of an earlier run's candidate
    called = (f"'{subjects[0].label}'", "the candidate")
    rows = [
        rows_of(task, number, drawn, called=called[number], path=paths[number], events=events) for number in range(2)
    ]
    (one,) = measured(task, rows, terms, events)
    worse = (one["other"] - one["value"]) * (1 if one["lower_is_better"] else -1)
    unit = one["value"] if quality.is_relative else quality.scale
    apart = one["difference"] or {}
    # The difference is the parent's less the candidate's, and a loss what is worse about the candidate.
    ends = [end / unit for end in (apart.get("low"), apart.get("high")) if end is not None]
    low, high = (sorted(-end if one["lower_is_better"] else end for end in ends)) if len(ends) == 2 else (None, None)
    events.measured("quality loss", worse / unit)
    return {
        "parent": one["value"],
        "candidate": one["other"],
        "loss": worse / unit,
        "low": low,
        "high": high,
        "details": task.details(rows[0]),
    }


def _compare(subjects: list[Subject], drawn: Draw, metrics: dict[str, Any], scratch: Path, events: Events) -> None:
    """What comes out, and how fast, of both on the same inputs."""
    documents = list(islice(drawn.documents(), _RACED_DOCUMENTS))
    with ExitStack() as stack:
        both = {
            name: stack.enter_context(closing(contestant(one, documents, scratch)))
            for name, one in zip(("parent", "candidate"), subjects, strict=True)
        }
        alike = parity(both["parent"].outputs(), both["candidate"].outputs())
        chooses = subjects[0].ability != "embedding"
        metrics["outputs"] = {
            "worst_difference": alike.worst,
            **({"same_choice": alike.agreement} if chooses else {"least_cosine": alike.cosine}),
        }
        times = race({name: one.round for name, one in both.items()}, events=events)
        for name, one in both.items():
            metrics[name] |= one.figures(times[name])
        gained = speed_up(*(times[name][one.phase] for name, one in both.items()))
    events.measured("speed-up", gained.ratio)
    metrics["speedup"] = {"ratio": gained.ratio, "low": gained.low, "high": gained.high}


def _require_size(sizes: Mapping[str, int], spec: GateSpec) -> None:
    share = sizes["candidate"] / sizes["parent"]
    if spec.max_size is not None and share > spec.max_size:
        raise GateMissed(
            f"it has {sizes['candidate'] / 1e6:.3g} MB, {share:.2f} of its parent's {sizes['parent'] / 1e6:.3g} MB, "
            f"and --max-size is {spec.max_size:g}"
        )


def _require_quality(found: Mapping[str, Any], quality: Quality, spec: GateSpec) -> None:
    most = quality.accepted if spec.max_quality_loss is None else spec.max_quality_loss
    if not found["loss"] <= most:
        verb = "rises" if quality.is_relative else "falls"
        amount = f"{found['loss']:.1%}" if quality.is_relative else f"{100 * found['loss']:.2g} points"
        raise GateMissed(
            f"held-out {quality.measure} {verb} by {amount}, from {found['parent']:.4g} to {found['candidate']:.4g}, "
            f"and --max-quality-loss is {most:g}",
            cure="accept more with --max-quality-loss, or round less",
        )


def _require_speed(gained: SpeedUp, spec: GateSpec) -> None:
    if spec.require_speedup is not None and gained.high < spec.require_speedup:
        raise GateMissed(
            f"it is {gained.ratio:.2f} times as fast (95% confidence {gained.low:.2f} to {gained.high:.2f}), and "
            f"--require-speedup is {spec.require_speedup:g}"
        )

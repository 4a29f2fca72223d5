"""Distilling: a student learns from a teacher, and both are measured side by side."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import transformers

from aictl.artifacts.capability import ABILITIES
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadRequest
from aictl.core.events import Events, silent
from aictl.optimize.distill import answers, losses, student
from aictl.optimize.distill.likeness import CaptionDistillation, TextDistillation
from aictl.optimize.distill.losses import Distillation, Mixture
from aictl.optimize.distill.spec import DistillSpec, refuse_unread
from aictl.optimize.gate import told, weigh
from aictl.optimize.lessons import Opened, foreseen, longest_of, open_lesson, require_known, train, write
from aictl.optimize.quality import lost, require_judgeable
from aictl.training import precision
from aictl.training.forecast import Forecast
from aictl.training.loop import Outcome
from aictl.training.objective import Objective
from aictl.training.precision import Compute
from aictl.training.tasks import pretrained
from aictl.training.tasks.encoders import ENCODERS, pooling


def distill(
    teacher: Checkpoint,
    dataset: Dataset,
    begin: Checkpoint | None,
    spec: DistillSpec,
    folder: Path,
    *,
    usable_bytes: float | None = None,
    scratch: Path,
    events: Events,
) -> Checkpoint:
    """Teach a student, ``begin`` or one that is made of the teacher, and write it into ``folder``.

    ``scratch`` holds the student as it begins, the teacher's answers and the state of the loop; a run that finds them
    goes on from there. Raises :class:`WrongKind` for a teacher that is no language model, classifier, embedding model
    or dual encoder, :class:`BadRequest` for a student or options that do not fit it, :class:`MachineLacks` where
    ``usable_bytes`` of memory do not suffice, :class:`GateMissed` where more quality is lost than ``spec`` allows,
    :class:`WorkFailed` when training diverges.
    """
    _require(teacher, dataset, begin, spec)
    require_judgeable(teacher, dataset, spec.gate, scratch)
    compute = precision.choose(spec.precision)
    start = _begun(teacher, begin, spec, scratch, events)
    taught = dataset
    if spec.method == "sequence":
        taught = answers.write_answers(teacher, dataset, spec.answer_tokens, scratch, events)
    opened = _lesson(teacher, start, taught, spec, compute, scratch=scratch / "lesson", events=events)
    outcome = train(
        opened,
        spec,
        spec.max_steps,
        compute,
        rate=spec.peak_rate,
        usable_bytes=usable_bytes,
        scratch=scratch / "loop",
        events=events,
    )
    made = _keep(opened, start, outcome, folder, events)
    metrics = weigh(
        teacher,
        made,
        dataset,
        spec.gate,
        cure="give more --max-steps, a larger student, or accept more with --max-quality-loss",
        scratch=scratch,
        events=events,
    )
    for name, one in (("parent", teacher), ("candidate", made)):
        metrics[name]["parameters"] = one.brief().parameters
    metrics["left_out"] = 1 - metrics["candidate"]["parameters"] / metrics["parent"]["parameters"]
    if spec.baseline:
        alone = _alone(start, dataset, spec, compute, scratch=scratch, events=events)
        found = lost(teacher, alone, dataset, spec.gate, called="the baseline", scratch=scratch, events=events)
        metrics["baseline"] = {found.quality.measure: found.candidate, "quality_loss": found.loss}
    summary = told(metrics, f"{metrics['left_out']:.0%} smaller than {teacher.label}")
    return Checkpoint(folder, metrics={**outcome.metrics(), **metrics}, summary=summary)


def foresee(
    teacher: Checkpoint, dataset: Dataset, begin: Checkpoint | None, spec: DistillSpec, *, usable_bytes: float | None
) -> Forecast:
    """What it would take; the teacher's answers and the measuring come on top of the time."""
    _require(teacher, dataset, begin, spec)
    compute = precision.choose(spec.precision)
    with TemporaryDirectory(prefix="aictl-dry-run-") as place:
        scratch = Path(place)
        start = _begun(teacher, begin, spec, scratch, silent)
        opened = _lesson(teacher, start, dataset, spec, compute, scratch=scratch / "lesson", events=silent)
        return foreseen(opened, spec, spec.max_steps, compute, usable_bytes=usable_bytes, timed=True)


def _require(teacher: Checkpoint, dataset: Dataset, begin: Checkpoint | None, spec: DistillSpec) -> None:
    refuse_unread(spec)
    require_known(teacher, dataset, "distill", besides=ENCODERS)
    if spec.method == "hidden" and teacher.capability in ENCODERS:
        raise BadRequest(
            f"--method hidden is for language models and classifiers, and '{teacher.label}' is for "
            f"{teacher.capability}",
            cure="--method logits",
        )
    student.require_student(teacher, begin, spec.shrink, same_tokens=spec.method != "sequence")
    if spec.method == "sequence":
        answers.require_questions(teacher, dataset)
    if begin is not None:
        require_known(begin, dataset, "distill", besides=ENCODERS)
        if teacher.capability != "image-classification" and longest_of(spec.teaching, begin) > teacher.context_length:
            raise BadRequest(
                f"'{teacher.label}' has a context of {teacher.context_length} tokens, and the student is to read more",
                cure=f"--sequence-length {teacher.context_length}",
            )


def _begun(
    teacher: Checkpoint, begin: Checkpoint | None, spec: DistillSpec, scratch: Path, events: Events
) -> Checkpoint:
    """The student as it begins, in ``scratch``, made now unless it is there."""
    done = scratch / "student"
    if not done.is_dir():
        partial = scratch / "student.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        student.make(teacher, begin, spec.shrink, partial, seed=spec.loop.seed, events=events)
        partial.rename(done)
    return Checkpoint(done, name=begin.label if begin else teacher.label)


def _lesson(
    teacher: Checkpoint,
    start: Checkpoint,
    dataset: Dataset,
    spec: DistillSpec,
    compute: Compute,
    *,
    scratch: Path,
    events: Events,
) -> Opened:
    """The student with what it learns, the teacher beside it unless it has written all it has to say."""
    scratch.mkdir(exist_ok=True)
    opened = open_lesson(start, dataset, spec, compute, scratch=scratch, events=events)
    if spec.method == "sequence":
        return opened
    assert teacher.capability is not None
    auto_class = getattr(transformers, ABILITIES[teacher.capability].auto_class)
    knows = pretrained.load(auto_class, teacher, events, spec.loop.seed).to(compute.device)
    hidden = 0.0
    if spec.method == "hidden":
        hidden = spec.hidden_weight
        losses.add_projections(opened.model, knows, opened.lesson.batches[0].parts(1)[0].to(compute.device))
    mixture = Mixture(spec.temperature, spec.teacher_weight, hidden)
    objective: Objective = Distillation(knows, mixture)
    if teacher.capability == "embedding":
        objective = TextDistillation(knows, mixture, pooling(start), pooling(teacher))
    elif teacher.capability == "image-text":
        objective = CaptionDistillation(knows, mixture)
    return opened._replace(lesson=replace(opened.lesson, objective=objective))


def _keep(opened: Opened, start: Checkpoint, outcome: Outcome, folder: Path, events: Events) -> Checkpoint:
    losses.remove_projections(opened.model)
    made = write(opened.model, start, folder)
    outcome.leave(folder, events)
    return made


def _alone(
    start: Checkpoint, dataset: Dataset, spec: DistillSpec, compute: Compute, *, scratch: Path, events: Events
) -> Checkpoint:
    """The same student, taught as long by the dataset alone."""
    lesson, folder = scratch / "baseline-lesson", scratch / "baseline"
    for place in (lesson, folder):
        place.mkdir(exist_ok=True)
    opened = open_lesson(start, dataset, spec, compute, scratch=lesson, events=events)
    untold = spec.model_copy(update={"loop": spec.loop.model_copy(update={"track": []})})
    place = scratch / "baseline-loop"
    train(opened, untold, spec.max_steps, compute, rate=spec.peak_rate, scratch=place, events=events)
    return write(opened.model, start, folder)

"""The student: a checkpoint, some layers of the teacher, or a fresh network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import transformers

from aictl.artifacts.capability import ABILITIES
from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.core.extras import require
from aictl.inference.embedding import prefix_of
from aictl.optimize.distill import fresh, layers
from aictl.optimize.distill.spec import StudentSpec
from aictl.optimize.lessons import write
from aictl.tokenizing.folder import TokenizerFolder
from aictl.training.presets import PRESETS
from aictl.training.tasks import pretrained


def require_student(teacher: Checkpoint, student: Checkpoint | None, spec: StudentSpec, *, same_tokens: bool) -> None:
    """Raise :class:`BadRequest` unless there is one student, of the teacher's task, with the same classes, and where
    both read or see the same rows the same tokenizer and the same size and colours of pictures."""
    if student is None:
        _require_told(teacher, spec)
        return
    if spec != StudentSpec():
        raise BadRequest(
            "--student brings its own layers and width",
            cure="leave out --layers, --width-fraction and --preset, or --student",
        )
    if student.capability != teacher.capability:
        raise BadRequest(
            f"'{student.label}' is for {student.capability or 'something unknown'}, and its teacher "
            f"'{teacher.label}' for {teacher.capability}",
            cure="give a student for the same",
        )
    if same_tokens:
        _require_same_tokens(teacher, student)
        if teacher.capability in ("image-classification", "image-text"):
            _require_same_pictures(teacher, student)


def make(
    teacher: Checkpoint, student: Checkpoint | None, spec: StudentSpec, folder: Path, *, seed: int, events: Events
) -> None:
    """Write the student as it begins into ``folder``, which then is a checkpoint. Raises :class:`BadRequest` for
    layers that the teacher has not, and for a kind of network that is not known here."""
    if student is not None:
        opened = pretrained.load(_auto_class(student), student, events, seed)
        write(opened, student, folder)
        return
    model = pretrained.load(_auto_class(teacher), teacher, events, seed)
    if spec.preset:
        made = fresh.of_preset(model, teacher, PRESETS[spec.preset], seed)
    elif spec.width_fraction is None:
        assert spec.layers is not None
        made = layers.cut(model, spec.layers)
    else:
        made = fresh.narrower(model, spec.width_fraction, spec.layers, seed)
    write(made, teacher, folder)


def _require_told(teacher: Checkpoint, spec: StudentSpec) -> None:
    if spec == StudentSpec():
        raise BadRequest(
            "nothing says what the student is",
            cure="--layers N begins with layers of the teacher, --width-fraction 0.5 with a narrower network, "
            "--preset tiny with a small language model, --student with a checkpoint",
        )
    if not spec.preset:
        return
    if spec.layers or spec.width_fraction:
        raise BadRequest(
            f"--preset {spec.preset} brings its own layers and width", cure="leave out --layers and --width-fraction"
        )
    if teacher.capability != "text-generation":
        raise BadRequest(
            f"--preset is the shape of a language model, and '{teacher.label}' is for {teacher.capability}",
            cure="--width-fraction makes a fresh network of the teacher's kind",
        )


def _auto_class(checkpoint: Checkpoint) -> Any:
    assert checkpoint.capability is not None
    return getattr(transformers, ABILITIES[checkpoint.capability].auto_class)


def _require_same_tokens(teacher: Checkpoint, student: Checkpoint) -> None:
    if teacher.capability == "image-classification":
        return
    own, other = (TokenizerFolder(one.folder).library.get_vocab(with_added_tokens=True) for one in (teacher, student))
    if own != other:
        moved = sum(other.get(token) != number for token, number in own.items())
        otherwise = ", or --method sequence" if teacher.capability == "text-generation" else ""
        raise BadRequest(
            f"the tokenizers of '{teacher.label}' and '{student.label}' differ: {moved} of {len(own)} tokens have "
            "other ids there, and both are to read the same",
            cure=f"give a student with the teacher's tokenizer{otherwise}",
        )
    if teacher.capability == "embedding" and prefix_of(teacher.folder) != prefix_of(student.folder):
        raise BadRequest(
            f"'{teacher.label}' reads every text after {prefix_of(teacher.folder)!r}, and '{student.label}' after "
            f"{prefix_of(student.folder)!r}: both are to read the same",
            cure="give a student with the teacher's default prompt",
        )


def _require_same_pictures(teacher: Checkpoint, student: Checkpoint) -> None:
    require("images")
    from aictl.training.tasks.pictures import PictureReader

    own, other = (PictureReader(pretrained.load_processor(one)) for one in (teacher, student))
    if (own.height, own.width) != (other.height, other.width):
        raise BadRequest(
            f"'{teacher.label}' sees pictures of {own.height} by {own.width} pixels, and '{student.label}' of "
            f"{other.height} by {other.width}: both are to see the same",
            cure="give a student that sees pictures of the same size",
        )
    if not all(np.allclose(*both) for both in ((own.factor, other.factor), (own.offset, other.offset))):
        raise BadRequest(
            f"'{teacher.label}' and '{student.label}' scale the colours of pictures differently, and both are to see "
            "the same",
            cure="give a student with the teacher's preprocessor_config.json",
        )

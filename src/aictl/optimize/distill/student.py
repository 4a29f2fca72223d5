"""The student: a checkpoint, some layers of the teacher, or a fresh network of its kind."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import PreTrainedModel

from aictl.artifacts.capability import ABILITIES
from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.optimize.distill.spec import StudentSpec
from aictl.optimize.lessons import write
from aictl.optimize.prune.anatomy import ANATOMIES, Body
from aictl.optimize.prune.cutting import rebuilt
from aictl.tokenizing.folder import TokenizerFolder
from aictl.training.tasks import pretrained

_FEWEST = 8  # of whatever is made narrower, and what it is a multiple of
# Widths that go down with the width of the network, by their names in configurations.
_WIDTHS = ("hidden_size", "intermediate_size", "n_embd", "n_inner", "dim", "hidden_dim", "embedding_size")
_HEADS = ("num_attention_heads", "num_key_value_heads", "n_head", "n_heads")
_STAGES = ("hidden_sizes",)  # a width for each stage of convolutions


def require_student(teacher: Checkpoint, student: Checkpoint | None, spec: StudentSpec, *, same_tokens: bool) -> None:
    """Raise :class:`BadRequest` unless there is one student, of the teacher's task, with the same classes, and where
    tokens are compared the same tokenizer."""
    if student is None:
        if spec == StudentSpec():
            raise BadRequest(
                "nothing says what the student is",
                cure="--layers N begins with layers of the teacher, --width-fraction 0.5 with a narrower network, "
                "--student with a checkpoint",
            )
        return
    if spec != StudentSpec():
        raise BadRequest(
            "--student brings its own layers and width", cure="leave out --layers and --width-fraction, or --student"
        )
    if student.capability != teacher.capability:
        raise BadRequest(
            f"'{student.label}' is for {student.capability or 'something unknown'}, and its teacher "
            f"'{teacher.label}' for {teacher.capability}",
            cure="give a student for the same",
        )
    if same_tokens:
        _require_same_tokens(teacher, student)


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
    if spec.width_fraction is None:
        assert spec.layers is not None
        body = Body(model)
        made = rebuilt(body, model.state_dict(), spread(len(body.layers), spec.layers))
    else:
        made = _fresh(model, spec, spec.width_fraction, seed)
    write(made, teacher, folder)


def spread(has: int, wanted: int) -> list[int]:
    """``wanted`` of ``has`` layers evenly spread, the first and the last among them, as DistilBERT's are every other
    (https://arxiv.org/abs/1910.01108, section 3). Raises :class:`BadRequest` for more than there are."""
    if wanted > has:
        raise BadRequest(f"--layers {wanted}: the teacher has {has}", cure=f"--layers of at most {has}")
    if wanted == 1:
        return [0]
    return [round(number * (has - 1) / (wanted - 1)) for number in range(wanted)]


def _fresh(teacher: PreTrainedModel, spec: StudentSpec, fraction: float, seed: int) -> PreTrainedModel:
    values = copy.deepcopy(teacher.config).to_dict()
    for name in _HEADS:
        if isinstance(values.get(name), int):
            values[name] = max(1, round(fraction * values[name]))
    if isinstance(values.get("num_key_value_heads"), int):  # the heads of queries are divided among them
        shared = values["num_key_value_heads"]
        values["num_attention_heads"] = max(shared, values["num_attention_heads"] // shared * shared)
    heads = next((values[name] for name in ("num_attention_heads", "n_head", "n_heads") if name in values), 1)
    for name in _WIDTHS:
        if isinstance(values.get(name), int):
            values[name] = _narrow(fraction * values[name], _FEWEST * heads)
    for name in _STAGES:
        if isinstance(values.get(name), list):
            values[name] = [_narrow(fraction * one, _FEWEST) for one in values[name]]
    if spec.layers is not None:
        anatomy = ANATOMIES.get(teacher.config.model_type)
        if anatomy is None:
            raise BadRequest(f"--layers: where a {teacher.config.model_type} has its layers is not known here")
        if isinstance(values.get("layer_types"), list):
            kept = spread(len(values["layer_types"]), spec.layers)
            values["layer_types"] = [values["layer_types"][number] for number in kept]
        values[anatomy.layer_count] = spec.layers
    if isinstance(values.get("head_dim"), int) and values.get("hidden_size"):
        values["head_dim"] = values["hidden_size"] // heads
    torch.manual_seed(seed)
    made: PreTrainedModel = type(teacher)(type(teacher.config).from_dict(values))
    if hasattr(teacher, "generation_config"):
        made.generation_config = copy.deepcopy(teacher.generation_config)
    return made


def _narrow(width: float, multiple: int) -> int:
    return max(multiple, round(width / multiple) * multiple)


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

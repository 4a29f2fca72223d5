"""A student that begins as some of the teacher's layers."""

from __future__ import annotations

import copy

from transformers import PreTrainedModel

from aictl.core.errors import BadRequest
from aictl.optimize.prune.anatomy import Body
from aictl.optimize.prune.cutting import rebuilt, renumbered

HALVES = ("text", "vision")  # of a dual encoder


def cut(teacher: PreTrainedModel, layers: int) -> PreTrainedModel:
    """A network of so many of the teacher's layers, evenly spread."""
    if hasattr(teacher.config, "vision_config"):
        return _cut_halves(teacher, layers)
    body = Body(teacher)
    return rebuilt(body, teacher.state_dict(), spread(len(body.layers), layers))


def _cut_halves(teacher: PreTrainedModel, layers: int) -> PreTrainedModel:
    """A dual encoder with so many layers in each half, evenly spread."""
    values = copy.deepcopy(teacher.config).to_dict()
    weights = teacher.state_dict()
    for half in HALVES:
        stem = f"{half}_model.encoder.layers."
        if not any(name.startswith(stem) for name in weights):
            raise BadRequest(
                f"where a {teacher.config.model_type} has its layers is not known here", cure="--student, or a CLIP"
            )
        config = values[f"{half}_config"]
        weights = renumbered(weights, stem, spread(config["num_hidden_layers"], layers))
        config["num_hidden_layers"] = layers
    made: PreTrainedModel = type(teacher)(type(teacher.config).from_dict(values))
    made.load_state_dict(weights, strict=True)
    return made


def spread(has: int, wanted: int) -> list[int]:
    """``wanted`` of ``has`` layers evenly spread, the first and the last among them, as DistilBERT's are every other
    (https://arxiv.org/abs/1910.01108, section 3). Raises :class:`BadRequest` for more than there are."""
    if wanted > has:
        raise BadRequest(f"--layers {wanted}: the teacher has {has}", cure=f"--layers of at most {has}")
    if wanted == 1:
        return [0]
    return [round(number * (has - 1) / (wanted - 1)) for number in range(wanted)]

"""The layout of sentence-transformers: a network, and beside it how the vectors of its tokens become one.

``modules.json`` lists the steps in order, each with its class and its folder
(https://sbert.net/docs/sentence_transformer/usage/custom_models.html).
"""

from __future__ import annotations

import json
from pathlib import Path

from aictl.artifacts.capability import EMBEDDING_FILES
from aictl.core.errors import BadInput
from aictl.model.intact import AGAIN, read_json, require_content

MODULES, POOLING = EMBEDDING_FILES
_SETTINGS = ("config_sentence_transformers.json", "sentence_bert_config.json")
# Steps that are followed wherever a model is loaded here: vectors always come out at length 1.
_FOLLOWED = ("Transformer", "Pooling", "Normalize")


def files(source: Path) -> list[str]:
    """Those files of the layout that are there, relative to the model's folder; none for another kind of model.

    Raises :class:`BadInput` for one whose steps cannot be followed: left out, they would give other vectors.
    """
    _require_root(source)
    if not (source / MODULES).is_file():
        return [POOLING] if (source / POOLING).is_file() else []
    found = [MODULES, *(name for name in _SETTINGS if (source / name).is_file())]
    for step in _steps(source / MODULES):
        name, place = str(step.get("type")).rpartition(".")[2], str(step.get("path") or "")
        if name not in _FOLLOWED:
            raise BadInput(
                f"{source / MODULES}: the step {step.get('type')} is not known here",
                cure=f"take a model whose steps are {', '.join(_FOLLOWED)}",
            )
        if name == "Transformer" and place:
            raise BadInput(
                f"{source / MODULES}: the network lies in {place}",
                cure=f"move the files of {place} beside {MODULES}, and make its path there empty",
            )
        if name == "Pooling" and place != Path(POOLING).parent.as_posix():
            raise BadInput(f"{source / MODULES}: pooling lies in '{place}'", cure=f"call that folder {POOLING[:9]}")
    if (source / POOLING).is_file():
        read_json(source / POOLING)
        found.append(POOLING)
    return found


def _require_root(source: Path) -> None:
    """The network of an old layout lies one folder below, and is not the whole model."""
    around = source.parent / MODULES
    if around.is_file() and not (source / MODULES).is_file():
        paths = [step.get("path") for step in _steps(around)]
        if source.name in paths:
            raise BadInput(
                f"{source} is one step of the model in {source.parent}",
                cure=f"move its files beside {around}, make its path there empty, and give {source.parent}",
            )


def _steps(path: Path) -> list[dict[str, object]]:
    require_content(path)
    try:
        steps = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} is no whole JSON: {error}", cure=AGAIN) from error
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise BadInput(f"{path} is no list of steps", cure=AGAIN)
    return steps

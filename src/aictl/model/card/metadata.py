"""The front matter of a card, in the vocabulary of the hub
(https://github.com/huggingface/hub-docs/blob/main/modelcard.md).

Datasets and base models are named there by the hub's own ids; what came from elsewhere stands in the text alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from aictl.artifacts.capability import ABILITIES
from aictl.artifacts.model import Model
from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import BadRequest
from aictl.model.card import history

LIBRARIES = {"checkpoint": "transformers", "adapter": "peft", "onnx": "onnx", "engine": "tensorrt", "gguf": "gguf"}
# The hub's words for licences, as far as models have them; any other is "other" with a name of its own.
# https://huggingface.co/docs/hub/repositories-licenses
_LICENSES = {
    *("apache-2.0", "mit", "bsd", "bsd-2-clause", "bsd-3-clause", "gpl-2.0", "gpl-3.0", "lgpl-2.1", "lgpl-3.0"),
    *("agpl-3.0", "mpl-2.0", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0"),
    *("openrail", "bigscience-openrail-m", "creativeml-openrail-m", "bigcode-openrail-m", "llama2", "llama3"),
    *("llama3.1", "llama3.2", "llama3.3", "llama4", "gemma", "unlicense", "artistic-2.0", "isc", "zlib", "unknown"),
}


def metadata(
    model: Model,
    steps: Sequence[history.Step],
    measured: Sequence[history.Measured],
    *,
    title: str,
    license: str | None,
    languages: Sequence[str],
) -> ModelCardData:
    """Raises :class:`BadRequest` for a language that is no code of ISO 639."""
    for one in languages:
        if not re.fullmatch(r"[a-z]{2,3}|code|multilingual", one):
            raise BadRequest(f"--language {one} is no language code", cure="give codes of ISO 639, such as en or deu")
    capability, library = model.capability, LIBRARIES.get(model.kind)
    known = [] if license is None else [license.lower().removesuffix(" license").replace(" ", "-")]
    listed = next((one for one in known if one in _LICENSES), None)
    bases = history.hub_ids(list(steps[1:]), "checkpoint")
    results = [
        EvalResult(
            task_type=ABILITIES[capability].pipeline_tag if capability else "other",
            dataset_type=one.dataset,
            dataset_name=one.dataset,
            dataset_split=one.split,
            dataset_revision=one.digest,
            metric_type=figure.name.rpartition(".")[2],
            metric_name=figure.name,
            metric_value=figure.value,
            metric_args={"interval": list(figure.interval)} if figure.interval else None,
        )
        for one in measured
        for figure in one.figures
    ]
    relation = _relation(model)
    extra: dict[str, Any] = {"base_model_relation": relation} if bases and relation else {}
    return ModelCardData(
        base_model=(bases[0] if len(bases) == 1 else bases) or None,
        datasets=history.hub_ids(list(steps), "dataset") or None,
        eval_results=results or None,
        language=list(languages) or None,
        library_name="sentence-transformers" if model.kind == "checkpoint" and capability == "embedding" else library,
        license=listed or ("other" if license else None),
        license_name=None if listed or not license else re.sub(r"[^a-z0-9.]+", "-", license.lower()).strip("-"),
        metrics=sorted({result.metric_type for result in results}) or None,
        model_name=title if results else None,
        pipeline_tag=ABILITIES[capability].pipeline_tag if capability else None,
        tags=["aictl", *(["lora"] if model.kind == "adapter" else [])],
        **extra,
    )


def _relation(model: Model) -> str | None:
    """What a model is to its base, in the hub's words: https://huggingface.co/docs/hub/model-cards#specifying-a-base-model"""
    if isinstance(model, OnnxModel):
        return "quantized" if model.facts["precision"].startswith("int") else None
    return {"adapter": "adapter", "checkpoint": "finetune"}.get(model.kind)

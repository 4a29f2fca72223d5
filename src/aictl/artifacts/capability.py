"""What a model can do, told by its configuration alone: one word that every verb understands alike.

A checkpoint's ``config.json`` names the class of its network (``architectures``), and the end of that name says
what comes out of it: ``BertForSequenceClassification`` classifies texts. Where the name leaves it open, the
number of classes does, or the files that sentence-transformers lays beside it.

The words are those of the Hugging Face hub's tasks (https://huggingface.co/tasks) where one of them says what a
*model* is good for; :data:`ABILITIES` gives the hub's own tag for each.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal, NamedTuple

from aictl.core.errors import WrongKind

Capability = Literal[
    "text-generation",
    "text-classification",
    "embedding",
    "reranking",
    "masked-language-modelling",
    "text-to-text",
    "image-classification",
    "object-detection",
    "image-text",
]


class Ability(NamedTuple):
    """What a capability means.

    ``does`` completes "a model that ..."; ``reads`` is what goes in; ``auto_class`` is the class of transformers
    that loads it with its head; ``pipeline_tag`` is the hub's word; ``task_type`` is peft's, where it has one.
    """

    does: str
    reads: tuple[Literal["text", "image"], ...]
    auto_class: str
    pipeline_tag: str
    task_type: str | None = None


ABILITIES: Mapping[Capability, Ability] = {
    "text-generation": Ability(
        "goes on with a text", ("text",), "AutoModelForCausalLM", "text-generation", "CAUSAL_LM"
    ),
    "text-classification": Ability(
        "tells which class a text is of",
        ("text",),
        "AutoModelForSequenceClassification",
        "text-classification",
        "SEQ_CLS",
    ),
    "embedding": Ability(
        "turns a text into a vector that is near to those of like texts",
        ("text",),
        "AutoModel",
        "sentence-similarity",
        "FEATURE_EXTRACTION",
    ),
    "reranking": Ability(
        "says how well a text answers a question", ("text",), "AutoModelForSequenceClassification", "text-ranking"
    ),
    "masked-language-modelling": Ability(
        "fills gaps in a text, and is the ground for other tasks", ("text",), "AutoModelForMaskedLM", "fill-mask"
    ),
    "text-to-text": Ability(
        "turns one text into another, such as its translation or summary",
        ("text",),
        "AutoModelForSeq2SeqLM",
        "text2text-generation",
        "SEQ_2_SEQ_LM",
    ),
    "image-classification": Ability(
        "tells which class a picture is of", ("image",), "AutoModelForImageClassification", "image-classification"
    ),
    "object-detection": Ability(
        "finds things in a picture, and where they are", ("image",), "AutoModelForObjectDetection", "object-detection"
    ),
    "image-text": Ability(
        "says how well text and picture go together",
        ("text", "image"),
        "AutoModel",
        "zero-shot-image-classification",
    ),
}

# Laid beside a network by sentence-transformers. It says what the network is used for, whatever head it once had.
EMBEDDING_FILES = ("modules.json", "1_Pooling/config.json")

# By the end of the architecture's name; the first that fits counts.
_ENDINGS: tuple[tuple[str, Capability], ...] = (
    ("ForCausalLM", "text-generation"),
    # They take pictures too, and transformers lists them for going on with a text alone.
    ("Gemma3ForConditionalGeneration", "text-generation"),
    ("Gemma3nForConditionalGeneration", "text-generation"),
    ("Gemma4ForConditionalGeneration", "text-generation"),
    ("WithLMHeadModel", "masked-language-modelling"),  # XLM and Flaubert, which transformers lists there
    ("LMHeadModel", "text-generation"),
    ("ForSequenceClassification", "text-classification"),
    ("ForMaskedLM", "masked-language-modelling"),
    ("ForPreTraining", "masked-language-modelling"),
    ("ForImageClassification", "image-classification"),
    ("ForImageClassificationWithTeacher", "image-classification"),
    ("ForObjectDetection", "object-detection"),
    ("MTModel", "text-to-text"),  # Marian
    ("ForConditionalGeneration", "text-to-text"),
    ("EncoderModel", "embedding"),  # the half of T5 that reads
)
# Dual encoders, as transformers lists them for zero-shot image classification.
_IMAGE_TEXT = {"AlignModel", "AltCLIPModel", "BlipModel", "CLIPModel", "CLIPSegModel", "ChineseCLIPModel"}
_IMAGE_TEXT |= {"MetaClip2Model", "Siglip2Model", "SiglipModel", "VisionTextDualEncoderModel"}
# Parts of a configuration that mean that pictures or sound go in: a network of another sort.
_OTHER_SENSES = ("vision_config", "audio_config", "num_mel_bins")


def capability_of(config: Mapping[str, Any], files: Collection[str] = ()) -> Capability | None:
    """What a model can do by its ``config.json`` and the names of the files beside it, relative to its folder;
    None for an architecture that is for something else, or is not named."""
    named = config.get("architectures")
    architecture = str(named[0]) if isinstance(named, list | tuple) and named else ""
    if architecture and any(name in files for name in EMBEDDING_FILES):
        return "embedding"
    if architecture in _IMAGE_TEXT:
        return "image-text"
    has_text_alone = not any(config.get(name) for name in _OTHER_SENSES)
    is_two_sided = bool(config.get("is_encoder_decoder"))
    found = next((what for ending, what in _ENDINGS if architecture.endswith(ending)), None)
    if found is None:
        is_text_encoder = bool(config.get("vocab_size")) and has_text_alone and not is_two_sided
        return "embedding" if is_text_encoder and architecture.endswith("Model") else None
    if found == "text-classification" and _is_one_score(config):
        return "reranking"
    return found if found != "text-to-text" or (has_text_alone and is_two_sided) else None


def _is_one_score(config: Mapping[str, Any]) -> bool:
    """Whether a head puts out one number, as those do that rank; a regression does too, and says so."""
    labels = config.get("id2label")
    count = len(labels) if isinstance(labels, Mapping) else config.get("num_labels")
    return count == 1 and config.get("problem_type") != "regression"


def require_capability(label: str, has: Capability | None, *wanted: Capability, command: str) -> None:
    """Raise :class:`WrongKind` unless a model called ``label`` can do one of what ``command`` (such as ``serve``)
    is for."""
    if has in wanted:
        return
    does = f"is for {has}" if has else "is for something that is not known here"
    raise WrongKind(
        f"'{label}' {does}, and aictl {command} takes models for {' or '.join(wanted)}",
        cure=f"aictl model show {label} says what it can do; aictl model ls lists the others",
    )

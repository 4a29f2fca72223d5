"""What can be done with a model next: the commands that are installed and take one of its kind and capability."""

from __future__ import annotations

import shlex
from typing import NamedTuple

from aictl.artifacts.capability import Capability
from aictl.core import doors


class Use(NamedTuple):
    """A command for models of some kinds and capabilities; ``words`` follow the model's name."""

    command: str
    kinds: tuple[str, ...]
    capabilities: tuple[Capability, ...]
    words: str
    purpose: str
    needs_chat: bool = False


_LANGUAGE: tuple[Capability, ...] = ("text-generation",)
_ROUNDED: tuple[Capability, ...] = (
    *("text-classification", "embedding", "reranking", "text-to-text", "image-classification", "image-text"),
)
_TAUGHT: tuple[Capability, ...] = ("text-generation", "text-classification", "image-classification")
_ANY_WEIGHTS = ("checkpoint", "adapter", "onnx")
_ANY_MODEL = (*_ANY_WEIGHTS, "engine", "gguf", "mobile", "openvino")
_ALL: tuple[Capability, ...] = (
    *("text-generation", "text-classification", "embedding", "reranking", "masked-language-modelling"),
    *("text-to-text", "image-classification", "object-detection", "image-text"),
)
_EXPORTED = tuple(one for one in _ALL if one != "masked-language-modelling")
_CONVERTED = tuple(one for one in _EXPORTED if one != "text-to-text")
USES = (
    Use("generate", _ANY_WEIGHTS, _LANGUAGE, '"What is the capital of France?"', "ask it once"),
    Use("serve", _ANY_WEIGHTS, _LANGUAGE, "", "answer over HTTP, as OpenAI's clients ask"),
    Use("finetune.lora", ("checkpoint",), _LANGUAGE, "CHATS --name NAME", "teach it conversations", needs_chat=True),
    Use("export.onnx", ("checkpoint", "adapter"), _EXPORTED, "--name NAME", "run it without torch"),
    Use("export.gguf", ("checkpoint", "adapter"), _LANGUAGE, "--name NAME", "run it in llama.cpp"),
    Use("export.mobile", ("onnx",), _CONVERTED, "--name NAME", "run it on a phone"),
    Use("export.openvino", ("onnx",), _CONVERTED, "--name NAME", "run it in OpenVINO"),
    Use("optimize.quantize", _ANY_WEIGHTS, _LANGUAGE, "--name NAME", "make it smaller and faster, if it stays good"),
    Use(
        "optimize.quantize",
        ("onnx",),
        _ROUNDED,
        "--dataset DATASET --name NAME",
        "make it smaller and faster, if it stays good",
    ),
    Use("optimize.auto", _ANY_WEIGHTS, _LANGUAGE, "--name NAME", "find the best that it can be made into"),
    Use("optimize.auto", ("onnx",), _ROUNDED, "--dataset DATASET --name NAME", "find the best it can be made into"),
    Use("optimize.prune", ("checkpoint",), _TAUGHT, "--method structured --name NAME", "leave out what does little"),
    Use("optimize.distill", ("checkpoint",), _TAUGHT, "DATASET --layers N --name NAME", "teach a smaller one"),
    Use("optimize.trt", ("onnx",), _LANGUAGE, "--name NAME", "compile it for an NVIDIA GPU"),
    Use("evaluate", _ANY_WEIGHTS, _ALL, "DATASET", "measure how good it is"),
    Use("hw.plan.serve", ("checkpoint", "adapter", "onnx"), _LANGUAGE, "", "what it takes to serve it"),
    Use("model.card", _ANY_MODEL, _ALL, "--out README.md", "describe it to others"),
    Use("artifact.lineage", _ANY_MODEL, _ALL, "", "see what it was made from"),
)


def uses_of(kind: str, capability: Capability | None, label: str, *, has_chat: bool) -> list[tuple[str, str]]:
    """Command lines, each with what it is for."""
    offered = doors.doors(doors.COMMANDS)
    return [
        (" ".join(["aictl", *use.command.split("."), shlex.quote(label), use.words]).strip(), use.purpose)
        for use in USES
        if use.command in offered
        and kind in use.kinds
        and (capability in use.capabilities or (capability is None and use.capabilities is _ALL))
        and (has_chat or not use.needs_chat)
    ]

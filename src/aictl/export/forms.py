"""How models that answer in one pass become graphs: by capability, what each graph takes, gives and is tried on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from aictl.artifacts.capability import Capability
from aictl.export.samples import Samples, pairs, pictures, texts
from aictl.inference.encoder_torch import (
    Loaded,
    TorchClassifier,
    TorchDetector,
    TorchDualEncoder,
    TorchImageClassifier,
    TorchNetwork,
)

Tensors = tuple[torch.Tensor, ...]


def _named(result: Any, names: Sequence[str]) -> Tensors:
    return tuple(result[name] for name in names)


class GraphForm(NamedTuple):
    """One graph of a model.

    ``name`` is its file's without ``.onnx``; ``entry`` the method of the network that it is traced from, and
    ``outputs`` what of its result the graph gives; ``samples`` prepares inputs by the model's folder, what the
    method has names for and the configuration.
    """

    name: str
    outputs: tuple[str, ...]
    samples: Callable[[Path, Collection[str], Any], Samples]
    entry: str = "forward"
    finish: Callable[[Any, Sequence[str]], Tensors] = _named


class Form(NamedTuple):
    """What loads a model, and its graphs. ``scoring`` says how vectors of two graphs are compared."""

    loads: type[Loaded]
    graphs: tuple[GraphForm, ...]
    scoring: Callable[[Any], dict[str, float]] | None = None


class Traced(torch.nn.Module):  # type: ignore[misc]
    """A network as a graph: tensors by position, in float32 or whole numbers, to tensors in float32."""

    def __init__(self, network: torch.nn.Module, form: GraphForm, inputs: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self._form, self._inputs = form, tuple(inputs)

    def forward(self, *given: torch.Tensor) -> Tensors:
        """``given`` are the values of ``inputs``, in their order."""
        dtype = self.network.dtype
        named = {
            name: value.to(dtype) if value.is_floating_point() else value
            for name, value in zip(self._inputs, given, strict=True)
        }
        found = self._form.finish(getattr(self.network, self._form.entry)(**named), self._form.outputs)
        return tuple(one.float() for one in found)


def _unit(result: Any, names: Sequence[str]) -> Tensors:
    """The one vector of each row, of length 1. The sum of its squares may be beyond fp16, so it is taken in fp32."""
    vectors = (result if isinstance(result, torch.Tensor) else result.pooler_output).float()
    return (vectors / vectors.norm(dim=-1, keepdim=True),)


def _scoring(network: Any) -> dict[str, float]:
    """Scale and bias of a dual encoder's scores: the exponential of what CLIP and SigLIP learn, or one over ALIGN's
    temperature."""
    learnt, bias = getattr(network, "logit_scale", None), getattr(network, "logit_bias", None)
    scale = learnt.exp() if learnt is not None else 1 / network.temperature
    return {"scale": float(scale.detach()), "bias": 0.0 if bias is None else float(bias.detach())}


FORMS: Mapping[Capability, Form] = {
    "text-classification": Form(TorchClassifier, (GraphForm("model", ("logits",), texts),)),
    "reranking": Form(TorchClassifier, (GraphForm("model", ("logits",), pairs),)),
    "embedding": Form(TorchNetwork, (GraphForm("model", ("last_hidden_state",), texts),)),
    "image-classification": Form(TorchImageClassifier, (GraphForm("model", ("logits",), pictures),)),
    "object-detection": Form(TorchDetector, (GraphForm("model", ("logits", "pred_boxes"), pictures),)),
    "image-text": Form(
        TorchDualEncoder,
        (
            GraphForm("text", ("text_embeds",), texts, "get_text_features", _unit),
            GraphForm("image", ("image_embeds",), pictures, "get_image_features", _unit),
        ),
        _scoring,
    ),
}

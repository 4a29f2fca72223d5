"""A frozen base in 4 or 8 bits (https://arxiv.org/abs/2305.14314): its matrices are quantised one by one."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from transformers import PreTrainedModel

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import MachineLacks
from aictl.finetune.spec import QloraSpec
from aictl.training import language_models
from aictl.training.precision import Compute

# The share of an activation's values above which 8-bit products keep a column in the number format
# (https://arxiv.org/abs/2208.07339, section 3.2).
OUTLIERS = 6.0


class Quantized(NamedTuple):
    """Matrices that were quantised, the bytes they take, and those they took in the format they are multiplied in."""

    matrices: int
    size_bytes: int
    plain_bytes: int


def load(checkpoint: Checkpoint, compute: Compute, spec: QloraSpec) -> PreTrainedModel:
    """The checkpoint's model, frozen, its linear layers but the head quantised; ``model.quantized`` says how far.

    Embeddings and norms keep their format. Raises :class:`Damaged` if the files cannot be loaded, :class:`MachineLacks`
    where bitsandbytes has no kernels for the device.
    """
    import bitsandbytes

    model = language_models.load(checkpoint, compute)
    head = model.get_output_embeddings()
    places = [
        (module, name, child)
        for module in model.modules()
        for name, child in module.named_children()
        if isinstance(child, torch.nn.Linear) and child is not head
    ]
    size_bytes = plain_bytes = 0
    for module, name, child in places:
        plain_bytes += child.weight.nbytes
        try:
            made = _quantize(bitsandbytes, child, compute, spec)
        except (RuntimeError, NotImplementedError, AttributeError) as error:
            raise MachineLacks(
                f"bitsandbytes {bitsandbytes.__version__} cannot hold matrices as {spec.base_format} on "
                f"{compute.device.type}: {error}",
                cure="`aictl finetune lora`, which keeps them as they are; or --base-format of another kind",
            ) from error
        setattr(module, name, made)
        size_bytes += _size_bytes(made.weight)
    four = spec.base_format != "int8"
    model.is_loaded_in_4bit, model.is_loaded_in_8bit = four, not four  # by which peft knows what it adapts
    model.quantized = Quantized(len(places), size_bytes, plain_bytes)
    return model


def _quantize(library: Any, layer: torch.nn.Linear, compute: Compute, spec: QloraSpec) -> torch.nn.Module:
    # Nothing is allocated for the new layer: its weight is the old one's until it is quantised.
    shape = (layer.in_features, layer.out_features, layer.bias is not None)
    weight = layer.weight.data
    made: Any
    if spec.base_format == "int8":
        made = library.nn.Linear8bitLt(*shape, has_fp16_weights=False, threshold=OUTLIERS, device="meta")
        made.weight = library.nn.Int8Params(weight.half(), requires_grad=False, has_fp16_weights=False)
    else:
        how = {"compress_statistics": spec.double_quantization, "quant_type": spec.base_format}
        made = library.nn.Linear4bit(*shape, compute_dtype=compute.dtype, device="meta", **how)
        made.weight = library.nn.Params4bit(weight, requires_grad=False, module=made, **how)
        # For evaluation alone it would repack the matrix, for a kernel that takes certain shapes and no gradient.
        made.support_avx512bf16_for_cpu = False
    made.bias = layer.bias
    return made.to(compute.device)


def _size_bytes(weight: Any) -> int:
    state = getattr(weight, "quant_state", None)
    tensors = [weight.data]
    if state is not None:
        tensors += [one for one in (state.absmax, getattr(state.state2, "absmax", None)) if one is not None]
    elif getattr(weight, "SCB", None) is not None:
        tensors.append(weight.SCB)
    return sum(one.nbytes for one in tensors)

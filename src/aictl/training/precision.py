"""Where to compute and in which number format, chosen to fit the hardware."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from aictl.core.errors import MachineLacks
from aictl.core.extras import require
from aictl.training.float8 import multiplies_float8
from aictl.training.spec import PrecisionSpec

# Enough to keep the hardware busy; the activations of so many tokens are what a step's memory is.
CPU_TOKENS, GPU_TOKENS = 1024, 16_384

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# What flows between the layers, and all but the large layers multiply in, where those do it in float8.
_BESIDE_FLOAT8 = torch.bfloat16


@dataclass(frozen=True)
class Compute:
    """A device, the format of its matrix products, how many tokens go through the model together
    at most, whether torch.compile is to work on it first, and whether activations are worked out anew in place of being
    kept. Weights that are trained stay
    float32."""

    device: torch.device
    precision: str
    tokens_at_once: int = CPU_TOKENS
    compiled: bool = False
    recompute: bool = False

    @property
    def dtype(self) -> torch.dtype:
        return DTYPES.get(self.precision, _BESIDE_FLOAT8)

    def autocast(self) -> AbstractContextManager[object]:
        """The context to compute a loss in."""
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.precision != "fp32")

    def scaler(self) -> torch.amp.GradScaler:
        """Loss scaling, which keeps small fp16 gradients from vanishing; inert for other formats."""
        return torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")


def choose(spec: PrecisionSpec) -> Compute:
    """Resolve ``auto``. Raises :class:`MachineLacks` for a GPU that was asked for and is not there, and for float8
    without a GPU that multiplies it."""
    if spec.device == "cuda" and not torch.cuda.is_available():
        raise MachineLacks(
            "--device cuda: torch finds no usable NVIDIA GPU",
            cure="use --device auto, or install a CUDA build of torch",
        )
    cuda = spec.device == "cuda" or (spec.device == "auto" and torch.cuda.is_available())
    device = torch.device("cuda" if cuda else "cpu")
    precision = spec.precision
    if precision == "fp8":
        require("float8")
        if not multiplies_float8(device):
            raise MachineLacks(
                "--precision fp8: this needs a GPU that multiplies float8: NVIDIA's from compute capability 8.9 on, "
                "AMD's from MI300 on",
                cure="--precision bf16",
            )
    if precision == "auto":
        if cuda:
            precision = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
        else:
            precision = "bf16" if cpu_multiplies_bf16() else "fp32"
    tokens_at_once = spec.tokens_at_once or (GPU_TOKENS if cuda else CPU_TOKENS)
    return Compute(device, precision, tokens_at_once, spec.compile, spec.recompute)


def cpu_multiplies_bf16() -> bool:
    """Whether this CPU has bf16 dot-product instructions; without them bf16 is emulated and slow."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))

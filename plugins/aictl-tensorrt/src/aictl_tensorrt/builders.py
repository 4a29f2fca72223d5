"""Which engine builder this machine has, and what it lacks where it has none.

TensorRT-RTX (``tensorrt_rtx``) and TensorRT (``tensorrt``) have the same Python API, so the rest of
the plugin is handed the module and seldom asks which it is.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from typing import Any, Literal

from aictl.core.errors import MachineLacks


@dataclass(frozen=True)
class Offer:
    """A builder that could be installed: how it is imported, and how it is brought here."""

    name: Literal["rtx", "tensorrt"]
    title: str
    module: str
    install: str


OFFERS = (
    Offer("rtx", "TensorRT-RTX", "tensorrt_rtx", "pip install 'aictl-tensorrt[rtx]'"),
    Offer("tensorrt", "TensorRT", "tensorrt", "pip install 'aictl-tensorrt[tensorrt]'"),
)


@dataclass(frozen=True)
class Builder:
    """A builder that was imported; ``api`` is its module."""

    offer: Offer
    api: Any

    @property
    def version(self) -> str:
        return str(self.api.__version__)

    @property
    def distribution(self) -> str:
        """The installed distribution that owns the module, such as ``tensorrt-rtx-cu13``."""
        owners = packages_distributions().get(self.offer.module, [self.offer.module])
        return owners[0].replace("_", "-")


def find(wanted: str, offers: Sequence[Offer] = OFFERS) -> Builder:
    """Import the builder called ``wanted``, or the first there is for ``auto``.

    Raises :class:`MachineLacks` saying, for each builder that was looked for, what is missing.
    """
    candidates = [offer for offer in offers if wanted in ("auto", offer.name)]
    lacking = []
    for offer in candidates:
        try:
            return Builder(offer, importlib.import_module(offer.module))
        except ModuleNotFoundError as error:
            missing = f"{offer.title} is not installed"
            lacking.append(missing if error.name == offer.module else f"{missing} whole: no module '{error.name}'")
        except Exception as error:  # a library of it that cannot be loaded, whatever it raises
            lacking.append(f"{offer.title} is installed and cannot be loaded: {type(error).__name__}: {error}")
    raise MachineLacks(
        f"no engine can be built here: {'; '.join(lacking)}",
        cure=" or ".join(offer.install for offer in candidates)
        + ("; TensorRT-RTX needs no GPU to build" if wanted != "tensorrt" else " where the GPU and its driver are"),
    )

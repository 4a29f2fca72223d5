"""Inputs that several of the verb's commands take alike."""

from __future__ import annotations

from aictl.artifacts.dataset import Dataset
from aictl.core.command import Takes

HELD_OUT = Takes(
    "dataset",
    (Dataset,),
    help="what quality is measured on; by default the nearest dataset that the model was made from, and for a "
    "language model without one some old English texts",
    option=True,
    required=False,
)

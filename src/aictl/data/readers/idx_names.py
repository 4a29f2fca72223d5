"""How the files of MNIST and its kin are called: ``train-images-idx3-ubyte.gz``, and ``train-labels-idx1-ubyte.gz``
beside it; in some copies a dot stands before ``idx``."""

from __future__ import annotations

import re

_IMAGES = re.compile(r"(.*)images([-.])idx3-ubyte(\.gz)?")
_LABELS = re.compile(r"(.*)labels([-.])idx1-ubyte(\.gz)?")


def is_images(name: str) -> bool:
    return _IMAGES.fullmatch(name.rpartition("/")[2]) is not None


def is_labels(name: str) -> bool:
    return _LABELS.fullmatch(name.rpartition("/")[2]) is not None


def labels_name(name: str) -> str:
    """Of the labels of the pictures in a file of this name."""
    return _IMAGES.sub(r"\1labels\2idx1-ubyte\3", name)

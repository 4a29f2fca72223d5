"""What a safetensors file promises about itself, read without torch.

Format: 8 bytes little-endian length N, N bytes of JSON header, then the tensors' bytes
(https://github.com/huggingface/safetensors#format).
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from aictl.core.errors import Damaged

MAX_HEADER_BYTES = 100 * 2**20  # the format's own limit


def read_header(path: Path) -> dict[str, Any]:
    """Tensor names with dtype, shape and byte offsets.

    Raises :class:`Damaged` if the file is cut short or its header is not what the format says.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            if size < 8:
                raise ValueError(f"it has {size} bytes, and the header's length alone takes 8")
            (length,) = struct.unpack("<Q", file.read(8))
            if length > min(MAX_HEADER_BYTES, size - 8):
                raise ValueError(f"the header claims {length} bytes of a file of {size}")
            try:
                header = json.loads(file.read(length))
            except ValueError:
                raise ValueError("its header is no JSON") from None
        if not isinstance(header, dict):
            raise ValueError("its header is no JSON object")
        tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
        end = max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
        if not all(isinstance(entry["dtype"], str) and isinstance(entry["shape"], list) for entry in tensors.values()):
            raise ValueError("its header gives a tensor no type or shape")
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise Damaged(f"{path} is not a whole safetensors file: {error}") from error
    if size != 8 + length + end:
        raise Damaged(f"{path} has {size} bytes and its header promises {8 + length + end}")
    return tensors


def parameter_count(path: Path) -> int:
    """Number of values in all tensors of a file."""
    total = 0
    for entry in read_header(path).values():
        count = 1
        for extent in entry["shape"]:
            count *= extent
        total += count
    return total

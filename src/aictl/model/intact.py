"""Whether a model's files are what their names say, told before anything is copied."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from aictl.artifacts.safetensors import read_header
from aictl.core.errors import BadInput, Damaged

AGAIN = "download the model again, and compare the sizes of its files with those on its page"
_LFS = b"version https://git-lfs.github.com/spec/"
_PAGE = (b"<!doctype html", b"<html")
_BITS = {
    **{"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "BOOL": 8, "U8": 8, "I8": 8},
    **{"F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "F16": 16, "BF16": 16, "I16": 16, "U16": 16},
    **{"F32": 32, "I32": 32, "U32": 32, "F64": 64, "I64": 64, "U64": 64, "C64": 64},
}


def require_content(path: Path) -> None:
    """Raise :class:`BadInput` for a file that stands where another should: downloads that failed
    leave empty ones, Git's notes of where the file is kept, and web pages that say why."""
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise BadInput(f"{path} is empty", cure=AGAIN)
    if head.startswith(_LFS):
        raise BadInput(
            f"{path} is Git LFS's note of where the file is kept, and not the file",
            cure="run `git lfs pull` in that folder, or download the file itself",
        )
    if head.lstrip().lower().startswith(_PAGE):
        raise BadInput(f"{path} is a web page, and not the file", cure=AGAIN)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object of a configuration file. Raises :class:`BadInput`."""
    if not path.is_file():
        raise BadInput(f"{path} is not there", cure=AGAIN)
    require_content(path)
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} is no whole JSON: {error}", cure=AGAIN) from error
    if not isinstance(values, dict):
        raise BadInput(f"{path} is no JSON object", cure=AGAIN)
    return values


def number_formats(weights: list[Path]) -> set[str]:
    """The number formats of the tensors in safetensors files, each of which has the bytes that its
    shape needs. Raises :class:`BadInput`."""
    formats = set()
    for path in weights:
        require_content(path)
        try:
            tensors = read_header(path)
        except Damaged as error:
            raise BadInput(error.message, cure=AGAIN) from error
        if not tensors:
            raise BadInput(f"{path} holds no weights", cure=AGAIN)
        for name, entry in tensors.items():
            if entry["dtype"] not in _BITS:
                raise BadInput(
                    f"{path}: '{name}' is of a number format that is not known: {entry['dtype']}", cure=AGAIN
                )
            begin, end = entry["data_offsets"]
            needed = math.prod(entry["shape"]) * _BITS[entry["dtype"]] // 8
            if needed != end - begin:
                raise BadInput(f"{path}: '{name}' needs {needed:,} bytes and has {end - begin:,}", cure=AGAIN)
            formats.add(entry["dtype"])
    return formats


def one_line(error: BaseException) -> str:
    """What a library says, on one line."""
    return " ".join(str(error).split())

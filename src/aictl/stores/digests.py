"""Digests of what is sent and what arrives."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path


def md5(data: bytes) -> bytes:
    """MD5 as stores use it: to find what was damaged on the way, never to trust somebody."""
    return hashlib.md5(data, usedforsecurity=False).digest()


def md5_base64(data: bytes) -> str:
    """MD5 as the header ``Content-MD5`` wants it (RFC 1864)."""
    return base64.b64encode(md5(data)).decode()


def sha256(blocks: Iterable[bytes]) -> str:
    """sha256 of all blocks together, as hex."""
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def md5_of_file(path: Path) -> str:
    """MD5 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

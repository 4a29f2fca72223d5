"""The options of ``data tokenizer train``."""

from __future__ import annotations

from aictl.core.spec import Spec, option

MAX_BYTES = 2**31 - 1  # up to here no count of a pair overflows in any library; more text hardly changes a merge


class TokenizerSpec(Spec):
    """How large a vocabulary, and learnt from how much."""

    vocab_size: int = option(
        16_384, ge=1, le=2**20, help="tokens in the vocabulary, the 256 bytes and the special ones among them"
    )
    special: list[str] = option(
        [], help="another special token, such as '<|user|>', beside those that begin, end and pad a text"
    )
    max_bytes: int = option(
        MAX_BYTES, ge=1, le=MAX_BYTES, help="learn from so much of the dataset, taken evenly from all of it"
    )

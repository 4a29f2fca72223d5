"""The settings of data prep."""

from __future__ import annotations

from typing import Literal

from aictl.core.spec import Spec, option


class PrepSpec(Spec):
    """How raw files become documents."""

    format: Literal["auto", "text", "chat"] = option(
        "auto", help="documents to read, or conversations to learn from; auto decides where the files leave no doubt"
    )
    include: list[str] = option(
        [], help="take only files that match: a glob over the whole path if it has a slash, else over any part of it"
    )
    exclude: list[str] = option([], help="leave out files that match; stronger than --include")
    text_field: str = option("text", min_length=1, help="the field of JSON records that holds the document")
    min_chars: int = option(32, ge=0, help="drop text documents shorter than this many characters")
    max_chars: int = option(
        20_000, ge=0, help="cut longer documents at a heading, a paragraph or a line; 0 leaves them whole"
    )
    validation_fraction: float = option(0.05, ge=0, le=0.5, help="share of the documents held out of training")
    seed: int = option(0, ge=0, le=2**32 - 1, help="another seed holds out other documents")
    max_rejected: float = option(0.1, ge=0, le=1, help="share of unreadable documents above which nothing is made")
    strict: bool = option(False, help="make nothing if a single document is unreadable")

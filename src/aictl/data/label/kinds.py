"""The kinds of labelling function, each with the keys that its table in the TOML file may have.

A further kind is one more class here and one more line in :mod:`aictl.data.label.functions`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_PATTERN_CHARS = 10_000
MAX_KEYWORDS = 10_000

Word = Annotated[str, Field(max_length=1000, pattern=r"\S")]


class Settings(BaseModel):
    """What every kind's table is: whole, strict, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Regex(Settings):
    """``label`` where ``pattern`` is found anywhere in the text."""

    kind: Literal["regex"]
    label: str
    pattern: Annotated[str, Field(min_length=1, max_length=MAX_PATTERN_CHARS)]
    ignore_case: bool = False


class Keywords(Settings):
    """``label`` where one of ``keywords`` stands in the text as whole words."""

    kind: Literal["keywords"]
    label: str
    keywords: Annotated[list[Word], Field(min_length=1, max_length=MAX_KEYWORDS)]
    ignore_case: bool = True


class Python(Settings):
    """What a Python function says: ``FILE.py:NAME`` of a file given with --code, or an entry point
    of the group aictl.labelers, whose distribution's ``version`` then has to be named."""

    kind: Literal["python"]
    call: Annotated[str, Field(min_length=1)]
    version: str | None = None
    labels: list[str] | None = None


class Similarity(Settings):
    """The label whose description and examples are nearest in meaning, by an embedding model.

    It says nothing where the best cosine is below ``min_similarity``, or is ahead of the second by
    less than ``min_margin``. ``pooling`` is for a model that does not say how its tokens become one
    vector; ``auto`` then takes their mean.
    """

    kind: Literal["embedding"]
    labels: list[str] | None = None
    min_similarity: Annotated[float, Field(ge=-1, le=1)] = 0.0
    min_margin: Annotated[float, Field(ge=0, le=2)] = 0.02
    pooling: Literal["auto", "mean", "cls"] = "auto"


class Classified(Settings):
    """What a model says that was trained to classify texts, where it is sure enough.

    ``names`` says which label each of its classes means, where they are not called alike; of a class that means none
    it says nothing.
    """

    kind: Literal["classifier"]
    names: dict[str, str] = {}
    min_probability: Annotated[float, Field(ge=0, le=1)] = 0.5


class Llm(Settings):
    """What a language model answers when it is shown the labels, their descriptions and examples.

    Of a longer text it sees the first ``max_chars`` characters. ``max_tokens`` is the longest answer,
    by default what the longest label needs.
    """

    kind: Literal["llm"]
    labels: list[str] | None = None
    model: str | None = None
    instructions: str = ""
    max_chars: Annotated[int, Field(ge=1)] = 8000
    max_tokens: Annotated[int, Field(ge=1)] | None = None


Kind = Regex | Keywords | Python | Similarity | Classified | Llm
KINDS: dict[str, type[Kind]] = {
    "regex": Regex,
    "keywords": Keywords,
    "python": Python,
    "embedding": Similarity,
    "classifier": Classified,
    "llm": Llm,
}

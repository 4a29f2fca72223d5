"""One block of texts, and everything that is worked out of it once however many ask."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from aictl.data.arrays.codes import Texts
from aictl.data.arrays.hashing import Hasher
from aictl.data.arrays.lines import Spans, lines, paragraphs
from aictl.data.arrays.tokens import Tokens, tokens
from aictl.data.arrays.words import Words, words


class View:
    """The arrays of some texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = Texts(texts)

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def words(self) -> Words:
        return words(self.texts)

    @cached_property
    def tokens(self) -> Tokens:
        return tokens(self.texts)

    @cached_property
    def lines(self) -> Spans:
        return lines(self.texts)

    @cached_property
    def paragraphs(self) -> Spans:
        return paragraphs(self.texts)

    @cached_property
    def exact(self) -> Hasher:
        """Hashes of stretches as they stand, large letters and small."""
        return Hasher(self.texts.codes)

    @cached_property
    def token_hashes(self) -> np.ndarray:
        return self.exact.of(self.tokens.starts, self.tokens.ends)

    def per_text(self, texts: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Sums by text: how many things each has, given the number of the text of each thing, or what they
        weigh together."""
        return np.bincount(texts, weights, minlength=len(self))

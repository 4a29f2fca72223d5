"""Functions of kind embedding: the label whose description and examples are nearest in meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from aictl.core.artifact import Source
from aictl.core.errors import BadRequest
from aictl.data.label.declaration import Function, Label
from aictl.data.label.kinds import Similarity
from aictl.data.label.spec import LabelSpec
from aictl.inference.embedding import Embedder, find_embedder, open_embedder

# Sums of float32 in another order differ in the seventh digit; a vote must not hang on that.
_DECIMALS = 4


class Nearest:
    """Votes for the label nearest to a text, where it is near enough and well ahead of the next."""

    def __init__(self, function: Function, chosen: Sequence[Label], labels: Sequence[str], embedder: Embedder) -> None:
        settings = function.settings
        assert isinstance(settings, Similarity)
        self._settings = settings
        self._embedder = embedder
        self._numbers = np.array([labels.index(label.name) for label in chosen], np.int16)
        self._truncated = 0
        self._prototypes = np.stack([self._prototype(label) for label in chosen])

    def _prototype(self, label: Label) -> np.ndarray:
        """The mean direction of what a label is described by, as a unit vector, float32 (width,)."""
        texts = [label.description or label.name, *label.examples]
        mean = self._embedder.encode(texts, pooling=self._settings.pooling).vectors.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def vote(self, texts: Sequence[str], number: int) -> np.ndarray:
        embedded = self._embedder.encode(texts, pooling=self._settings.pooling)
        self._truncated += embedded.truncated
        cosines = np.round(embedded.vectors @ self._prototypes.T, _DECIMALS)
        best = cosines.argmax(axis=1)
        ordered = np.sort(cosines, axis=1)
        near = ordered[:, -1] >= self._settings.min_similarity
        ahead = np.round(ordered[:, -1] - ordered[:, -2], _DECIMALS) >= self._settings.min_margin
        return np.where(near & ahead, self._numbers[best], -1).astype(np.int16)

    def facts(self) -> Mapping[str, int]:
        return {"truncated": self._truncated}


def open_model(function: Function, source: Source | None, spec: LabelSpec) -> Embedder:
    """The embedding model that was given. Raises :class:`BadRequest` if none was."""
    if source is None:
        raise BadRequest(
            f"{function.where}: a function of kind embedding needs an embedding model",
            cure="--embedder FOLDER, pkg:NAME==VERSION or hf:ORG/NAME",
        )
    folder = find_embedder(source.path, source.uri, spec.embedder_file)
    return open_embedder(folder, threads=spec.threads, device=spec.device)

"""A model at work on real inputs that are ready, to be compared with another: what it gives, and how long it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import numpy as np

from aictl.inference.classifying import Classifier
from aictl.inference.detecting import BOX, Detector
from aictl.inference.embedding import Embedder, open_embedder
from aictl.inference.image_classifying import ImageClassifier
from aictl.inference.load import load
from aictl.inference.matching import DualEncoder
from aictl.inference.reranking import Reranker
from aictl.inference.rewriting import Rewriter
from aictl.judging.subject import Ability, Subject, whole_folder
from aictl.judging.task import Drawn
from aictl.measure.speed import Times, answering, decoding, writing
from aictl.measure.stretches import text_of

DECODED = 24  # tokens of each text that are decoded one by one
_TEXTS = 2  # that a language model goes through in a round
_REWRITTEN = 4  # texts that an encoder-decoder reads in a round, which are shorter
_INPUTS = 8  # that a network is run on, one at a time


class Contestant(Protocol):
    """``phase`` is the part of a round in which the two are held against each other."""

    phase: str

    def round(self) -> Mapping[str, float]:
        """See :data:`aictl.measure.speed.Round`."""
        ...

    def outputs(self) -> list[np.ndarray]:
        """What comes out for each input."""
        ...

    def figures(self, times: Times) -> dict[str, float]:
        """What its rounds came to, as a metric's name and its value."""
        ...

    def close(self) -> None: ...


def contestant(one: Subject, documents: Sequence[Drawn], scratch: Path) -> Contestant:
    """A model on one thread, and as many of the documents as a comparison takes. Raises what loading it raises."""
    if one.ability == "language":
        return _Writer(one, documents)
    if one.ability == "rewriting":
        return _Rewriter(one, documents, scratch)
    if one.ability == "reranking":
        return _Ranker(one, documents, scratch)
    if one.ability == "boxes":
        return _Finder(one, documents, scratch)
    if one.ability in ("embedding", "matching"):
        return Encoder(one, documents, scratch)
    return _Network(one, documents, scratch)


class _Writer:
    """A language model."""

    phase = "decode"

    def __init__(self, one: Subject, documents: Sequence[Drawn]) -> None:
        self._generator = load(one.artifact, threads=1, device="cpu")
        self._texts = self._cut(documents)
        self.round = decoding(self._generator, self._texts, DECODED)

    def outputs(self) -> list[np.ndarray]:
        return [self._generator.logits(ids) for ids in self._texts]

    def figures(self, times: Times) -> dict[str, float]:
        return _tokens_per_s(times)

    def close(self) -> None:
        self._generator.close()

    def _cut(self, documents: Sequence[Drawn]) -> list[list[int]]:
        """Stretches long enough to decode; a few words are said again and again, since their speed is any text's."""
        ids: list[int] = []
        length = min(4 * DECODED, self._generator.context_length)
        for one in documents:
            ids += self._generator.encode(read_of(one.document))
            if len(ids) >= _TEXTS * length:
                break
        while len(ids) < length:
            ids += ids
        parts = (ids[start : start + length] for start in range(0, _TEXTS * length, length))
        return [part for part in parts if len(part) > DECODED]


class _Rewriter:
    """An encoder-decoder model, which writes what stands there as the answer as if it had chosen it."""

    phase = "decode"

    def __init__(self, one: Subject, documents: Sequence[Drawn], scratch: Path) -> None:
        rewriter = Rewriter(whole_folder(one, scratch), threads=1, device="cpu")
        pairs = [rewritten(rewriter, each.document, DECODED) for each in documents[:_REWRITTEN]]
        self._replays = [partial(rewriter.replay, read, written) for read, written in pairs]
        self.round = writing(
            self._replays,
            read=sum(len(read) for read, _ in pairs),
            written=sum(len(written) for _, written in pairs),
        )

    def outputs(self) -> list[np.ndarray]:
        return [np.stack(list(replay())) for replay in self._replays]

    def figures(self, times: Times) -> dict[str, float]:
        return _tokens_per_s(times)

    def close(self) -> None:
        del self._replays, self.round


def rewritten(rewriter: Rewriter, pair: Mapping[str, Any], count: int) -> tuple[list[int], list[int]]:
    """What an encoder-decoder reads of a pair, and ``count`` tokens that it writes, or as many as it has places for:
    those of the output, again and again."""
    written = rewriter.encode(pair["output"]) or [0]
    return rewriter.encode(pair["input"]), list(islice(cycle(written), min(count, rewriter.max_tokens - 1)))


def _tokens_per_s(times: Times) -> dict[str, float]:
    return {f"{phase}_tokens_per_s": 1 / median(some) for phase, some in times.items()}


class _Network:
    """A network that answers in one pass."""

    phase = "pass"

    def __init__(self, one: Subject, documents: Sequence[Drawn], scratch: Path) -> None:
        self._runner: Any = network(one.ability, whole_folder(one, scratch), threads=1)
        self._run = self._runner.network.run
        self._ready = ready(self._runner, documents[:_INPUTS])
        self.round = answering(self._run, self._ready)

    def outputs(self) -> list[np.ndarray]:
        return [self._run(*arrays) for arrays in self._ready]

    def figures(self, times: Times) -> dict[str, float]:
        return {"pass_cpu_s": median(times["pass"])}

    def close(self) -> None:
        del self._runner, self._run, self.round


class _Ranker(_Network):
    """A network that reads a question with an answer."""

    def __init__(self, one: Subject, documents: Sequence[Drawn], scratch: Path) -> None:
        super().__init__(one, documents, scratch)
        self._pairs = [(one.document["input"], one.document["output"]) for one in documents[:_INPUTS]]

    def outputs(self) -> list[np.ndarray]:
        """Of every question a row of the scores of all answers, so that one of them comes first."""
        answers = [answer for _, answer in self._pairs]
        return [self._runner.score([(asked, answer) for answer in answers]).scores for asked, _ in self._pairs]


class Encoder(_Network):
    """A network that makes vectors."""

    def __init__(self, one: Subject, documents: Sequence[Drawn], scratch: Path) -> None:
        super().__init__(one, documents, scratch)
        self._documents = documents[:_INPUTS]

    def likeness(self) -> np.ndarray:
        """How alike any two of the inputs are, as the cosine of their vectors, float32 (vectors, vectors)."""
        if isinstance(self._runner, Embedder):
            vectors = self._runner.encode([read_of(one.document) for one in self._documents]).vectors
        else:
            vectors = np.concatenate(self.outputs())
        return vectors @ vectors.T


class _Finder(_Network):
    """A network that finds things in pictures."""

    def outputs(self) -> list[np.ndarray]:
        """Of every box the logits alone, so that one of them comes first."""
        return [found[..., :-BOX] for found in super().outputs()]


Runner = Classifier | ImageClassifier | Detector | Embedder | Reranker | DualEncoder


def network(ability: Ability, folder: Path, *, threads: int | None = None, device: str = "cpu") -> Runner:
    """Load a model that answers in one pass, with what prepares its inputs."""
    if ability == "image classes":
        return ImageClassifier(folder, threads=threads, device=device)
    if ability == "boxes":
        return Detector(folder, threads=threads, device=device)
    if ability == "text classes":
        return Classifier(folder, threads=threads, device=device)
    if ability == "matching":
        return DualEncoder(folder, threads=threads, device=device)
    if ability == "reranking":
        return Reranker(folder, threads=threads, device=device)
    return open_embedder(folder, threads=threads, device=device)


def ready(runner: Runner, documents: Sequence[Drawn]) -> list[tuple[np.ndarray, ...]]:
    """What its network is run on for each of some documents."""
    if isinstance(runner, ImageClassifier | Detector):
        return [runner.prepared([document.image or b""]) for document in documents]
    if isinstance(runner, DualEncoder):
        return [runner.prepared([(one.document["caption"], one.image or b"")]) for one in documents]
    if isinstance(runner, Reranker):
        return [runner.prepared([(one.document["input"], one.document["output"])]) for one in documents]
    return [runner.prepared([read_of(document.document)]) for document in documents]


def read_of(document: Mapping[str, Any]) -> str:
    """What a model reads of a document: its text, a conversation in plain words, or what goes into a pair."""
    return document["input"] if "input" in document else text_of(document)

"""An encoder-decoder model on onnxruntime, without torch: one graph that reads, one that writes with a cache.

What is written is what transformers' ``generate`` writes when it takes the likeliest token each time. Of the settings
that change this choice those are followed that models for translation and summing up come with: tokens that begin or
end every text, that must never be written, how long a text is at least, and runs of tokens that must not come again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aictl.core.errors import Damaged
from aictl.inference.session import open_session

ENCODER, DECODER = "encoder.onnx", "decoder.onnx"
_TYPES: dict[str, type[np.floating[Any]]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class OnnxRewriter:
    """One that writes a text for a text."""

    def __init__(self, folder: Path, threads: int | None = None, device: str = "auto", *, graphs: Path | None = None):
        """``graphs`` is where the two graphs lie, if not in ``folder``. Raises :class:`Damaged` for files that are not
        whole or not what they should be, :class:`MachineLacks` for a device that is not there."""
        place = graphs or folder
        self._encoder, self._decoder = (open_session(place / name, threads, device) for name in (ENCODER, DECODER))
        self._past = [one for one in self._decoder.get_inputs() if one.name.startswith("past_key_values.")]
        self._cross = [one.name for one in self._encoder.get_outputs()]
        wanted = {"attention_mask", "decoder_input_ids", *self._cross, *(one.name for one in self._past)}
        if not self._past or {one.name for one in self._decoder.get_inputs()} != wanted:
            raise Damaged(f"{place / DECODER} does not take what {ENCODER} gives")
        self._choice = _Choice.read(folder)

    def write(self, ids: np.ndarray, mask: np.ndarray, most: int) -> list[list[int]]:
        """The likeliest tokens, at most ``most``, for each row of ``ids``, int64 (rows, tokens) with their ``mask``. As
        ``generate`` gives them: the token that every text begins from is first, and after a row's end comes padding."""
        choice, read = self._choice, self.read(ids, mask)
        rows: np.ndarray = np.full((len(ids), 1), choice.start, np.int64)
        past, done = self.nothing(len(ids)), np.zeros(len(ids), bool)
        for left in range(most, 0, -1):
            logits, past = self.step(rows[:, -1:], read, past)
            best = choice.best(logits[:, -1], rows, left)
            rows = np.concatenate([rows, np.where(done, choice.padding, best)[:, None]], axis=1)
            done |= np.isin(rows[:, -1], choice.ends)
            if done.all():
                break
        return [row.tolist() for row in rows]

    def replay(self, ids: np.ndarray, mask: np.ndarray, written: Sequence[int]) -> Iterator[np.ndarray]:
        """See :meth:`aictl.inference.rewriting.Rewriter.replay`."""
        read, past = self.read(ids, mask), self.nothing(1)
        for token in (self._choice.start, *written):
            logits, past = self.step(np.array([[token]], np.int64), read, past)
            yield logits[0, -1]

    def read(self, ids: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
        """What the decoder looks up of texts, and their mask, by the names of its inputs."""
        found = self._encoder.run(self._cross, {"input_ids": ids, "attention_mask": mask})
        return {**dict(zip(self._cross, found, strict=True)), "attention_mask": mask}

    def nothing(self, rows: int) -> dict[str, np.ndarray]:
        """The keys and values of no tokens."""
        return {one.name: np.zeros((rows, one.shape[1], 0, one.shape[3]), _TYPES[one.type]) for one in self._past}

    def step(
        self, tokens: np.ndarray, read: Mapping[str, np.ndarray], past: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Go on with ``tokens``, int64 (rows, length). Returns float32 logits (rows, length, vocabulary), and what is
        past for the next."""
        names = ["logits", *(name.replace("past_key_values.", "present.") for name in past)]
        logits, *present = self._decoder.run(names, {"decoder_input_ids": tokens, **read, **past})
        return logits, dict(zip(past, present, strict=True))


class _Choice:
    """Which token comes next, by a model's settings for generation."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.ends = _ids(settings.get("eos_token_id"))
        padding = settings.get("pad_token_id")
        self.padding = int(padding) if padding is not None else (self.ends or [0])[0]
        start = settings.get("decoder_start_token_id")
        self.start = int(settings.get("bos_token_id") or 0) if start is None else int(start)
        self._first, self._last = (_ids(settings.get(f"forced_{name}_token_id")) for name in ("bos", "eos"))
        words = settings.get("bad_words_ids") or []
        self._never = [*_ids(settings.get("suppress_tokens")), *(word[0] for word in words if len(word) == 1)]
        self._least = int(settings.get("min_length") or 0)
        self._run = int(settings.get("no_repeat_ngram_size") or 0)

    @classmethod
    def read(cls, folder: Path) -> _Choice:
        """From ``generation_config.json``, and ``config.json`` for what it does not say. Raises :class:`Damaged`."""
        settings: dict[str, Any] = {}
        for name in ("config.json", "generation_config.json"):
            if (folder / name).is_file():
                try:
                    stated = json.loads((folder / name).read_text("utf-8"))
                    settings |= {key: value for key, value in stated.items() if value is not None}
                except (OSError, ValueError, AttributeError) as error:
                    raise Damaged(f"{folder / name}: {error}") from error
        try:
            return cls(settings)
        except (TypeError, ValueError, IndexError) as error:
            raise Damaged(f"{folder} has settings for generation that are none: {error}") from error

    def best(self, logits: np.ndarray, rows: np.ndarray, left: int) -> np.ndarray:
        """The next token after each of ``rows`` (rows, so far), when ``left`` more may come, by ``logits`` (rows,
        vocabulary)."""
        length = rows.shape[1]
        forced = self._first if length == 1 else self._last if left == 1 else []
        if forced:
            return np.full(len(rows), forced[0], np.int64)
        allowed = logits.copy()
        allowed[:, self._never] = -np.inf
        if length < self._least:
            allowed[:, self.ends] = -np.inf
        if self._run:
            for scores, row in zip(allowed, rows, strict=True):
                scores[_again(row, self._run)] = -np.inf
        return allowed.argmax(axis=1)


def _again(row: np.ndarray, run: int) -> list[int]:
    """The tokens that would make the last ``run`` tokens such as there were before."""
    if len(row) < run:
        return []
    runs = np.lib.stride_tricks.sliding_window_view(row, run)
    same = (runs[:, : run - 1] == row[len(row) - run + 1 :]).all(axis=1)
    return runs[same, -1].tolist()


def _ids(stated: int | list[int] | None) -> list[int]:
    if stated is None:
        return []
    return [int(one) for one in stated] if isinstance(stated, list) else [int(stated)]

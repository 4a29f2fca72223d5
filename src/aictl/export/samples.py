"""Real inputs for a network, as its own files prepare them, of those that it has a name for (``taken``)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tokenizers

from aictl.core.errors import Damaged
from aictl.core.extras import require
from aictl.inference.embedding import max_tokens, padded
from aictl.inference.image_classifying import processor
from aictl.inference.matching import FIXED_LENGTH

TEXTS = (
    "The capital of France is",
    "How do I read a JSON file in Python? Open it and pass the file to json.load.",
    "Once upon a time there was a small robot who wanted to learn to play the violin. Every evening it",
    "def add(a, b):\n    return a + b\n\nprint(add(2, 40))  # prints",
    "Dear customer, thank you for your message of 14 March. We are sorry to hear that your order arrived late, and",
)
QUESTION = "Why is my order late?"
Inputs = dict[str, np.ndarray]


class Samples(NamedTuple):
    """What a network is traced and compared with.

    ``alone`` are inputs one by one, without padding; ``batch`` the first of them together. ``free`` names the extents
    of each input that are free; None stands for one that is fixed.
    """

    alone: list[Inputs]
    batch: Inputs
    free: Mapping[str, tuple[str | None, ...]]


def texts(folder: Path, taken: Collection[str], config: Any) -> Samples:
    """Token ids of texts of unequal length, and their mask."""
    if config.model_type in FIXED_LENGTH:
        return _fixed_texts(folder, config)
    tokenizer = _tokenizer(folder, getattr(config.get_text_config(), "max_position_embeddings", None))
    return _samples([[one.ids] for one in tokenizer.encode_batch(list(TEXTS))], ("input_ids",))


def pairs(folder: Path, taken: Collection[str], config: Any) -> Samples:
    """Token ids of a question with a text, their mask, and which of the two each token is of where the network asks."""
    encoded = _tokenizer(folder).encode_batch([(QUESTION, text) for text in TEXTS])
    has_types = int(getattr(config, "type_vocab_size", 0) or 0) > 1 and "token_type_ids" in taken
    names = ("input_ids", "token_type_ids") if has_types else ("input_ids",)
    return _samples([[one.ids, one.type_ids][: len(names)] for one in encoded], names)


def pictures(folder: Path, taken: Collection[str], config: Any) -> Samples:
    """Pictures as the model's own processor prepares them: noise of three sizes of grain, in colour. Where it keeps a
    picture's proportions, height and width are free, and a wide picture comes after them."""
    require("images")
    from PIL import Image

    prepare = processor(folder)
    generator = np.random.default_rng(0)

    def drawn(grain: int, width: int, height: int) -> Any:
        pixels = generator.integers(0, 256, (grain, grain, 3), dtype=np.uint8)
        return Image.fromarray(pixels).resize((width, height), Image.Resampling.NEAREST)

    def prepared(some: Sequence[Any]) -> Inputs:
        made = {name: np.asarray(value) for name, value in prepare(list(some), return_tensors="np").items()}
        made["pixel_values"] = np.ascontiguousarray(made["pixel_values"], np.float32)
        return {name: value for name, value in made.items() if name in taken}

    square, wide = [drawn(grain, 256, 256) for grain in (4, 32, 256)], drawn(32, 384, 256)
    alone, batch = [prepared([one]) for one in square], prepared(square)
    other = prepared([wide])
    free: dict[str, tuple[str | None, ...]] = {name: ("batch",) for name in batch}
    if any(other[name].shape[1:] != one.shape[1:] for name, one in batch.items()):
        alone.append(other)
        free = {name: ("batch", *_sides(one)) for name, one in batch.items()}
    return Samples(alone, batch, free)


def _sides(array: np.ndarray) -> tuple[str | None, ...]:
    """(channels,) height and width of pixels or of their mask."""
    return ((None, "height", "width") if array.ndim == 4 else ("height", "width"))[: array.ndim - 1]


def _samples(rows: Sequence[Sequence[Sequence[int]]], names: Sequence[str]) -> Samples:
    """Of each row its tokens, and what else there is of each token."""
    columns = {name: padded([row[at] for row in rows]) for at, name in enumerate(names)}
    batch = {"input_ids": columns["input_ids"][0], "attention_mask": columns["input_ids"][1]}
    batch |= {name: ids for name, (ids, _) in columns.items() if name != "input_ids"}
    lengths = batch["attention_mask"].sum(axis=1)
    alone = [
        {name: array[row : row + 1, :length] for name, array in batch.items()} for row, length in enumerate(lengths)
    ]
    return Samples(alone, batch, dict.fromkeys(batch, ("batch", "length")))


def _fixed_texts(folder: Path, config: Any) -> Samples:
    """Texts padded to the one length that the network takes, with no mask."""
    length = int(config.text_config.max_position_embeddings)
    tokenizer = _tokenizer(folder, length)
    ids = np.full((len(TEXTS), length), int(config.text_config.pad_token_id or 0), np.int64)
    for row, one in zip(ids, tokenizer.encode_batch(list(TEXTS)), strict=True):
        row[: len(one.ids)] = one.ids
    return Samples(
        [{"input_ids": ids[n : n + 1]} for n in range(len(ids))], {"input_ids": ids}, {"input_ids": ("batch",)}
    )


def _tokenizer(folder: Path, most: int | None = None) -> tokenizers.Tokenizer:
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # tokenizers raises plain Exception
        raise Damaged(f"{folder / 'tokenizer.json'} cannot be read: {error}") from error
    tokenizer.no_padding()
    known = max_tokens(folder)
    tokenizer.enable_truncation(known if most is None else min(known, most))
    return tokenizer

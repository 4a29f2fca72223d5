"""Byte-level BPE: a tokenizer learnt from text by ``tokenizers``, or put together from its merges.

Every text can be encoded, because all 256 bytes are tokens
(https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf,
section 2.2). Pairs of tokens are merged, the most frequent first (https://arxiv.org/abs/1508.07909,
section 3.2), never across the words into which GPT-2's pattern splits a text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from aictl.core.errors import BadRequest

BEGIN = "<|begin_of_text|>"
END = "<|end_of_text|>"
PAD = "<|pad|>"
ROLES = {"bos_token": BEGIN, "eos_token": END, "pad_token": PAD}
BYTES = 256
LEAST_FREQUENCY = 2  # a pair that occurs once is no pattern

Merges = list[tuple[str, str]]


def special_tokens(vocab_size: int, more: Sequence[str] = ()) -> list[str]:
    """The tokens that begin, end and pad, and ``more``. Raises :class:`BadRequest` for one that is empty or there
    twice, and for a vocabulary that has no room for them and every byte."""
    special = [*ROLES.values(), *more]
    for token in special:
        if not token or special.count(token) > 1:
            raise BadRequest(f"special token {token!r} " + ("is there twice" if token else "is empty"))
    if vocab_size < BYTES + len(special):
        raise BadRequest(
            f"a vocabulary of {vocab_size} tokens has no room for {BYTES} bytes and {len(special)} special tokens",
            cure=f"--vocab-size {BYTES + len(special)} or more",
        )
    return special


def learn(texts: Iterable[str], vocab_size: int, more: Sequence[str] = ()) -> Tokenizer:
    """Learn merges until the vocabulary has ``vocab_size`` tokens, or fewer if no pair of tokens
    is left that occurs twice. Raises what :func:`special_tokens` raises."""
    special = special_tokens(vocab_size, more)
    tokenizer = _with(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=LEAST_FREQUENCY,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return _framing(tokenizer)


def assembled(merges: Merges, special: Sequence[str]) -> Tokenizer:
    """The tokenizer of which these are the merges. Ids go to special tokens first, then to bytes in the order of
    their letters, then to what is merged."""
    tokens = [*special, *sorted(LETTERS), *(left + right for left, right in merges)]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = _with(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.add_special_tokens(list(special))
    return _framing(tokenizer)


def merges_of(tokenizer: Tokenizer) -> Merges:
    """The merges of a BPE tokenizer in the order in which they were learnt."""
    return [(left, right) for left, right in json.loads(tokenizer.to_str())["model"]["merges"]]


def _with(model: models.BPE) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _framing(tokenizer: Tokenizer) -> Tokenizer:
    begin = (BEGIN, tokenizer.token_to_id(BEGIN))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", pair=f"{BEGIN} $A {BEGIN} $B", special_tokens=[begin]
    )
    return tokenizer


def _letters() -> list[str]:
    """How ``tokenizer.json`` spells each byte: printable ones as they are, the others from U+0100 on
    (bytes_to_unicode in https://github.com/openai/gpt-2/blob/master/src/encoder.py)."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(BYTES)]


LETTERS = _letters()
_BYTE_OF = {letter: byte for byte, letter in enumerate(LETTERS)}


def spelled(token: bytes) -> str:
    """A token's bytes in the letters of ``tokenizer.json``."""
    return "".join(LETTERS[byte] for byte in token)


def unspelled(token: str) -> bytes:
    """The bytes that the letters of a token stand for."""
    return bytes(_BYTE_OF[letter] for letter in token)

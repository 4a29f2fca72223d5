"""Token ids by ``gigatoken``, for the tokenizers and the documents for which they are those of ``tokenizers``.

The two agree on what they both know: byte-level BPE whose ids follow the order of its merges, split by a pattern
that gigatoken has in code of its own, over characters that both have in their tables. So a tokenizer of another
kind is refused whole, and of a document it is asked whether

- all its characters are assigned in this Python's Unicode (14 to 16). Theirs are newer, and not equally so:
  tokenizers 0.23 knows Unicode 16 and gigatoken 0.10 Unicode 17, so letters of 17 are split differently;
- it is normalized already, where the tokenizer wants NFC: then there is nothing to do on which they could differ;
- it holds none of the added tokens that are cut out of any text: gigatoken is not told of them.
"""

from __future__ import annotations

import importlib.util
import json
import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from aictl.tokenizing.byte_bpe import LETTERS
from aictl.tokenizing.encoded import Encoded

CODE_POINTS = 0x110000
# gigatoken remembers every word that it met, two bytes for each byte of text in which no word comes again. So it
# begins afresh after so much text.
MOST_CHARACTERS = 256 * 2**20
_CHARACTERS_AT_ONCE = 2**20
_UNUSED = ("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback")


class Refused(Exception):
    """Why gigatoken is not asked."""


class FastEncoder:
    """gigatoken with one tokenizer."""

    def __init__(self, description: dict[str, Any]) -> None:
        """``description`` is a ``tokenizer.json``. Raises :class:`Refused` where it is not installed, or the
        tokenizer is one on which it might differ."""
        if importlib.util.find_spec("gigatoken") is None:
            raise Refused("gigatoken, which is many times as fast, is not installed")
        _require_known(description)
        self._nfc = description.get("normalizer") is not None
        self._cut_out = _cut_out(description)
        without = dict.fromkeys(("normalizer", "post_processor", "padding", "truncation"))
        self._json = json.dumps({**description, **without, "added_tokens": []})
        self._begin()

    def _begin(self) -> None:
        import gigatoken

        self._characters = 0
        try:
            self._library = gigatoken.Tokenizer.from_json(self._json)
        except Exception as error:
            raise Refused(f"gigatoken does not know this tokenizer: {_first_line(error)}") from error

    def takes(self, text: str) -> bool:
        """Whether it encodes this document as ``tokenizers`` does."""
        if any(token in text for token in self._cut_out):
            return False
        if text.isascii():
            return True
        for start in range(0, len(text), _CHARACTERS_AT_ONCE):
            codes = np.frombuffer(text[start : start + _CHARACTERS_AT_ONCE].encode("utf-32-le"), dtype="<u4")
            if not _assigned()[codes].all():
                return False
        return not self._nfc or unicodedata.is_normalized("NFC", text)

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Raises :class:`Refused` if it fails."""
        self._characters += sum(map(len, texts))
        if self._characters > MOST_CHARACTERS:
            self._begin()
        try:
            layout = self._library.encode_batch(list(texts)).layout
        except BaseException as error:  # what its Rust code panics with is no Exception
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise Refused(f"gigatoken failed: {_first_line(error)}") from error
        offsets = np.asarray(layout.offsets.data)
        return Encoded(np.asarray(layout.content.data)[offsets[0] : offsets[-1]], offsets[1:] - offsets[0])


def _require_known(description: dict[str, Any]) -> None:
    """Raise :class:`Refused` unless every part of the tokenizer is one that gigatoken is known to follow."""
    model = description["model"]
    if model.get("type", "BPE") != "BPE":
        raise Refused(f"its model is {model['type']} and not BPE")
    if used := [name for name in _UNUSED if model.get(name)]:
        raise Refused(f"its model has {', '.join(used)}")
    if not {*LETTERS} <= model["vocab"].keys():
        raise Refused("its model is not byte-level")
    if not _ids_follow_merges(model):
        raise Refused("its ids do not follow the order of its merges")
    if (normalizer := description.get("normalizer")) not in (None, {"type": "NFC"}):
        raise Refused(f"its normalizer is {normalizer['type']}")
    if not _splits_known(description.get("pre_tokenizer")):
        raise Refused("it splits words in a way of its own")
    if not all(map(str.isascii, _cut_out(description))):
        raise Refused("some of its added tokens are more than ASCII")


def _cut_out(description: dict[str, Any]) -> list[str]:
    """The added tokens that are recognised in any text. Special ones are not: there they are text."""
    return [token["content"] for token in description.get("added_tokens") or () if not token.get("special")]


def _ids_follow_merges(model: dict[str, Any]) -> bool:
    pairs = (merge.split(" ", 1) if isinstance(merge, str) else merge for merge in model["merges"])
    try:
        ids = [model["vocab"][left + right] for left, right in pairs]
    except (KeyError, ValueError):
        return False
    # Equal ones are several ways to the same token, as in files that were made from a list of tokens alone.
    return all(first <= second for first, second in pairwise(ids))


def _splits_known(splitter: Any) -> bool:
    """GPT-2's own splitting, or one pattern whose matches and what lies between them are the words; whether it is
    one of those that gigatoken has, it says itself."""
    match splitter:
        case {"type": "ByteLevel", "add_prefix_space": False}:
            return splitter.get("use_regex", True) is True
        case {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": str()}, "behavior": "Isolated", "invert": False},
                {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
            ],
        }:
            return True
    return False


@cache
def _assigned() -> np.ndarray:
    """For each code point, whether this Python's Unicode assigns it."""
    categories = map(unicodedata.category, map(chr, range(CODE_POINTS)))
    return np.fromiter(map("Cn".__ne__, categories), bool, CODE_POINTS)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

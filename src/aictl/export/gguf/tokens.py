"""How llama.cpp cuts text into tokens, told by a ``tokenizer.json``.

llama.cpp knows byte-level BPE as GPT-2 has it, and splits words by code of its own, which a name selects
(``tokenizer.ggml.pre``). So a tokenizer is taken only where its way to split is one of those that such a name stands
for, letter by letter, and refused otherwise: a file with the wrong name works, and answers worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gguf import GGUFWriter, TokenType

from aictl.core.errors import BadInput
from aictl.inference.chat import template_source
from aictl.inference.tokenizer import ModelTokenizer
from aictl.tokenizing.byte_bpe import LETTERS
from aictl.tokenizing.folder import TokenizerFolder

_CURE = "export a model with a byte-level BPE tokenizer, such as `aictl data tokenizer train` makes"
_WORDS = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_CONTRACTED = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
# The patterns by which Llama 3 and Qwen2 split, as their tokenizer.json has them; they differ in how many digits go
# together.
_PATTERNS = {
    rf"{_CONTRACTED}|\p{{N}}{{1,3}}|{_WORDS}": "llama-bpe",
    rf"{_CONTRACTED}|\p{{N}}|{_WORDS}": "qwen2",
}
# Of these llama.cpp takes a word that is a token whole, whatever the merges say (llama-vocab.cpp, ignore_merges).
_WHOLE_WORDS = frozenset({"llama-bpe"})
# What else may close an answer, in the order in which llama.cpp has names for it.
_MORE_ENDS = ("add_eot_token_id", "add_eom_token_id")


class Vocabulary(NamedTuple):
    """``kinds`` has llama.cpp's type of each token. ``ends`` close an answer, the first of them as the tokenizer's
    end token; ``begins`` and ``closes`` say whether a text gets ``begin`` before it and the end token after it."""

    pre: str
    tokens: list[str]
    kinds: list[TokenType]
    merges: list[str]
    begin: int | None
    ends: list[int]
    pad: int | None
    unknown: int | None
    begins: bool
    closes: bool
    template: str | None


def read(folder: Path, rows: int) -> Vocabulary:
    """The tokenizer of a model folder; ``rows`` is how many tokens the network has, of which the last may be none.

    Raises :class:`BadInput` for a tokenizer that llama.cpp cannot follow, :class:`NotFound` and :class:`Damaged` where
    there is none that can be read.
    """
    tokenizer = TokenizerFolder(folder)
    description = tokenizer.description
    pre = _splitting(folder, description)
    tokens, kinds = _tokens(folder, tokenizer, rows)
    ends = _ends(folder, tokenizer)
    begin = tokenizer.id("bos_token")
    begins, closes = _frame(folder, tokenizer, begin, ends[0])
    return Vocabulary(
        pre,
        tokens,
        kinds,
        _merges(description["model"]),
        begin,
        ends,
        tokenizer.id("pad_token"),
        tokenizer.id("unk_token"),
        begins,
        closes,
        template_source(folder),
    )


def write(writer: GGUFWriter, vocabulary: Vocabulary) -> None:
    """Tell a vocabulary and what goes with it."""
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.kinds)
    writer.add_token_merges(vocabulary.merges)
    writer.add_eos_token_id(vocabulary.ends[0])
    for add, end in zip(_MORE_ENDS, vocabulary.ends[1:], strict=False):
        getattr(writer, add)(end)
    if vocabulary.begin is not None:
        writer.add_bos_token_id(vocabulary.begin)
    if vocabulary.pad is not None:
        writer.add_pad_token_id(vocabulary.pad)
    if vocabulary.unknown is not None:
        writer.add_unk_token_id(vocabulary.unknown)
    # Said in any case: for some ways to split llama.cpp puts a begin token first unless it is told not to.
    writer.add_add_bos_token(vocabulary.begins)
    writer.add_add_eos_token(vocabulary.closes)
    if vocabulary.template is not None:
        writer.add_chat_template(vocabulary.template)


def _splitting(folder: Path, description: Mapping[str, Any]) -> str:
    """llama.cpp's name for how a tokenizer splits words."""
    model = description["model"]
    kind = model.get("type", "BPE")
    if kind != "BPE" or model.get("byte_fallback"):
        what = f"a {kind} model," if kind != "BPE" else "BPE over characters, as SentencePiece has it,"
        raise BadInput(f"the tokenizer of {folder} is {what} and byte-level BPE is written", cure=_CURE)
    normalizer = (description.get("normalizer") or {}).get("type")
    pre = _pre(description.get("pre_tokenizer"))
    # Qwen2's composes characters first (NFC), which llama.cpp leaves to whoever sends the text.
    if pre is None or normalizer not in (None, "NFC"):
        what = "splits words in a way" if pre is None else f"changes texts ({normalizer}) in a way"
        raise BadInput(
            f"the tokenizer of {folder} {what} for which llama.cpp has no name that is known here; known are GPT-2's, "
            "SmolLM's, Llama 3's and Qwen2's",
            cure=_CURE,
        )
    if not model["merges"]:
        raise BadInput(f"the tokenizer of {folder} has no merges, without which llama.cpp reads none", cure=_CURE)
    if bool(model.get("ignore_merges")) != (pre in _WHOLE_WORDS) and (odd := _unmerged(model, description)):
        raise BadInput(
            f"the tokenizer of {folder} has tokens that no merge leads to, such as {odd!r}, and llama.cpp treats those "
            f"otherwise where words are split as by {pre}",
            cure=_CURE,
        )
    return pre


def _pre(splitter: Any) -> str | None:
    bytewise = {"type": "ByteLevel", "add_prefix_space": False}
    match splitter:
        case {"type": "ByteLevel", "add_prefix_space": False} if splitter.get("use_regex", True):
            return "gpt-2"
        case {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, last]}:
            return "smollm" if bytewise.items() <= last.items() and last.get("use_regex", True) else None
        case {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
                {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
            ],
        }:
            return _PATTERNS.get(pattern)
    return None


def _pairs(model: Mapping[str, Any]) -> list[Sequence[str]]:
    return [merge.split(" ", 1) if isinstance(merge, str) else merge for merge in model["merges"]]


def _merges(model: Mapping[str, Any]) -> list[str]:
    return [" ".join(pair) for pair in _pairs(model)]


def _unmerged(model: Mapping[str, Any], description: Mapping[str, Any]) -> str | None:
    """A token to which no merge leads, if there is one."""
    added = {row["content"] for row in description.get("added_tokens") or ()}
    reached = {*LETTERS, *added, *("".join(pair) for pair in _pairs(model))}
    return next((token for token in model["vocab"] if token not in reached), None)


def _tokens(folder: Path, tokenizer: TokenizerFolder, rows: int) -> tuple[list[str], list[TokenType]]:
    """Every token by its number, and its type; numbers that stand for none get a name, as llama.cpp wants one."""
    if tokenizer.vocabulary > rows:
        raise BadInput(
            f"{folder} has tokens up to number {tokenizer.vocabulary - 1} and a network for {rows}",
            cure="take the tokenizer that belongs to these weights",
        )
    tokens = [f"[PAD{number}]" for number in range(rows)]
    kinds = [TokenType.UNUSED] * rows
    for token, number in tokenizer.library.get_vocab(with_added_tokens=True).items():
        tokens[number], kinds[number] = token, TokenType.NORMAL
    for row in tokenizer.description.get("added_tokens") or ():
        if row.get("lstrip") or row.get("rstrip") or row.get("single_word"):
            raise BadInput(
                f"the tokenizer of {folder} has {row['content']!r}, which takes the spaces beside it or stands alone: "
                "llama.cpp cannot be told so",
                cure=_CURE,
            )
        kinds[row["id"]] = TokenType.CONTROL if row.get("special") else TokenType.USER_DEFINED
    if len({*tokens}) < rows:
        raise BadInput(f"{folder} has two tokens of one spelling, which llama.cpp does not take", cure=_CURE)
    return tokens, kinds


def _ends(folder: Path, tokenizer: TokenizerFolder) -> list[int]:
    """The tokens at which generation ends, the tokenizer's own end token first where it is one of them."""
    own = tokenizer.id("eos_token")
    ends = sorted(ModelTokenizer(folder).end_ids, key=lambda end: (end != own, end))
    if not ends:
        # llama.cpp would take number 11 for it, whatever that is.
        raise BadInput(f"{folder} names no token that ends a text", cure="name one as eos_token in its tokenizer")
    if len(ends) > 1 + len(_MORE_ENDS):
        raise BadInput(f"{folder} ends at {len(ends)} tokens, and llama.cpp can be told of 3", cure=_CURE)
    return ends


def _frame(folder: Path, tokenizer: TokenizerFolder, begin: int | None, end: int) -> tuple[bool, bool]:
    """Whether the tokenizer puts the begin token before a text, and the end token after it."""
    bare, framed = (tokenizer.library.encode("a", add_special_tokens=with_frame).ids for with_frame in (False, True))
    before = tokenizer.begin_ids
    after = framed[len(before) + len(bare) :]
    if before not in ([], [begin]) or after not in ([], [end]):
        raise BadInput(
            f"the tokenizer of {folder} puts {before} before a text and {after} after it, and llama.cpp knows a begin "
            "token before and an end token after",
            cure=_CURE,
        )
    return bool(before), bool(after)

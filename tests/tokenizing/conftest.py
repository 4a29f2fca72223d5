"""Real text, hostile text, and tokenizers of every shape that is met."""

from __future__ import annotations

import importlib.util
import json
import random
import sysconfig
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from aictl.artifacts.dataset import DatasetWriter
from aictl.core.events import Events, Noted
from aictl.tokenizing.byte_bpe import ROLES, learn
from aictl.tokenizing.folder import TokenizerFolder, write

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
UNKNOWN = r"\p{L}+|\p{N}{1,7}|[^\p{L}\p{N}]+"
CHARACTERS = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]


@pytest.fixture(scope="session")
def real() -> list[str]:
    """The sources of the standard library: more than a megabyte of code, English and tables of characters."""
    library = Path(sysconfig.get_path("stdlib"))
    files = sorted([*library.glob("*.py"), *(library / "encodings").glob("*.py"), *(library / "email").rglob("*.py")])
    texts = [path.read_text("utf-8", errors="replace") for path in files[:100]]
    assert sum(map(len, texts)) > 1_000_000
    return texts


def _pools() -> list[list[str]]:
    def of(*categories: str) -> list[str]:
        return [one for one in CHARACTERS if unicodedata.category(one) in categories]

    return [
        of("Zs", "Zl", "Zp", "Cc") + list("\u180e\u200b\u2060\ufeff"),
        of("Mn", "Mc", "Me"),
        of("Nd", "Nl", "No"),
        of("Lu", "Ll", "Lt", "Lm"),
        of("Cf", "Co"),
        of("Cn"),
        CHARACTERS,
        [chr(code) for code in range(128)],
        ["🙂", "👩\u200d💻", "👍🏽", "🏳️\u200d🌈", "🇫🇷", "❤️", "e\u0301", "\u1100\u1161\u11a8", "Å", "ﬁ"],
        ["'s", "'S", "'ll", "'ſ", "'re", "’s", "'", "''", "'v", " the", "The", "123", "4567", "\r\n", "\n\n", "    "],
        [*ROLES.values(), "<|endoftext|>", "<|im_start|>", "<tool_call>", "[INST]", "<s>", "</s>", "<|"],
    ]


@pytest.fixture(scope="session")
def hostile() -> list[str]:
    """Short texts of characters that nobody expects together, always the same, and words without end."""
    chance = random.Random(7)
    pools = _pools()
    texts = []
    for _ in range(2000):
        some = chance.sample(pools, chance.randint(1, 4))
        length = chance.choice([0, 1, 2, 5, 20, 100])
        texts.append("".join(chance.choice(chance.choice(some)) for _ in range(length)))
    endless = [one * 3000 for one in ("a", "é", " ", "\n", "🙂", "1", "ab", "'s", "a\u0301", "\u00a0")]
    return [*texts, *endless]


@pytest.fixture
def told() -> list[object]:
    """What ``events`` was told."""
    return []


@pytest.fixture
def events(told: list[object]) -> Events:
    return Events(told.append)


@pytest.fixture
def notes(told: list[object]) -> Callable[[], str]:
    """All notes so far."""
    return lambda: "\n".join(event.message for event in told if isinstance(event, Noted))


@pytest.fixture
def without_gigatoken(monkeypatch) -> None:
    """A machine on which it is not installed."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "gigatoken" else find(name))


@pytest.fixture(scope="session")
def library(real) -> Tokenizer:
    return learn(real[:40], 2000)


@pytest.fixture
def folder(tmp_path, library) -> TokenizerFolder:
    """A tokenizer as it is learnt here."""
    return write_folder(tmp_path / "tokenizer", library)


def write_folder(place: Path, library: Tokenizer, roles: dict[str, str] | None = None) -> TokenizerFolder:
    place.mkdir()
    write(library, place, ROLES if roles is None else roles)
    return TokenizerFolder(place)


def _split(pattern: str) -> pre_tokenizers.PreTokenizer:
    words = pre_tokenizers.Split(Regex(pattern), "isolated")
    return pre_tokenizers.Sequence([words, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


STYLES = {
    "gpt2": (pre_tokenizers.ByteLevel(add_prefix_space=False), None, False),
    "llama3": (_split(LLAMA3), None, True),
    "qwen2": (_split(QWEN2), normalizers.NFC(), False),
    "smollm2": (
        pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        ),
        None,
        False,
    ),
    "unknown": (_split(UNKNOWN), None, False),
    "spaced": (pre_tokenizers.ByteLevel(add_prefix_space=True), None, False),
}


@pytest.fixture(scope="session")
def styles(real, tmp_path_factory) -> dict[str, TokenizerFolder]:
    """Tokenizers that split text as well-known ones do. Like Qwen2.5's, that of its style cuts ``<tool_call>`` out of
    any text."""
    made = {}
    for name, (splitter, normalizer, ignores_merges) in STYLES.items():
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = splitter
        tokenizer.decoder = decoders.ByteLevel()
        if normalizer is not None:
            tokenizer.normalizer = normalizer
        special = ["<|endoftext|>", "<|im_start|>"]
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=3000, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        )
        tokenizer.train_from_iterator(real[:40], trainer)
        if name == "qwen2":
            tokenizer.add_tokens(["<tool_call>"])
        place = tmp_path_factory.mktemp(name) / "tokenizer"
        write_folder(place, tokenizer, {"eos_token": "<|endoftext|>"})
        if ignores_merges:
            path = place / "tokenizer.json"
            description = json.loads(path.read_text())
            description["model"]["ignore_merges"] = True
            path.write_text(json.dumps(description))
        made[name] = TokenizerFolder(place)
    return made


@pytest.fixture
def write_shards(tmp_path) -> Callable[..., list[Path]]:
    """Writes texts as a dataset's shards, so many."""

    def write_them(texts: list[str], shards: int = 1) -> list[Path]:
        written = []
        for number in range(shards):
            place = tmp_path / f"dataset-{number}-{len(texts)}"
            place.mkdir()
            with DatasetWriter(place, "text") as writer:
                for text in texts[number::shards]:
                    writer.add("train", {"text": text, "source": "here"})
            written += sorted(place.glob("train-*.jsonl"))
        return written

    return write_them

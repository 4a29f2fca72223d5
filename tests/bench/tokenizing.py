"""The tokenizing room beside Hugging Face tokenizers: learning a vocabulary, and encoding and packing documents.

Each job is a process of its own that reads the same dataset and writes the same kind of files, ours and the peer's
in turn, A B A B. That their results are the same is checked on every document, byte for byte.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import resource
import shutil
import statistics
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.measure import cpu_s

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "benchmarks" / "tokenizing.md"
LEARN_BYTES, HELD_OUT_BYTES = 160_000_000, 5_000_000
FILE_CHARACTERS, DOCUMENT_CHARACTERS = 1_000_000, 20_000
VOCABULARY = 16_384
ROUNDS = 3
GROWTH_BYTES = (10_000_000, 40_000_000, 160_000_000)
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
HEAD = """# Tokenizing beside Hugging Face tokenizers

Written by `make bench` (alone: `python -m tests.bench tokenizing`). CPU seconds, user and system, of whole processes
that read the same dataset and write the same files, ours and the peer's in turn; the ratio is the median over
{rounds} rounds, with its least and greatest. Ours is all of it: reading, checking against the other library, writing.
The peer is tokenizers {tokenizers} (`encode_batch_fast`, 256 documents at once, without offsets); ours stands on
gigatoken {gigatoken} too. The machine: {machine}; load {load:.1f} when it began.

**The corpus** is what any Debian machine with this project has: {documents:,} documents, {megabytes:.0f} MB, and
{held_out:.1f} MB held out. They are the files under `/usr/share/doc`, unpacked where they are gzip, and the Python
sources of the standard library, of `/usr/lib/python3` and of this environment, in so far as they are UTF-8; of each
file the first {file:,} characters, cut every {cut:,}; no document twice; and of those that many, drawn by their hash.
{unicode:.0%} of the documents hold more than ASCII.

| job | ours | peer's | peer's / ours | result | goal |
|---|---|---|---|---|---|
"""


class Corpus(NamedTuple):
    """A dataset's folder, and what is in its train split."""

    folder: Path
    documents: int
    size_bytes: int
    held_out_bytes: int
    unicode: float


class Row(NamedTuple):
    """A job by both: CPU seconds of each round, what is to be said of the results, and the goal."""

    what: str
    ours: Sequence[float]
    theirs: Sequence[float]
    result: str
    goal: str

    def __str__(self) -> str:
        ratios = [theirs / ours for ours, theirs in zip(self.ours, self.theirs, strict=True)]
        spread = f" ({min(ratios):.1f}–{max(ratios):.1f})" if len(ratios) > 1 else ""
        ours, theirs = statistics.median(self.ours), statistics.median(self.theirs)
        ratio = f"**{statistics.median(ratios):.1f}**{spread}"
        return f"| {self.what} | {ours:.1f} s | {theirs:.1f} s | {ratio} | {self.result} | {self.goal} |"


def write(place: Path, machine: str) -> None:
    """Measure, and write the page; ``place`` is a folder on a disk with a gigabyte of room."""
    from importlib import metadata

    corpus = gather(place)
    head = HEAD.format(
        rounds=ROUNDS,
        tokenizers=metadata.version("tokenizers"),
        gigatoken=metadata.version("gigatoken"),
        machine=machine,
        load=os.getloadavg()[0],
        documents=corpus.documents,
        megabytes=corpus.size_bytes / 1e6,
        held_out=corpus.held_out_bytes / 1e6,
        file=FILE_CHARACTERS,
        cut=DOCUMENT_CHARACTERS,
        unicode=corpus.unicode,
    )
    rows = []
    for row in _rows(corpus, place):
        rows.append(str(row))
        print(row, flush=True)
    PAGE.write_text(head + "\n".join(rows) + "\n" + "\n".join(_growth(corpus, place)) + "\n", "utf-8")


# The corpus


def gather(place: Path) -> Corpus:
    """Write the corpus as a dataset into ``place``. Raises ``RuntimeError`` if this machine has too little text."""
    from aictl.artifacts.dataset import DatasetWriter

    sizes: dict[bytes, int] = {}
    for text in _pieces():
        sizes[_digest(text)] = len(text.encode())
    side: dict[bytes, str] = {}
    left = {"validation": HELD_OUT_BYTES, "train": LEARN_BYTES}
    for digest in sorted(sizes):
        split = next((split for split, room in left.items() if room > 0), None)
        if split is None:
            break
        side[digest] = split
        left[split] -= sizes[digest]
    if left["train"] > 0:
        raise RuntimeError(f"this machine has {sum(sizes.values()) / 1e6:.0f} MB of text, which is too little")
    folder = place / "corpus"
    folder.mkdir()
    beyond_ascii = 0
    with DatasetWriter(folder, "text") as writer:
        for text in _pieces():
            split = side.pop(_digest(text), None)
            if split:
                writer.add(split, {"text": text, "source": "this machine"})
                beyond_ascii += not text.isascii()
    total = sum(writer.counts.values())
    train, held_out = (
        wanted - left[split] for split, wanted in (("train", LEARN_BYTES), ("validation", HELD_OUT_BYTES))
    )
    return Corpus(folder, writer.counts["train"], train, held_out, beyond_ascii / total)


def _pieces() -> Iterator[str]:
    environment = Path(sysconfig.get_path("purelib"))
    sources = [Path(sysconfig.get_path("stdlib")), Path("/usr/lib/python3"), environment]
    for root, suffix in [(Path("/usr/share/doc"), ""), *((source, ".py") for source in sources)]:
        for path in sorted(root.rglob(f"*{suffix}")):
            text = _text(path)
            yield from (text[start : start + DOCUMENT_CHARACTERS] for start in range(0, len(text), DOCUMENT_CHARACTERS))


def _text(path: Path) -> str:
    if path.is_symlink() or not path.is_file():
        return ""
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8")
    except (OSError, ValueError, EOFError):
        return ""
    return "" if "\0" in text or len(text) < 32 else text[:FILE_CHARACTERS]


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


# The jobs, each run in a process of its own


def learn_ours(corpus: str, folder: str) -> None:
    from aictl.artifacts.dataset import Dataset
    from aictl.core.events import silent
    from aictl.tokenizing.byte_bpe import ROLES
    from aictl.tokenizing.folder import write as write_tokenizer
    from aictl.tokenizing.learning import learn_from

    library = learn_from(Dataset(Path(corpus)).shards("train"), VOCABULARY, events=silent)
    write_tokenizer(library, _fresh(folder), ROLES)


def learn_theirs(corpus: str, folder: str) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|pad|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        min_frequency=2,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(corpus, "train"), trainer)
    tokenizer.save(str(_fresh(folder) / "tokenizer.json"))


def pack_ours(corpus: str, tokenizer: str, folder: str) -> None:
    from aictl.artifacts.dataset import Dataset
    from aictl.core.events import silent
    from aictl.tokenizing.encoder import Encoder
    from aictl.tokenizing.folder import TokenizerFolder
    from aictl.tokenizing.packing import pack

    dataset = Dataset(Path(corpus))
    texts = {"train": lambda: (document["text"] for document in dataset.documents("train"))}
    pack(texts, Encoder(TokenizerFolder(Path(tokenizer)), silent), _fresh(folder), events=silent)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, file=(Path(folder) / "peak").open("w"))


def pack_theirs(corpus: str, tokenizer: str, folder: str) -> None:
    """As one would write it with the library alone: one file of ids and one of where documents end."""
    import numpy as np
    from tokenizers import Tokenizer

    library = Tokenizer.from_file(f"{tokenizer}/tokenizer.json")
    library.encode_special_tokens = True
    end = library.token_to_id("<|end_of_text|>")
    total, ends = 0, []
    batch: list[str] = []
    place = _fresh(folder)

    def flush() -> None:
        nonlocal total
        for encoding in library.encode_batch_fast(batch):
            ids = np.asarray([*encoding.ids, end], dtype="<u2")
            total += len(ids)
            ends.append(total)
            file.write(ids.tobytes())
        batch.clear()

    with (place / "tokens").open("wb") as file:
        for text in _texts(corpus, "train"):
            batch.append(text)
            if len(batch) == 256:
                flush()
        flush()
    np.asarray(ends, dtype="<u8").tofile(place / "ends")


def _texts(corpus: str, split: str) -> Iterator[str]:
    for path in sorted(Path(corpus).glob(f"{split}-*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)["text"]


def _fresh(folder: str) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    Path(folder).mkdir()
    return Path(folder)


def _cpu_s(job: str, *arguments: Path, environment: dict[str, str] | None = None) -> float:
    called = f"from tests.bench.tokenizing import {job}; {job}(*{[str(one) for one in arguments]!r})"
    return cpu_s([sys.executable, "-c", called], cwd=ROOT, environment=environment)


# The rows


def _rows(corpus: Corpus, place: Path) -> Iterator[Row]:
    ours, theirs = place / "tokenizer-ours", place / "tokenizer-theirs"
    times = [
        (_cpu_s("learn_ours", corpus.folder, ours), _cpu_s("learn_theirs", corpus.folder, theirs))
        for _ in range(ROUNDS)
    ]
    yield Row(f"learn a vocabulary of {VOCABULARY:,}", *zip(*times, strict=True), _learnt(corpus, ours, theirs), "3")
    for name, tokenizer, rounds in (
        ("GPT-2's pattern, as it is learnt here", ours, ROUNDS),
        ("Llama 3's pattern", _llama(ours, place / "tokenizer-llama"), 1),
    ):
        a, b = place / "packed-ours", place / "packed-theirs"
        times = [
            (_cpu_s("pack_ours", corpus.folder, tokenizer, a), _cpu_s("pack_theirs", corpus.folder, tokenizer, b))
            for _ in range(rounds)
        ]
        yield Row(f"encode and pack, {name}", *zip(*times, strict=True), _same(a, b), "10")
    smol = _smollm(ours, place / "tokenizer-smollm")
    small = _part(corpus, place / "part", GROWTH_BYTES[0])
    times = [(_cpu_s("pack_ours", small, smol, a), _cpu_s("pack_theirs", small, smol, b))]
    yield Row(
        "encode and pack 10 MB with SmolLM2's digits, on which only tokenizers is followed",
        *zip(*times, strict=True), _same(a, b), "",
    )  # fmt: skip


def _learnt(corpus: Corpus, ours: Path, theirs: Path) -> str:
    """How well both do on held-out text, and whether they are the same."""
    from tokenizers import Tokenizer

    texts = list(_texts(str(corpus.folder), "validation"))
    size = sum(len(text.encode()) for text in texts)
    libraries = [Tokenizer.from_file(str(folder / "tokenizer.json")) for folder in (ours, theirs)]
    rates = [
        size / sum(len(one.ids) for one in library.encode_batch_fast(texts, add_special_tokens=False))
        for library in libraries
    ]
    models = [json.loads(library.to_str())["model"] for library in libraries]
    same = "the same merges" if models[0] == models[1] else "OTHER MERGES"
    return f"{same}; {rates[0]:.4f} and {rates[1]:.4f} held-out bytes per token"


def _same(ours: Path, theirs: Path) -> str:
    """Whether every document has the same ids in both; raises ``RuntimeError`` if one has not."""
    import numpy as np

    from aictl.tokenizing.shards import read

    tokens = read(ours, "train")
    flat, ends = np.memmap(theirs / "tokens", dtype="<u2", mode="r"), np.fromfile(theirs / "ends", dtype="<u8")
    same = len(flat) == len(tokens) and np.array_equal(tokens.ends_within(0, len(tokens)), ends)
    for start in range(0, len(flat), 2**24):
        same = same and np.array_equal(tokens[start : start + 2**24], flat[start : start + 2**24])
    if not same:
        raise RuntimeError(f"the ids in {ours} and {theirs} are not the same")
    return f"the same ids in all {len(ends):,} documents, {len(flat):,} tokens"


def _llama(learnt: Path, folder: Path) -> Path:
    """The vocabulary that was learnt, behind the pattern of Llama 3."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": False}
    return _with(learnt, folder, {"type": "Sequence", "pretokenizers": [split, byte_level]})


def _smollm(learnt: Path, folder: Path) -> Path:
    """The same behind single digits."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    digits = {"type": "Digits", "individual_digits": True}
    return _with(learnt, folder, {"type": "Sequence", "pretokenizers": [digits, byte_level]})


def _with(learnt: Path, folder: Path, splitter: dict[str, Any]) -> Path:
    shutil.copytree(learnt, folder)
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"pre_tokenizer": splitter}), "utf-8")
    return folder


def _part(corpus: Corpus, folder: Path, size_bytes: int) -> Path:
    """The first so many bytes of the corpus."""
    from aictl.artifacts.dataset import DatasetWriter

    folder.mkdir()
    with DatasetWriter(folder, "text") as writer:
        for text in _texts(str(corpus.folder), "train"):
            writer.add("train", {"text": text, "source": "this machine"})
            size_bytes -= len(text.encode())
            if size_bytes <= 0:
                break
    return folder


def _growth(corpus: Corpus, place: Path) -> Iterator[str]:
    """CPU time and peak memory of packing, as the corpus grows."""
    yield "\n## As the corpus grows\n"
    yield "| encode and pack | CPU | per MB | peak memory of the process |"
    yield "|---|---|---|---|"
    for size in GROWTH_BYTES:
        folder = corpus.folder if size == LEARN_BYTES else _part(corpus, place / f"part-{size}", size)
        packed = place / "packed-growth"
        seconds = _cpu_s("pack_ours", folder, place / "tokenizer-ours", packed)
        peak = int((packed / "peak").read_text())
        row = f"| {size / 1e6:.0f} MB | {seconds:.2f} s | {seconds / size * 1e9:.1f} ms | {peak / 1e6:.0f} MB |"
        print(row, flush=True)
        yield row

"""The same documents give the same bytes, in one go or in many."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from aictl.core.errors import BadInput
from aictl.core.events import Finished, Started, silent
from aictl.tokenizing import packing
from aictl.tokenizing.encoded import Encoded
from aictl.tokenizing.encoder import Encoder, batches
from aictl.tokenizing.fast_encoding import FastEncoder
from aictl.tokenizing.folder import TokenizerFolder
from aictl.tokenizing.packing import Split, pack
from aictl.tokenizing.shards import read

SHARD_TOKENS = 50_000


def packed(texts, folder: Path, place: Path, events=silent, **splits):
    place.mkdir(exist_ok=True)
    every = {"train": lambda: iter(texts), **splits}
    return pack(every, Encoder(folder, events), place, events=events, shard_tokens=SHARD_TOKENS)


def content(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.iterdir()}


def expected(folder: TokenizerFolder, texts: list[str]) -> list[int]:
    ids = []
    for text in texts:
        ids += [*folder.library.encode(text).ids, folder.end_id]
    return ids


@pytest.fixture
def few_at_once(monkeypatch):
    """Encodes in batches of about so many characters."""

    def of(characters: int) -> None:
        monkeypatch.setattr(packing, "batches", lambda texts: batches(texts, characters))

    return of


@pytest.fixture
def whole(folder, real, tmp_path) -> dict[str, bytes]:
    packed(real, folder, tmp_path / "whole")
    return content(tmp_path / "whole")


def test_documents_stand_between_their_begin_and_their_end(folder, real, tmp_path, told, events):
    made = packed(real, folder, tmp_path / "a", events, validation=lambda: iter(real[:3]), test=lambda: iter([]))
    tokens = read(tmp_path / "a", "train")
    assert tokens[0 : len(tokens)].tolist() == expected(folder, real)
    assert made.vocabulary == folder.vocabulary and made.token_bytes == 2
    assert made.splits["train"] == Split(len(real), len(tokens), len(tokens.shards)) and len(tokens.shards) > 5
    assert made.splits["validation"].documents == 3 and made.splits["test"] == Split(0, 0, 0)
    ends = tokens.ends_within(0, len(tokens))
    assert len(ends) == len(real) and all(tokens[end - 1 : end] == folder.end_id for end in ends.tolist())
    tasks = [event.task for event in told if isinstance(event, (Started, Finished))]
    assert tasks == ["encode train"] * 2 + ["encode validation"] * 2 + ["encode test"] * 2


def test_how_texts_come_does_not_change_a_byte(folder, real, tmp_path, whole, few_at_once):
    few_at_once(5_000)
    packed(real, folder, tmp_path / "small")
    assert content(tmp_path / "small") == whole
    few_at_once(1)
    packed(real, folder, tmp_path / "single")
    assert content(tmp_path / "single") == whole


def test_what_encodes_does_not_change_a_byte(folder, real, tmp_path, whole, without_gigatoken):
    packed(real, folder, tmp_path / "slow")
    assert content(tmp_path / "slow") == whole


def test_an_interrupted_run_goes_on_after_its_last_shard(folder, real, tmp_path, whole, monkeypatch, few_at_once):
    few_at_once(5_000)

    def texts(last):
        for number, text in enumerate(real):
            if number == last:
                raise KeyboardInterrupt
            yield text

    def run(last=None):
        encoder = Encoder(folder, silent)
        return pack({"train": lambda: texts(last)}, encoder, place, events=silent, shard_tokens=SHARD_TOKENS)

    place = tmp_path / "cut"
    place.mkdir()
    for last in (0, 20, 20, 60, len(real) - 1):
        with pytest.raises(KeyboardInterrupt):
            run(last)
    encoded = []
    encode = Encoder.encode
    monkeypatch.setattr(Encoder, "encode", lambda self, texts: encoded.extend(texts) or encode(self, texts))
    run()
    assert content(place) == whole
    assert 0 < len(encoded) < 20  # the documents of the last shard alone


def test_what_is_finished_is_found_and_not_done_again(folder, real, tmp_path, whole):
    def never():
        raise AssertionError("the texts are read again")
        yield

    again = pack(
        {"train": never}, Encoder(folder, silent), tmp_path / "whole", events=silent, shard_tokens=SHARD_TOKENS
    )
    assert again.splits["train"].documents == len(real)
    assert content(tmp_path / "whole") == whole
    (tmp_path / "whole" / "train-00002.tokens").unlink()
    packed(real, folder, tmp_path / "whole")
    assert content(tmp_path / "whole") == whole


def test_another_tokenizer_begins_again(folder, styles, real, tmp_path, whole):
    other = styles["gpt2"]
    packed(real[:50], other, tmp_path / "whole")
    fresh = tmp_path / "fresh"
    packed(real[:50], other, fresh)
    assert content(tmp_path / "whole") == content(fresh) != whole


def test_where_the_fast_library_errs_everything_is_done_again(
    folder, real, tmp_path, whole, monkeypatch, events, notes
):
    """It errs from some document on, in the second split: the first is not believed either."""
    encode = FastEncoder.encode

    def wrong(self, texts):
        encoded = encode(self, texts)
        ids = encoded.ids.copy()
        if texts and "validation" in texts[0]:
            ids[:] = 5
        return Encoded(ids, encoded.ends)

    monkeypatch.setattr(FastEncoder, "encode", wrong)
    told_slow = []
    slowly = Encoder._slowly
    monkeypatch.setattr(Encoder, "_slowly", lambda self, texts: told_slow.extend(texts) or slowly(self, texts))
    validation = [f"validation {number}" for number in range(5)]
    packed(real, folder, tmp_path / "a", events, validation=lambda: iter(validation))
    assert "encoding again with tokenizers" in notes()
    assert set(real) <= set(told_slow)
    assert read(tmp_path / "a", "validation")[0 : 10**6].tolist() == expected(folder, validation)
    for name, data in whole.items():
        if name.startswith("train"):
            assert (tmp_path / "a" / name).read_bytes() == data
    assert not list((tmp_path / "a").glob("packing*"))


def test_a_library_that_was_left_stays_left_when_the_run_is_resumed(
    folder, real, tmp_path, monkeypatch, whole, few_at_once
):
    encode = FastEncoder.encode
    monkeypatch.setattr(FastEncoder, "encode", lambda self, texts: encode(self, [text[:-1] for text in texts]))
    place = tmp_path / "a"
    place.mkdir()

    def texts():
        yield from real[:60]
        raise KeyboardInterrupt

    few_at_once(5_000)
    with pytest.raises(KeyboardInterrupt):
        packed([], folder, place, train=texts)
    monkeypatch.setattr(FastEncoder, "encode", encode)
    before = {path: path.stat().st_mtime_ns for path in place.glob("*.tokens")}
    assert before
    encoder = Encoder(folder, silent)
    pack({"train": lambda: iter(real)}, encoder, place, events=silent, shard_tokens=SHARD_TOKENS)
    assert encoder.way.startswith("tokenizers")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert content(place) == whole


def test_a_tokenizer_without_an_end_is_refused_before_anything_is_written(folder, real, tmp_path):
    (folder.folder / "tokenizer_config.json").write_text("{}")
    with pytest.raises(BadInput, match="eos_token"):
        packed(real, TokenizerFolder(folder.folder), tmp_path / "a")
    assert not list((tmp_path / "a").iterdir())


def test_a_large_vocabulary_takes_four_bytes(folder, real, tmp_path):
    library = folder.library
    library.add_tokens([f"<{number}>" for number in range(70_000)])
    library.save(str(folder.folder / "tokenizer.json"))
    made = packed(real[:3], TokenizerFolder(folder.folder), tmp_path / "a")
    assert made.token_bytes == 4 and made.vocabulary == 72_000
    tokens = read(tmp_path / "a", "train")
    assert tokens[0 : len(tokens)].dtype == np.dtype("<u4")


PROGRAM = """
import sys, time
from pathlib import Path
from aictl.core.events import Events
from aictl.tokenizing import packing
from aictl.tokenizing.encoder import Encoder
from aictl.tokenizing.folder import TokenizerFolder
batches = packing.batches
packing.batches = lambda texts: batches(texts, 20_000)
packing.TELL_EVERY_S = 0
def texts():
    for text in Path(sys.argv[2]).read_text().split("\\0"):
        yield text
events = Events(lambda event: print(event, flush=True))
place = Path(sys.argv[3])
place.mkdir(exist_ok=True)
packing.pack({"train": texts}, Encoder(TokenizerFolder(Path(sys.argv[1])), events), place, events=events,
             shard_tokens=50_000)
"""


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(folder, real, tmp_path):
    program, texts = tmp_path / "run.py", tmp_path / "texts"
    program.write_text(textwrap.dedent(PROGRAM))
    texts.write_text("\0".join(real))

    def start(place: str) -> subprocess.Popen[str]:
        words = [sys.executable, str(program), str(folder.folder), str(texts), str(tmp_path / place)]
        return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)

    whole = start("whole")
    assert "Finished" in whole.communicate(timeout=120)[0]
    for tellings in (1, 2, 4, 8, 16):
        process = start("cut")
        assert process.stdout
        lines = (line for line in process.stdout if line.startswith("Advanced"))
        for _ in zip(range(tellings), lines, strict=False):
            pass
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    assert start("cut").wait(timeout=120) == 0
    assert content(tmp_path / "cut") == content(tmp_path / "whole")

"""Tokens in several files read as one sequence, and a broken file is damage."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from aictl.core.errors import Damaged, NotFound
from aictl.tokenizing.encoded import joined
from aictl.tokenizing.shards import FACTS, ShardWriter, Tokens, open_shard, read, token_type

DOCUMENTS = [[1, 2, 9], [3, 9], [4, 5, 6, 9], [9], [7, 8, 9], [9]]
FLAT = [token for document in DOCUMENTS for token in document]


def written(folder, documents=DOCUMENTS, vocabulary=10, shard_tokens=5, together=2):
    folder.mkdir(exist_ok=True)
    with ShardWriter(folder, "train", token_type(vocabulary), shard_tokens) as writer:
        for start in range(0, len(documents), together):
            batch = documents[start : start + together]
            writer.add(joined([np.array(one, np.uint32) for one in batch]))
    counts = {"documents": writer.documents, "tokens": writer.tokens, "shards": writer.shards}
    (folder / FACTS).write_text(json.dumps({"vocabulary": vocabulary, "splits": {"train": counts}}))
    return folder


@pytest.mark.parametrize(("vocabulary", "bytes_each"), [(500, 2), (65_536, 2), (65_537, 4)])
def test_a_token_takes_as_little_room_as_the_vocabulary_allows(tmp_path, vocabulary, bytes_each):
    folder = written(tmp_path / "a", [[1, 2, vocabulary - 1], [5]], vocabulary, shard_tokens=100)
    assert (folder / "train-00000.tokens").stat().st_size == 4 * bytes_each
    assert read(folder, "train")[0:4].tolist() == [1, 2, vocabulary - 1, 5]


def test_bytes_are_little_endian_whatever_the_machine(tmp_path):
    folder = written(tmp_path / "a", [[258]], 1000)
    assert (folder / "train-00000.tokens").read_bytes() == b"\x02\x01"
    assert (folder / "train-00000.ends").read_bytes() == b"\x01" + b"\0" * 7


@pytest.mark.parametrize("together", [1, 2, 3, 6])
def test_a_shard_ends_with_the_document_that_fills_it(tmp_path, together):
    folder = written(tmp_path / "a", together=together)
    tokens = read(folder, "train")
    assert [shard.tokens.tolist() for shard in tokens.shards] == [FLAT[:5], FLAT[5:10], FLAT[10:]]
    assert [shard.ends.tolist() for shard in tokens.shards] == [[3, 5], [4, 5], [3, 4]]
    assert tokens.documents == 6 and len(tokens) == len(FLAT)


def test_every_span_reads_as_if_it_were_one_file(tmp_path):
    tokens = read(written(tmp_path / "a"), "train")
    ends = np.cumsum([len(document) for document in DOCUMENTS])
    for first in range(len(FLAT) + 1):
        for last in range(first, len(FLAT) + 2):
            assert tokens[first:last].tolist() == FLAT[first:last]
            within = [end - first for end in ends.tolist() if first < end <= last]
            assert tokens.ends_within(first, last).tolist() == within
    assert tokens[5:10].base is not None  # a view of the mapped file, not a copy


def test_long_documents_and_many_sizes(tmp_path):
    chance = random.Random(3)
    documents = [[chance.randrange(100) for _ in range(chance.choice([1, 2, 50]))] for _ in range(60)]
    for size in (1, 7, 64, 10_000):
        tokens = read(written(tmp_path / str(size), documents, 100, size, together=chance.randint(1, 9)), "train")
        assert tokens[0 : len(tokens)].tolist() == [token for document in documents for token in document]
        assert all(len(shard.tokens) >= size for shard in tokens.shards[:-1])


def test_nothing_is_an_empty_sequence(tmp_path):
    tokens = read(written(tmp_path / "a", []), "train")
    assert len(tokens) == 0 and tokens[0:10].tolist() == [] and tokens.ends_within(0, 10).tolist() == []
    assert len(read(tmp_path / "a", "validation")) == 0
    assert len(Tokens([], token_type(10))) == 0


def test_a_failing_writer_leaves_no_shard_that_is_not_whole(tmp_path):
    with pytest.raises(OSError, match="gone"), ShardWriter(tmp_path, "train", token_type(10), 5) as writer:
        writer.add(joined([np.array([1] * 6, np.uint32), np.array([2], np.uint32)]))
        raise OSError("gone")
    assert sorted(path.name for path in tmp_path.glob("*.tokens")) == ["train-00000.tokens"]
    assert open_shard(tmp_path, "train", 1, token_type(10)) is None


def test_a_folder_without_tokens_is_not_found(tmp_path):
    with pytest.raises(NotFound, match=FACTS):
        read(tmp_path, "train")


@pytest.mark.parametrize("name", ["train-00001.tokens", "train-00001.ends"])
@pytest.mark.parametrize("how", ["gone", "cut", "odd", "empty", "longer"])
def test_a_shard_that_is_not_what_it_was_is_damage(tmp_path, name, how):
    path = written(tmp_path / "a") / name
    content = path.read_bytes()
    path.unlink()
    if how != "gone":
        changed = {"cut": content[:-8], "odd": content[:-1], "empty": b"", "longer": content + b"\1" * 8}
        path.write_bytes(changed[how])
    with pytest.raises(Damaged, match="not those of which"):
        read(tmp_path / "a", "train")


@pytest.mark.parametrize("facts", ["{", "[]", "{}", '{"vocabulary": 10, "splits": 3}', '{"vocabulary": "x"}'])
def test_facts_that_are_none_are_damage(tmp_path, facts):
    (written(tmp_path / "a") / FACTS).write_text(facts)
    with pytest.raises(Damaged, match=FACTS):
        read(tmp_path / "a", "train")

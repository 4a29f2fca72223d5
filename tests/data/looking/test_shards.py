"""Shards are read in blocks of whole lines, and what is no document is named by its place."""

from __future__ import annotations

import pytest

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadRequest, Damaged, WrongKind
from aictl.data.looking.shards import blocks, records, require_count, require_looked_at, require_split


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 20])
def test_blocks_are_the_shard_cut_at_line_breaks(tmp_path, size):
    path = tmp_path / "train-00000.jsonl"
    data = b"".join(b"x" * (number * 37 % 90) + b"\n" for number in range(50))
    path.write_bytes(data)
    found = list(blocks(path, size))
    assert b"".join(block.data for block in found) == data
    assert all(block.data.endswith(b"\n") and data.startswith(block.data, block.begin) for block in found)
    assert size < 1 << 20 or len(found) == 1


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("step", [1, 13, 100, 5000])
def test_ranges_have_each_line_once(tmp_path, size, step):
    path = tmp_path / "train-00000.jsonl"
    data = b"".join(b"%d" % number * (number * 37 % 40) + b"\n" for number in range(50)) + b"no line break"
    path.write_bytes(data)
    found = [
        block
        for begin in range(0, len(data), step)
        for block in blocks(path, size, begin, min(begin + step, len(data)))
    ]
    assert b"".join(block.data for block in found) == data + b"\n"
    assert all((data + b"\n").startswith(block.data, block.begin) for block in found)


def test_a_line_without_its_end_and_an_empty_shard(tmp_path):
    path = tmp_path / "train-00000.jsonl"
    path.write_bytes(b"")
    assert list(blocks(path)) == []
    path.write_bytes(b"one\ntwo")
    assert b"".join(block.data for block in blocks(path)) == b"one\ntwo\n"


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b'{"text": "cut sh', "line 4"),
        (b"", "line 4"),
        (b'{"text": 3, "source": "a"}', "no document of a text dataset"),
        (b'{"source": "a"}', "no document of a text dataset"),
        (b'["text", "source"]', "no document of a text dataset"),
        (b'{"text": "half a pair \\ud800", "source": "a"}', "surrogate"),
        (b"\xff\xfe", "line 4"),
    ],
)
def test_a_line_that_is_no_document_is_named(sharded, line, bad, said):
    good = line("good")
    dataset = sharded([[good, good, good, bad, good]])
    for size in (16, 1 << 20):
        with pytest.raises(Damaged, match=said) as error:
            for block in blocks(dataset.shards("train")[0], size):
                records(block, "text")
        assert "train-00000.jsonl, line 4" in error.value.message


@pytest.mark.parametrize("turn", [{"role": "user"}, {"role": "user", "content": ["parts"]}, "words"])
def test_a_conversation_is_made_of_turns(write_dataset, turn):
    dataset = write_dataset("chats", "chat", {"train": [{"source": "a", "messages": [turn]}]})
    (block,) = blocks(dataset.shards("train")[0])
    with pytest.raises(Damaged, match="line 1: no document of a chat dataset"):
        records(block, "chat")


def test_what_is_asked_wrongly(text_dataset):
    dataset = text_dataset({"train": ["a"]})
    with pytest.raises(BadRequest, match="no split 'test'") as error:
        require_split(dataset, "test")
    assert error.value.cure == "it has train"
    with pytest.raises(BadRequest) as error:
        require_split(text_dataset({}), "train")
    assert "no documents" in (error.value.cure or "")
    with pytest.raises(Damaged, match="should hold 1 documents and has 3"):
        require_count(dataset, "train", 3)


def test_pictures_are_looked_at_by_some(write_dataset):
    dataset = write_dataset("pictures", "image", {})
    require_looked_at(dataset, "data head", pictures=True)
    with pytest.raises(WrongKind, match="is of format image, and `aictl data find` looks at text, chat, pair and"):
        require_looked_at(Dataset(dataset.folder), "data find")
    sounds = write_dataset("sounds", "sound", {"train": [{"source": "a.wav"}]})
    with pytest.raises(WrongKind, match="is of format sound, and `aictl data head` looks at text, chat, image"):
        require_looked_at(sounds, "data head", pictures=True)

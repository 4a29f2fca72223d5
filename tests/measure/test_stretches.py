"""Every token is predicted once, and none of them from nothing."""

from __future__ import annotations

import pytest

from aictl.inference.load import load
from aictl.measure.stretches import common, cut, of_conversation, of_text


@pytest.mark.parametrize("size", [2, 5, 16, 100])
@pytest.mark.parametrize("start", [1, 7, 40])
def test_cut(size, start):
    ids = list(range(50))
    found = list(cut(ids, start, size))
    predicted = [token for one in found for token in one.ids[one.start :]]
    assert predicted == ids[start:]
    for one in found:
        assert len(one.ids) <= size
        assert one.start >= 1
        assert list(one.ids) == list(range(one.ids[0], one.ids[-1] + 1))
        assert one.start >= min(one.ids[one.start], size // 4)


def test_the_first_token_is_predicted_after_the_begin_token(write_llama, tmp_path):
    from aictl.artifacts.checkpoint import Checkpoint

    write_llama(tmp_path / "llama", "the cat sat on the mat", "{{ messages }}")
    generator = load(Checkpoint(tmp_path / "llama"), device="cpu")
    asked = of_text(generator, "the cat", 64)
    (stretch,) = asked.stretches
    assert stretch.ids[0] == generator.begin_id
    assert generator.decode(stretch.ids[1:]) == "the cat"
    assert (stretch.start, asked.size_bytes) == (1, 7)


def test_without_a_begin_token_the_first_is_given_and_its_bytes_do_not_count(chat_model):
    generator = load(chat_model, device="cpu")
    assert generator.begin_id is None
    assert of_text(generator, "abc", 64).size_bytes == 2
    assert of_text(generator, "", 64) == ([], 0)


def test_a_long_answer_is_predicted_whole(chat_model):
    generator = load(chat_model, device="cpu")
    answer = "0123456789" * 20
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": answer}]
    asked = of_conversation(generator, messages, 64)
    assert len(asked.stretches) > 3
    assert "".join(generator.decode(one.ids[one.start :]) for one in asked.stretches) == answer
    assert asked.size_bytes == 200


def test_common():
    assert [common("abc", "abd"), common("abc", "abc"), common("", "a"), common("ab", "abc")] == [2, 3, 0, 2]

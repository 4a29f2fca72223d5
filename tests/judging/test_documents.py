"""Which documents are evaluated, and that a killed run goes on with those that are left."""

from __future__ import annotations

import json

import pytest

from aictl.core.errors import BadInput, BadRequest
from aictl.core.events import Events, silent
from aictl.judging.documents import draw, within
from aictl.judging.running import rows_of
from aictl.judging.task import Task


@pytest.fixture
def dataset(write_dataset):
    documents = [{"text": f"text {number}", "source": f"s{number}"} for number in range(50)]
    return write_dataset("texts", "text", {"validation": documents, "empty": []})


def even(document) -> bool:
    return int(document["text"].split()[1]) % 2 == 0


class Lengths(Task):
    """Says how long each text is, and stops where it is told to."""

    name = "lengths"
    batch = 4

    def __init__(self, until: int = 10**6):
        self.until, self.judged, self.closed, self.truncated = until, [], 0, 0

    def usable(self, document) -> bool:
        return True

    def open(self, number):
        return self

    def judge(self, documents):
        if len(self.judged) >= self.until:
            raise KeyboardInterrupt
        self.judged += [one.number for one in documents]
        return [{"length": len(one.document["text"])} for one in documents]

    def close(self):
        self.closed += 1

    def measures(self, rows):
        raise NotImplementedError


def test_a_draw_is_random_in_order_and_the_same_for_the_same_seed(dataset):
    one, same, other = (draw(dataset, "validation", even, most=10, seed=seed, events=silent) for seed in (1, 1, 2))
    assert one.numbers == same.numbers == sorted(one.numbers)
    assert one.numbers != other.numbers
    assert len(one) == 10
    assert (one.usable, one.unusable) == (25, 25)
    assert [drawn.number for drawn in one.documents()] == one.numbers
    assert all(even(drawn.document) for drawn in one.documents())


def test_every_document_is_as_likely_to_be_drawn(dataset):
    counts = [0] * 50
    for seed in range(400):
        for number in draw(dataset, "validation", lambda _: True, most=5, seed=seed, events=silent).numbers:
            counts[number] += 1
    assert min(counts) > 20
    assert max(counts) < 65


def test_a_budget_is_spent_on_documents_in_a_random_order(dataset):
    drawn = draw(dataset, "validation", even, most=25, seed=0, events=silent)
    few = within(drawn, lambda document: 3, 10, seed=1)
    assert len(few) == 4  # the fourth is the one that reaches the budget
    assert few.numbers == sorted(few.numbers)
    assert set(few.numbers) < set(drawn.numbers)
    assert few.numbers != within(drawn, lambda document: 3, 10, seed=2).numbers
    assert len(within(drawn, lambda document: 99, 10, seed=1)) == 1
    assert within(drawn, lambda document: 1, 1000, seed=1).numbers == drawn.numbers


def test_what_is_cut_and_left_out_is_said(dataset):
    told = []
    draw(dataset, "validation", even, most=10, seed=0, events=Events(told.append))
    said = [event.message for event in told]
    assert said[0].startswith("25 documents of split 'validation' lack")
    assert said[1] == "10 of 25 documents are drawn at random; --most sets how many"


def test_splits_that_are_not_there_or_empty_are_refused(dataset):
    with pytest.raises(BadRequest, match="no split 'test'"):
        draw(dataset, "test", even, most=1, seed=0, events=silent)
    with pytest.raises(BadInput, match="nothing to evaluate"):
        draw(dataset, "validation", lambda _: False, most=1, seed=0, events=silent)


def test_a_killed_run_goes_on_where_it_was(dataset, tmp_path):
    drawn = draw(dataset, "validation", even, most=20, seed=0, events=silent)
    path = tmp_path / "rows.jsonl"
    first = Lengths(until=8)
    with pytest.raises(KeyboardInterrupt):
        rows_of(first, 0, drawn, called="it", path=path, events=silent)
    assert first.closed == 1
    with path.open("ab") as file:  # killed in the middle of a line
        file.write(b'{"number": 12, "leng')
    second = Lengths()
    rows = rows_of(second, 0, drawn, called="it", path=path, events=silent)
    assert first.judged + second.judged == drawn.numbers
    assert [row["number"] for row in rows] == drawn.numbers
    assert [json.loads(line) for line in path.read_text().splitlines()] == rows
    third = Lengths()
    assert rows_of(third, 0, drawn, called="it", path=path, events=silent) == rows
    assert third.judged == []

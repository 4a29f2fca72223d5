"""Stop strings are found wherever the tokens fall, and nothing of them is given out."""

from __future__ import annotations

import pytest

from aictl.inference.stopping import StopStrings


def run(stops: list[str], pieces: list[str]) -> tuple[list[str], bool]:
    machine = StopStrings(stops)
    out = []
    for piece in pieces:
        text, stopped = machine.push(piece)
        out.append(text)
        if stopped:
            return out, True
    return [*out, machine.rest()], False


@pytest.mark.parametrize(
    ("stops", "pieces", "text", "stopped"),
    [
        (["END"], ["a", "b EN", "D c"], "ab ", True),
        (["END"], ["xE", "N", "E", "ND"], "xEN", True),
        (["\n\n", "User:"], ["hi\n", "Us", "er: x"], "hi\n", True),
        (["bc", "xabcd"], ["ab", "cd"], "a", True),
        (["END"], ["no E", "N"], "no EN", False),
        ([], ["a", "b"], "ab", False),
        ([""], ["a", "b"], "ab", False),
        (["aab"], ["a", "a", "a", "b"], "a", True),
    ],
)
def test_text_before_the_earliest_stop_comes_out(stops, pieces, text, stopped):
    out, met = run(stops, pieces)
    assert ("".join(out), met) == (text, stopped)


def test_every_split_of_a_text_gives_the_same():
    text, stops = "one two <|stop|> three", ["<|stop|>"]
    for first in range(len(text)):
        for second in range(first, len(text)):
            out, met = run(stops, [text[:first], text[first:second], text[second:]])
            assert ("".join(out), met) == ("one two ", True)


def test_only_what_could_become_a_stop_is_held_back():
    machine = StopStrings(["###"])
    assert machine.push("text #") == ("text ", False)
    assert machine.push("1") == ("#1", False)

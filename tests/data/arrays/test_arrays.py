"""Every array against the plain Python that says the same one text at a time."""

from __future__ import annotations

import pydoc_data.topics
import re
from collections import Counter

import numpy as np
import pytest

from aictl.data.arrays import codes
from aictl.data.arrays.codes import Texts, kind_table
from aictl.data.arrays.hashing import Hasher, windows
from aictl.data.arrays.lines import lines, paragraphs
from aictl.data.arrays.repeats import groups, repeated
from aictl.data.arrays.tokens import tokens
from aictl.data.arrays.view import View
from aictl.data.arrays.words import words

ODD = [
    "",
    "one",
    "Straße und Ünïcode, naïve café",
    "ПРИВЕТ, мир",
    "日本語の文 and ASCII",
    "emoji 🎉🎉 and 𝔘𝔫𝔦 𠀀𠀁",
    "\n\n a \n\n",
    "x" * 500,
    "tabs\tand  many   spaces ",
    "e\u0301 combining",
]
TEXTS = [*ODD, *(text.strip() for _, text in sorted(pydoc_data.topics.topics.items())[:40])]
ASCII = [text for text in TEXTS if text.isascii()]


@pytest.fixture(params=[TEXTS, ASCII, [""], []], ids=["all", "ascii", "empty", "none"])
def texts(request):
    return request.param


def strings(texts, starts, ends):
    joined = "\n".join(texts)
    return [joined[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


def test_texts_are_their_stretches(texts):
    arrays = Texts(texts)
    assert strings(texts, arrays.starts, arrays.ends) == list(texts)
    assert arrays.lengths.tolist() == [len(text) for text in texts]
    assert (arrays.codes.dtype == np.uint8) == all(text.isascii() for text in texts)


def test_kinds_are_pythons():
    table = kind_table()
    sample = [*range(0x500), 0x2028, 0x3000, 0x4E00, 0xAC00, 0xFF21, 0x0E01]
    for code in sample:
        letter = chr(code)
        assert bool(table[code] & codes.SPACE) == letter.isspace(), hex(code)
        assert bool(table[code] & codes.UPPER) == (letter.isalpha() and letter.isupper()), hex(code)
        assert bool(table[code] & codes.DIGIT) == (letter.isnumeric() and not letter.isalpha()), hex(code)
        if letter.isalpha():
            assert table[code] & codes.LETTER, hex(code)


def test_small_letters_are_pythons(texts):
    arrays = Texts(texts)
    narrow, wide, letters = arrays.small
    codes = narrow.astype(np.uint32)
    codes[wide] = letters
    assert (letters > 0xFF).all()
    assert "".join(map(chr, codes.tolist())) == "\n".join(texts).lower()


def test_words_are_runs_of_letters_and_digits_and_single_ideographs(texts):
    found = words(Texts(texts))
    expected = []
    for number, text in enumerate(texts):
        for run in re.findall(r"(?:[^\W_]|[\u0300-\u036f])+", text):
            expected += [(number, part) for part in re.findall(r"[\u3040-\u30ff\u4e00-\u9fff\U00020000-\U0002ffff]|[^\u3040-\u30ff\u4e00-\u9fff\U00020000-\U0002ffff]+", run)]  # fmt: skip  # noqa: E501
    assert list(zip(found.texts.tolist(), strings(texts, found.starts, found.ends), strict=True)) == expected


def test_equal_words_have_equal_hashes_and_others_do_not(texts):
    found = words(Texts(texts))
    by_hash, by_word = {}, {}
    for hashed, word in zip(found.hashes.tolist(), strings(texts, found.starts, found.ends), strict=True):
        by_hash.setdefault(hashed, set()).add(word.lower())
        by_word.setdefault(word.lower(), set()).add(hashed)
    assert all(len(one) == 1 for one in (*by_hash.values(), *by_word.values()))


@pytest.mark.parametrize("length", [1, 2, 5])
def test_shingles_stay_within_their_text(length):
    few = ["a b c d e f", "a b", "", "b c d e f g", "x"]
    hashes, numbers = words(Texts(few)).shingles(length)
    counted = Counter(numbers.tolist())
    for number, text in enumerate(few):
        count = len(text.split())
        assert counted[number] == (max(1, count - length + 1) if count else 0)
    if length == 5:
        first = [set(hashes[numbers == number].tolist()) for number in (0, 3)]
        assert len(first[0] & first[1]) == 1  # b c d e f


def test_a_hash_is_that_of_what_stands_there_wherever_it_stands():
    arrays = Texts(["abc", "xxabcxx", "abd", "a" * 5000 + "abc"])
    hasher = Hasher(arrays.codes)
    places = arrays.starts + np.array([0, 2, 0, 5000])
    hashes = hasher.of(places, places + 3).tolist()
    assert hashes[0] == hashes[1] == hashes[3] != hashes[2]
    assert len(windows(np.arange(10, dtype=np.uint64), 4)) == 7
    assert len(windows(np.arange(3, dtype=np.uint64), 4)) == 0


def test_hashes_do_not_depend_on_how_much_is_summed_at_once(monkeypatch):
    arrays = Texts(TEXTS)
    whole = words(arrays).hashes
    monkeypatch.setattr("aictl.data.arrays.hashing._AT_ONCE", 100)
    assert np.array_equal(whole, words(Texts(TEXTS)).hashes)


def test_lines_and_paragraphs(texts):
    found = lines(Texts(texts))
    expected = [(number, line) for number, text in enumerate(texts) for line in text.split("\n")]
    assert list(zip(found.texts.tolist(), strings(texts, found.starts, found.ends), strict=True)) == expected
    stripped = found.stripped(Texts(texts))
    assert strings(texts, stripped.starts, stripped.ends) == [line.strip() for _, line in expected]
    found = paragraphs(Texts(texts))
    expected = [(number, part) for number, text in enumerate(texts) for part in re.split(r"\n{2,}", text.strip())]
    assert list(zip(found.texts.tolist(), strings(texts, found.starts, found.ends), strict=True)) == expected


def test_repeats_are_those_after_the_first_of_the_same_text():
    texts = ["a b a c a", "a", "b b", ""]
    found = words(Texts(texts))
    again = repeated(found.hashes, found.texts)
    assert again.tolist() == [False, False, True, False, True, False, False, True]
    grouped = groups(found.hashes, found.texts)
    assert sorted(zip(grouped.first.tolist(), grouped.counts.tolist(), grouped.texts.tolist(), strict=True)) == [
        (0, 3, 0),
        (6, 2, 2),
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("It works, doesn't it?", ["It", "works", ",", "does", "n't", "it", "?"]),
        ('("quoted")...', ["(", '"', "quoted", '"', ")", "..."]),
        (
            "well-known a,b x=y and/or 3.5 e.End",
            ["well", "-", "known", "a", ",", "b", "x", "=", "y", "and", "/", "or", "3.5", "e", ".", "End"],
        ),
        ("see https://a.example/x-y?z=1.", ["see", "https://a.example/x-y?z=1", "."]),
        ("U.S. NASA. $5.00 10% +1 C++", ["U.S.", "NASA", ".", "$", "5.00", "10", "%", "+1", "C++"]),
        ("it's they're we'll I'm", ["it", "'s", "they", "'re", "we", "'ll", "I", "'m"]),
        ("“Curly” — dash… • dot", ["“", "Curly", "”", "—", "dash", "…", "•", "dot"]),
        ("def f(self): return :) (a=(b))", ["def", "f(self", "):", "return", ":)", "(", "a=(b", ")", ")"]),
        (
            "[x](https://a.example/b/c-d), <https://a.example/b/c-d>.",
            [
                "[",
                "x](https://a.example",
                "/",
                "b",
                "/",
                "c",
                "-",
                "d",
                ")",
                ",",
                "<",
                "https://a.example/b/c-d",
                ">",
                ".",
            ],
        ),
        ("foo.bar(baz) --flag *** 10-20", ["foo.bar(baz", ")", "--flag", "*", "*", "*", "10", "-", "20"]),
    ],
)
def test_tokens_are_words_and_the_marks_around_them(text, parts):
    found = tokens(Texts(["before it", text, "after it"]))
    own = found.texts == 1
    assert strings(["before it", text, "after it"], found.starts[own], found.ends[own]) == parts


def test_tokens_leave_out_nothing_but_white_space(texts):
    found = tokens(Texts(texts))
    for number, text in enumerate(texts):
        own = found.texts == number
        assert "".join(strings(texts, found.starts[own], found.ends[own])) == "".join(text.split())


def test_a_view_works_each_thing_out_once():
    view = View(["some words"])
    assert view.words is view.words
    assert view.tokens is view.tokens
    assert view.per_text(view.words.texts).tolist() == [2]

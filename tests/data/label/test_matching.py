"""Patterns and keywords: what they find in any script, and that nothing makes them slow."""

from __future__ import annotations

import pytest

from aictl.core.errors import BadInput
from aictl.data.label.matching import steps_of


def votes(voter, *texts: str) -> list[int]:
    return voter.vote(texts, 0).tolist()


def test_a_pattern_is_found_anywhere(open_one):
    voter = open_one("kind = 'regex'\nlabel = 'alarm'\npattern = '\\bset\\b.+alarm'")
    assert votes(voter, "please set an alarm", "reset an alarm", "Set an alarm", "", "set\nalarm") == [
        1,
        -1,
        -1,
        -1,
        -1,
    ]
    voter = open_one("kind = 'regex'\nlabel = 'alarm'\npattern = 'set'\nignore_case = true")
    assert votes(voter, "SET", "unset") == [1, 1]


def test_keywords_are_whole_words_of_any_script(open_one):
    words = "['rain', 'ice cream', 'C++', 'café', 'дождь', '.5', 'naïve_x']"
    voter = open_one(f"kind = 'keywords'\nlabel = 'weather'\nkeywords = {words}")
    found = ["Rain!", "the rain", "ice \n cream", "in c++, yes", "CAFÉ au lait", "Идёт дождь.", "a .5"]
    missed = ["train", "rainy", "rain2", "icecream", "c+", "cafés", "дождьи", "rain_x"]
    assert votes(voter, *found) == [0] * len(found)
    assert votes(voter, *missed) == [-1] * len(missed)
    exact = open_one("kind = 'keywords'\nlabel = 'weather'\nkeywords = ['Rain']\nignore_case = false")
    assert votes(exact, "Rain", "rain") == [0, -1]


def test_keywords_are_taken_in_the_form_that_text_is_in(open_one):
    voter = open_one("kind = 'keywords'\nlabel = 'weather'\nkeywords = ['cafe\u0301']")
    assert votes(voter, "un café") == [0]


@pytest.mark.parametrize(
    ("pattern", "said", "cure"),
    [
        ("(rain", "pattern: unclosed group, at character 1", "mend the pattern"),
        ("rain[", "pattern: unclosed character class, at character 5", "mend"),
        ("(?=rain)", "look-around, including look-ahead and look-behind, is not supported", "kind python"),
        (r"(a)\1", "backreferences are not supported, at character 4", "kind python"),
        (r"\w{1000}\w{999}", "size limit", "shorten"),
    ],
)
def test_what_does_not_compile_is_refused_with_its_place(open_one, pattern, said, cure):
    with pytest.raises(BadInput) as told:
        open_one(f"kind = 'regex'\nlabel = 'alarm'\npattern = '{pattern}'")
    assert said in told.value.message and "labels.toml, line 5, [functions.one]" in told.value.message
    assert cure in told.value.cure


@pytest.mark.parametrize(
    ("pattern", "steps"),
    [
        ("abc", 3), ("(ab{3}){5}", 20), (r"\w{1,40}", 40), (r"(?:[a-z ]{0,100}){100}x", 10_001), (r"a{2,}b", 3),
        (r"\p{L}{7}", 7), (r"\{9\}", 3), (r"[{9}()\]]{4}", 4), ("a*b+c?|d", 4), (")a{3}", 4),
        ("((((x{9}){9}){9}){9})", 6561),
    ],
)  # fmt: skip
def test_the_steps_of_a_pattern(pattern, steps):
    assert steps_of(pattern) == steps


def test_repetitions_inside_repetitions_are_bounded(open_one):
    for pattern in ("(?:[a-z ]{0,100}){100}x", "((a{50}){50}){2}"):
        with pytest.raises(BadInput, match="its repetitions make .* steps of it, and 2,000 are allowed"):
            open_one(f"kind = 'regex'\nlabel = 'alarm'\npattern = '{pattern}'")


def test_ten_thousand_keywords(open_one):
    words = ", ".join(f"'word{number} of many'" for number in range(10_000))
    voter = open_one(f"kind = 'keywords'\nlabel = 'weather'\nkeywords = [{words}]")
    assert votes(voter, "here is word9999 of many", "word9999 of few") == [0, -1]


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*a){20}b", "^(([a-z])+.)+[A-Z]([a-z])+$", r"(\w+\s?)+\$"])
def test_no_pattern_backtracks(open_one, pattern):
    """Each of these would keep an engine that backtracks for longer than anybody waits: it is enough to
    come back."""
    voter = open_one(f"kind = 'regex'\nlabel = 'alarm'\npattern = '{pattern}'")
    assert votes(voter, "a" * 50_000 + "!") == [-1]

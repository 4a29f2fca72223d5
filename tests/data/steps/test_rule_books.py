"""Gopher's and FineWeb's rules against the same rules in plain Python, text by text; C4's by its examples."""

from __future__ import annotations

import pydoc_data.topics
import re
import statistics
from collections import Counter
from pathlib import Path

import pytest

from aictl.data.arrays.view import View
from aictl.data.steps import c4, fineweb, gopher, gopher_repetition

PROSE = (
    "The quick brown fox jumps over the lazy dog, and that is what the people of the town have to say about it. "
    "To be sure, nobody with any sense would believe that a fox could jump so high. But the dog was lazy. "
)


def real_texts():
    topics = [text.strip() for _, text in sorted(pydoc_data.topics.topics.items())]
    library = sorted(Path(re.__file__).parent.parent.glob("[a-j]*.py"))
    sources = [path.read_text("utf-8")[:8000].strip() for path in library]
    lists = ["\n".join(f"- item {number} of them" for number in range(40)), "it is so ...\n" * 60, "# " * 90, PROSE * 6]
    lists += ["supercalifragilistic expialidocious " * 40, "no stop words here at all, none whatsoever " * 12]
    lists += [f"{PROSE * 2}\n" + "\n".join(f"Row {number}." for number in range(20)), "the dots ... and ... so " * 30]
    lists += [
        "\n".join(f"Line {number} is here, and it ends." for number in range(60)),
        f"{PROSE * 3}\nso it goes ...\nand on ...",
    ]
    repeats = [f"line {number % 3} of a text\n\n" * 40 for number in range(3)] + [PROSE * 2 + "word word word " * 80]
    return [*topics, *sources, *lists, *repeats, "short", ""]


TEXTS = [text for text in real_texts() if text]
VIEW = View(TEXTS)


def token_strings():
    joined = "\n".join(TEXTS)
    found = [[] for _ in TEXTS]
    tokens = VIEW.tokens
    for start, end, text in zip(tokens.starts.tolist(), tokens.ends.tolist(), tokens.texts.tolist(), strict=True):
        found[text].append(joined[start:end])
    return found


TOKENS = token_strings()
LISTED = set("!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»")


def by_gopher(text, words):
    telling = [word for word in words if any(letter not in LISTED for letter in word)]
    if len(telling) < 50:
        return "too few words"
    if len(telling) > 100_000:
        return "too many words"
    mean = statistics.mean(map(len, telling))
    if not 3 <= mean <= 10:
        return "short words" if mean < 3 else "long words"
    if text.count("#") / len(words) > 0.1:
        return "many hash signs"
    if (text.count("...") + text.count("…")) / len(words) > 0.1:
        return "many ellipses"
    rows = [line.strip() for line in text.split("\n")]
    if sum(row.startswith(("-", "•")) for row in rows) / len(rows) > 0.9:
        return "bullet points"
    if sum(row.endswith(("...", "…")) for row in rows) / len(rows) > 0.3:
        return "unfinished lines"
    if sum(any(map(str.isalpha, word)) for word in words) / len(words) < 0.8:
        return "words without letters"
    return "no stop words" if len(set(words) & set(gopher.STOP_WORDS)) < 2 else None


def again(parts):
    seen, count, characters = set(), 0, 0
    for part in parts:
        if part in seen:
            count, characters = count + 1, characters + len(part)
        seen.add(part)
    return count, characters


def by_repetition(text, words):
    for what, parts in (
        ("paragraphs", re.split(r"\n{2,}", text.strip())),
        ("lines", [line for line in text.split("\n") if line]),
    ):
        count, characters = again(parts)
        if count / len(parts) > 0.3:
            return f"repeated {what}"
        if characters / len(text) > 0.2:
            return f"characters in repeated {what}"
    for length, most in ((2, 0.2), (3, 0.18), (4, 0.16)):
        sequences = [" ".join(words[at : at + length]) for at in range(len(words) - length + 1)]
        if sequences:
            top, count = Counter(sequences).most_common(1)[0]
            if len(top) * count / len(text) > most:
                return f"one sequence of {length} words"
    for length, most in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10)):
        seen, at, characters = set(), 0, 0
        while at <= len(words) - length:
            sequence = tuple(words[at : at + length])
            if sequence in seen:
                characters, at = characters + sum(map(len, sequence)), at + length
            else:
                seen.add(sequence)
                at += 1
        if characters / len(text) > most:
            return f"repeated sequences of {length} words"
    return None


def by_fineweb(text, words):
    rows = [line for line in text.split("\n") if line.strip()]
    if sum(row.endswith((".", "!", "?")) for row in rows) / len(rows) < 0.12:
        return "unfinished lines"
    if sum(len(row) <= 30 for row in rows) / len(rows) > 0.67:
        return "short lines"
    if again(rows)[1] / len(text.replace("\n", "")) > 0.01:
        return "repeated lines"
    return "a list" if text.count("\n") / len(words) > 0.3 else None


@pytest.mark.parametrize(
    ("book", "plain", "rules"),
    [(gopher, by_gopher, 8), (gopher_repetition, by_repetition, 9), (fineweb, by_fineweb, 4)],
    ids=["gopher", "repetition", "fineweb"],
)
def test_a_rule_book_is_the_one_in_plain_python(book, plain, rules):
    verdicts = book.judge(VIEW).names()
    expected = [plain(text, words) for text, words in zip(TEXTS, TOKENS, strict=True)]
    assert verdicts == expected
    assert len(set(expected)) >= rules, "the texts break many of the rules"
    assert None in expected, "and some break none"


@pytest.mark.parametrize("book", [gopher, gopher_repetition, fineweb])
def test_blocks_of_nothing_are_judged_too(book):
    assert list(book.judge(View([])).names()) == []
    once = PROSE.strip()
    assert book.judge(View(["", f"{once}\n{once[:90]}", "", once])).names()[3] == book.judge(View([once])).names()[0]


def test_c4_keeps_sentences_and_drops_lines_that_are_none():
    page = [PROSE.strip(), "Menu", "Too short.", "We use cookies on this page.", "Please enable JavaScript now.", PROSE.strip() + "[3]."]  # fmt: skip  # noqa: E501
    text, reason, lines = c4.clean("\n".join(page))
    assert reason is None
    assert text.split("\n") == [PROSE.strip(), PROSE.strip() + "."]
    assert lines == {"unfinished line": 1, "few words in a line": 1, "policy": 1, "javascript": 1}


@pytest.mark.parametrize(
    ("added", "reason"),
    [
        ("\nif (x) { y = 1; }.", None),
        ('\nThis line of code is { "kept": 1 } here.', "curly bracket"),
        ("\nLorem ipsum dolor sit amet.", "lorem ipsum"),
    ],
)
def test_c4_drops_pages_of_code_and_filler(added, reason):
    text, found, _ = c4.clean(PROSE * 2 + added)
    assert found == (reason or ("curly bracket" if "{" in added else None))
    if found:
        assert text == PROSE * 2 + added, "what is dropped is shown as it was"


def test_c4_wants_five_sentences_and_no_monster_words():
    assert c4.clean("One sentence is here. And here another one.")[1] == "few sentences"
    _, _, lines = c4.clean(PROSE * 2 + "\n" + "x" * 1200 + " is a word.")
    assert lines == {"long word": 1}

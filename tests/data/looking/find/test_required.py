"""What must stand in every match of an expression: never more than is so."""

from __future__ import annotations

import random

import pytest
import re2

from aictl.data.looking.find.required import required


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("hello", "hello"),
        ("hello world", "hello world"),
        (r"\bhello\b", "hello"),
        (r"foo\(bar\)", "foo(bar)"),
        ("colou?r", "colo"),
        ("abc+def", "abc"),
        ("abcd*efg", "abc"),
        ("abc{2}defg", "defg"),
        ("abcd{0,3}ef", "abc"),
        ("x[abc]+hello", "hello"),
        ("[]abc]hello[^]x]", "hello"),
        ("[[:alpha:]]+hello", "hello"),
        ("(a|b)hello(c|d)?", "hello"),
        ("(?:optional)?hello", "hello"),
        ("(?P<name>[a-z]+)@example", "@example"),
        (r"hello.*goodbye\.$", "goodbye."),
        ("(a(b[)]c)d)hello", "hello"),
    ],
)
def test_the_longest_text_is_found(expression, text):
    assert required(expression) == text


@pytest.mark.parametrize(
    "expression",
    [
        "hello|world",
        "(?i)hello",
        r"\Qhello\E",
        r"\x68ello",
        r"\pN",
        "a{b",
        "ab",
        ".*",
        "(hello",
        "[hello",
        "(?i:hello)",
    ],
)
def test_what_is_not_sure_is_not_said(expression):
    assert required(expression) is None


def test_it_stands_in_every_match():
    """Expressions at random from a small grammar, tried on texts at random."""
    maker = random.Random(0)
    said = matched = 0
    for _ in range(3000):
        expression = made(maker, 3)
        try:
            compiled = re2.compile(expression)
        except re2.error:
            continue
        text = required(expression)
        if text is None:
            continue
        said += 1
        for _ in range(20):
            tried = "".join(maker.choice("abc.(") for _ in range(maker.randint(3, 30)))
            if compiled.search(tried):
                matched += 1
                assert text in tried, expression
    assert said > 300 and matched > 100


def made(maker: random.Random, depth: int) -> str:
    parts = []
    for _ in range(maker.randint(1, 4)):
        kind = maker.randrange(8 if depth else 5)
        if kind < 3:
            part = "".join(maker.choice("abc") for _ in range(maker.randint(1, 4)))
        elif kind == 3:
            part = maker.choice(["[abc]", "[^a]", r"\.", r"\(", ".", r"\b", r"\w"])
        elif kind == 4:
            part = maker.choice("abc")
        elif kind == 5:
            part = f"({made(maker, depth - 1)})"
        elif kind == 6:
            part = f"(?:{made(maker, depth - 1)}|{made(maker, depth - 1)})"
        else:
            part = made(maker, depth - 1)
        parts.append(part + maker.choice(["", "", "", "?", "*", "+", "{2}", "{0,1}", "+?"]))
    return "".join(parts)

"""Words, domains and URL patterns that block a text."""

from __future__ import annotations

import random

import pytest

from aictl.core.errors import BadInput
from aictl.data.steps.blocklist import Blocklist, Rule, english, read_list


def word(entry):
    return Rule("word", entry)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a bad day", "bad"),
        ("BAD!", "bad"),
        ("(bad)", "bad"),
        ("bad", "bad"),
        ("“bad”", "bad"),
        ("badly abad bad_bad2", None),
        ("forbaden", None),
        ("a very bad\nidea", "bad"),
        ("very worst thing", "very worst"),
        ("every worst", None),
        ("STRASSE der straße", "strasse"),
        ("ΚΑΚΌΣ", "κακόσ"),
        ("これは馬鹿です", "馬鹿"),
        ("", None),
    ],
)
def test_words_stand_alone_in_any_case(text, wanted):
    words = ["bad", "Very  Worst", "straße", "κακός", "馬鹿"]
    assert Blocklist(words).blocked([text]) == [word(wanted) if wanted else None]


def test_a_longer_word_that_is_cut_off_does_not_hide_a_shorter_one():
    assert Blocklist(["foo", "foo bar"]).blocked(["foo bars", "foo bar"]) == [word("foo")] * 2


def test_so_many_in_a_thousand_words_are_let_through():
    text = "fine " * 999 + "bad"
    assert Blocklist(["bad"]).blocked([text]) == [word("bad")]
    assert Blocklist(["bad"], per_thousand=1).blocked([text, text + " bad", "bad"]) == [None, word("bad"), word("bad")]
    assert Blocklist(["坏"], per_thousand=100).blocked(["好" * 1000 + "坏", "坏" * 1000]) == [None, word("坏")]


def test_domains_block_what_lies_below_them():
    blocked = Blocklist(domains=["bad.example", "evil.org."])
    for url in (
        "https://bad.example/x",
        "http://u:p@www.BAD.example:80/",
        "evil.org",
        "//a.b.evil.org?q",
        "https://evil.org./",
    ):
        assert blocked.of_url(url), url
    for url in ("https://notbad.example/", "https://good.org/bad.example", "https://example", "", "mailto:x@y.z"):
        assert blocked.of_url(url) is None, url


def test_url_patterns_are_pieces_in_order():
    blocked = Blocklist(url_patterns=["/adult/", "Casino*bonus", "*"])
    assert blocked.of_url("https://a.org/ADULT/1") == Rule("url", "/adult/")
    assert blocked.of_url("https://casino.org/the/bonus") == Rule("url", "Casino*bonus")
    assert blocked.of_url("https://bonus.org/casino") is None
    assert blocked.of_url("https://a.org/") is None


def test_a_text_s_own_url_blocks_it_outright_and_links_count_as_hits():
    blocked = Blocklist(domains=["bad.example"], per_thousand=10)
    texts = [
        "all fine",
        "word " * 200 + "see https://bad.example/a",
        "see www.bad.example/x and go",
        "x@www.bad.example",
    ]
    assert blocked.blocked(texts) == [None, None, Rule("domain", "bad.example"), None]
    assert blocked.blocked(texts[:1], ["http://bad.example"]) == [Rule("domain", "bad.example")]


def test_nothing_blocks_nothing():
    assert Blocklist().blocked(["anything https://x.org"], ["https://x.org"]) == [None]


def test_many_words_give_what_a_loop_over_them_gives():
    r = random.Random(3)
    words = ["".join(r.choice("abcde") for _ in range(r.randrange(2, 6))) for _ in range(3000)]
    texts = [
        " ".join("".join(r.choice("abcdef") for _ in range(r.randrange(2, 7))) for _ in range(8)) for _ in range(500)
    ]
    got = Blocklist(words).blocked(texts)
    known = set(words)
    assert [bool(rule) for rule in got] == [not known.isdisjoint(text.split()) for text in texts]
    assert all(rule is None or rule.entry in text.split() for rule, text in zip(got, texts, strict=True))
    assert 50 < sum(map(bool, got)) < 500


def test_lists_are_read_as_people_keep_them(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("# mine\nbad\n\n  very worst # both\n0.0.0.0 ads.example\n127.0.0.1\tmore.example\nc#\n")
    assert read_list(path) == ["bad", "very worst", "ads.example", "more.example", "c#"]


@pytest.mark.parametrize("content", [b"", b"# nothing\n\n", b"\xff\xfe"])
def test_a_list_without_entries_is_refused(tmp_path, content):
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="list.txt"):
        read_list(path)
    with pytest.raises(BadInput, match="No such file"):
        read_list(tmp_path / "absent")


def test_the_english_list_is_whole_and_says_whose_it_is():
    words = english()
    assert len(words) == 403
    assert not [one for one in words if one.startswith("#")]
    assert Blocklist(words).blocked(["Scunthorpe, class, assess", "what an ass"]) == [None, word("ass")]


@pytest.mark.parametrize("unit", ["bad ", "://", "www.", "https://bad.example/" + "a*" * 50 + " ", "ba"])
def test_hostile_text_ends(unit):
    blocked = Blocklist(["bad"], ["worse.example"], ["a*b*c*d*e*f"], per_thousand=1000)
    assert len(blocked.blocked([unit * (200_000 // len(unit))])) == 1

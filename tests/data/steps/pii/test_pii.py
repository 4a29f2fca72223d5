"""Personal data is found by its rules, and what only looks like it is left."""

from __future__ import annotations

import pytest
from tests.bench import personal_data

from aictl.data.steps import pii

COUNT = 200  # texts of each kind


@pytest.fixture(scope="module")
def texts():
    return [*personal_data.positives(COUNT, seed=2024), *personal_data.negatives(COUNT, seed=2025)]


def test_the_goals_hold_on_texts_whose_data_is_known(texts):
    scores = personal_data.score(pii.find, texts)
    assert scores["all"].recall >= 0.99
    assert scores["all"].precision >= 0.98
    for kind in pii.KINDS:
        assert scores[kind].there >= COUNT
        assert scores[kind].recall >= 0.98, kind
        assert scores[kind].precision >= 0.97, kind


def test_the_goals_can_be_missed(texts):
    """Without check digits and without telephone numbers they would be."""
    blind = personal_data.score(lambda text: pii.find(text, [kind for kind in pii.KINDS if kind != "phone"]), texts)
    assert blind["all"].recall < 0.9
    rash = personal_data.score(lambda text: [*pii.find(text), (0, len(text), "card")], texts)
    assert rash["all"].precision < 0.9


def test_scrubbing_twice_finds_nothing_more(texts):
    for text in texts:
        once, counts = pii.scrub(text.text)
        assert pii.scrub(once) == (once, {})
        assert counts.total() >= len(text.spans) or text.form in ("IP",)


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("", ""),
        ("Nothing to see here: 1, 2, 3.", "Nothing to see here: 1, 2, 3."),
        ("Grüße an jürgen@web.de, 4111 1111 1111 1111!", "Grüße an <EMAIL>, <CARD>!"),
        ("日本語のメール：taro@example.co.jp。", "日本語のメール：<EMAIL>。"),
        ("O'Hara <sean.o'hara@mail.ie>, <mailto:x@y.org>", "O'Hara <<EMAIL>>, <mailto:<EMAIL>>"),
        ("git clone git@github.com:a/b.git", "git clone git@github.com:a/b.git"),
        ("https://me:S3cr3t-pass@host.org/x", "https://me:<KEY>@host.org/x"),
        ("postgres://user:password@host/db", "postgres://user:password@host/db"),
        ("IBAN DE89 3704 0044 0532 0130 00 BIC COBADEFF", "IBAN <IBAN> BIC COBADEFF"),
        ("GB82WEST12345698765432.", "<IBAN>."),
        ("GB83WEST12345698765432.", "GB83WEST12345698765432."),
        ("ping 8.8.8.8 and 10.0.0.1", "ping <IP> and 10.0.0.1"),
        ("http://93.184.216.34:8080/x", "http://<IP>:8080/x"),
        ("section 23.32.45.67, Chrome/91.0.44.124", "section 23.32.45.67, Chrome/91.0.44.124"),
        ("[2a02:908:1b1:9a00::7]:443", "[<IP>]:443"),
        ("x[1::2], std::abs, fe80::1, 2001:db8::1", "x[1::2], std::abs, fe80::1, 2001:db8::1"),
        ("call (617) 542-5942 or 1-800-292-9263", "call <PHONE> or <PHONE>"),
        ("+49 (0)30 901820, 030/901820, 0049 30 901820", "<PHONE>, <PHONE>, <PHONE>"),
        ("Tél. : 01\u00a042\u00a068\u00a053\u00a000", "Tél. : <PHONE>"),
        ("电话13800138000", "电话<PHONE>"),
        ("13800138000 items", "13800138000 items"),
        ("Boston, MA 02110-1301 USA", "Boston, MA 02110-1301 USA"),
        ("SSN 123-45-6789; not 000-12-3456", "SSN <NATIONAL_ID>; not 000-12-3456"),
        ("BSN 111222333, order 111222333", "BSN <NATIONAL_ID>, order 111222333"),
        ("NIR 1 85 05 2A 123 456 33", "NIR <NATIONAL_ID>"),
        ("password = 'hunter2', token: next_token", "password = 'hunter2', token: next_token"),
        ('"api_key": "9f8Ab3kQ0zX7mN2pL5vR"', '"api_key": "<KEY>"'),
        ("AKIAIOSFODNN7EXAMPLE.", "<KEY>."),
        ("AKIAIOSFODNN8EXAMPLE.", "AKIAIOSFODNN8EXAMPLE."),  # 0, 1, 8 and 9 never occur in one
    ],
)
def test_each_rule_by_example(text, scrubbed):
    assert pii.scrub(text)[0] == scrubbed


def test_counts_are_by_kind_and_kinds_can_be_left_out():
    text = "a@b.org, c@d.org and +1 202 555 0143"
    assert pii.scrub(text) == ("<EMAIL>, <EMAIL> and <PHONE>", {"email": 2, "phone": 1})
    assert pii.scrub(text, ["phone"]) == ("a@b.org, c@d.org and <PHONE>", {"phone": 1})
    assert pii.scrub(text, []) == (text, {})
    with pytest.raises(ValueError, match="names"):
        pii.scrub(text, ["names"])


def test_private_addresses_are_taken_where_all_are_wanted():
    text = "192.168.17.40, fe80::1ff:fe23:4567:890a, 2001:db8::1, 127.0.0.1:80"
    assert pii.scrub(text, ip_ranges="all")[0] == "<IP>, <IP>, <IP>, <IP>:80"


def test_regions_decide_which_numbers_without_a_country_are_telephones():
    text = "ring 0412 345 678"
    assert pii.scrub(text, regions=["AU"])[0] == "ring <PHONE>"
    assert pii.scrub(text, regions=["US"])[0] == text


def test_what_a_word_announces_goes_before_what_digits_may_mean():
    """The number passes as a Brazilian CPF too."""
    assert pii.scrub("CPF 11144477735")[0] == "CPF <NATIONAL_ID>"
    assert pii.scrub("mobile: 01212348867")[0] == "mobile: <PHONE>"


def test_a_private_key_goes_as_a_whole_also_where_it_is_cut_off():
    lines = "\n".join(["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ"] * 12)
    whole = f"before\n-----BEGIN RSA PRIVATE KEY-----\n{lines}\n-----END RSA PRIVATE KEY-----\nafter"
    assert pii.scrub(whole) == ("before\n<KEY>\nafter", {"key": 1})
    assert pii.scrub(whole[: whole.index(lines) + 51 * 5])[0] == "before\n<KEY>\n"
    assert pii.scrub("the line -----BEGIN PRIVATE KEY----- begins one")[1] == {}


@pytest.mark.parametrize(
    "unit",
    ["0", "1 ", "@", "a@b.", ":", "1::2 ", "A0 ", "eyJ", "://a:b", "token=", "+1 (", "(0", "255.255.255.255 ", "0 1-",
     "-----BEGIN PRIVATE KEY-----\n", "AA00 ", "é@é.com ", "4111 1111 1111 1111 ", "tel 0"],
)  # fmt: skip
def test_hostile_text_ends(unit):
    """Each is as long as a page and made so that a pattern could run away on it: the time would be hours."""
    text = unit * (100_000 // len(unit))
    scrubbed, _ = pii.scrub(text)
    assert len(scrubbed) <= len(text)

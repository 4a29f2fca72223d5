"""The steps that an option switches on: languages, block lists, personal data, mojibake, old encodings, tokens."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.tokenizing.conftest import write_folder

from aictl.artifacts.dataset import TOKENS
from aictl.artifacts.tokenizer import Tokenizer
from aictl.core.errors import BadInput, BadRequest, NotFound
from aictl.core.events import Events
from aictl.data.prep.spec import PII_KINDS
from aictl.data.steps import pii
from aictl.tokenizing.byte_bpe import learn
from aictl.tokenizing.folder import TokenizerFolder
from aictl.tokenizing.shards import read

GERMAN = "Am nächsten Morgen regnete es immer noch, und niemand wollte das warme Haus verlassen."
FRENCH = "Le lendemain matin, il pleuvait encore et personne ne voulait quitter la maison."
ENGLISH = "The next morning it was still raining, and nobody wanted to leave the warm house."
NOTHING = "0x3f 0x7a 0x11 9931 22.1 0x00 0x3f 0x7a 0x11 9931 22.1 0x00"


def lines(*texts, **more):
    return "\n".join(json.dumps({"text": text, **more}) for text in texts)


def step(dataset, name):
    return next(one for one in dataset.metrics["steps"] if one["step"] == name)


def examples(dataset, name):
    return json.loads((dataset.folder / "examples.json").read_text())[name]


def texts(documents):
    return sorted(one["text"] for one in documents)


# Languages


def test_documents_of_other_languages_are_dropped(write, prep, everything):
    write("a.jsonl", lines(GERMAN, FRENCH, ENGLISH, NOTHING))
    dataset = prep(languages=["de,en"])
    assert texts(everything(dataset)) == sorted([GERMAN, ENGLISH])
    assert step(dataset, "language")["dropped"] == {"fr": 1, "und": 1}
    assert step(dataset, "language")["found"] == {"de": 1, "en": 1}
    assert {one["reason"]: one["text"] for one in examples(dataset, "language")} == {"fr": FRENCH, "und": NOTHING}


def test_languages_may_just_be_counted(write, prep):
    write("a.jsonl", lines(GERMAN, FRENCH, ENGLISH))
    dataset = prep(languages=["any"])
    assert step(dataset, "language")["found"] == {"de": 1, "en": 1, "fr": 1}
    assert step(dataset, "language")["dropped"] == {}


def test_a_language_that_nobody_knows_is_refused_before_anything_is_read(write, prep):
    write("a.jsonl", lines(GERMAN))
    with pytest.raises(BadRequest, match="no language has the code deu, english"):
        prep(languages=["english", "deu"])


# Block lists


def test_words_of_a_list_block_a_document(write, prep, everything, tmp_path):
    write("a.jsonl", lines(ENGLISH, GERMAN))
    (tmp_path / "words").write_text("# mine\nwarm   house\n")
    dataset = prep(block_words=[tmp_path / "words"], validation_fraction=0)
    assert texts(everything(dataset)) == [GERMAN]
    assert step(dataset, "blocked")["dropped"] == {"a blocked word": 1}


def test_a_document_may_have_a_few_hits(write, prep, tmp_path):
    write("a.jsonl", lines(f"{ENGLISH} {GERMAN} {FRENCH}", f"{GERMAN} regnete"))
    (tmp_path / "words").write_text("raining\nregnete\n")
    dataset = prep(block_words=[tmp_path / "words"], blocked_per_thousand=50, validation_fraction=0)
    assert step(dataset, "blocked")["dropped"] == {"a blocked word": 1}
    with pytest.raises(BadInput, match="2 were dropped by blocked"):
        prep(block_words=[tmp_path / "words"])


def test_where_a_document_is_from_blocks_it_and_where_it_links_to(write, prep, everything, tmp_path):
    write("a.jsonl", lines(ENGLISH, url="https://www.bad.example/x") + "\n" + lines(f"{GERMAN} https://bad.example/y"))
    write("b.csv", f'text,url\n"{FRENCH}",https://good.example/ads/1\n"{FRENCH} Encore.",https://good.example/1\n')
    write("c.jsonl", lines(NOTHING, where="http://bad.example"))
    (tmp_path / "urls").write_text("0.0.0.0 bad.example\ngood.example/ads/*\n")
    dataset = prep(block_urls=[tmp_path / "urls"])
    assert texts(everything(dataset)) == sorted([f"{FRENCH} Encore.", NOTHING])
    assert step(dataset, "blocked")["dropped"] == {"a blocked domain": 2, "a blocked url": 1}
    other = prep(block_urls=[tmp_path / "urls"], url_field="where", include=["c.jsonl", "b.csv"])
    assert NOTHING not in texts(everything(other))


def test_a_document_keeps_its_url(write, prep, everything):
    write("a.jsonl", lines(ENGLISH, url="https://good.example/x") + "\n" + lines(GERMAN, url=7))
    dataset = prep()
    found = {one["text"]: one.get("url") for one in everything(dataset)}
    assert found == {ENGLISH: "https://good.example/x", GERMAN: None}
    assert {one["text"]: one.get("url") for one in everything(prep(dataset, min_chars=10))} == found


def test_the_english_list(write, prep, everything):
    write("a.jsonl", lines(ENGLISH, f"{GERMAN} What the fuck?"))
    assert len(everything(prep())) == 2
    dataset = prep(profanity="drop", validation_fraction=0)
    assert texts(everything(dataset)) == [ENGLISH]


def test_a_list_that_holds_nothing(write, prep, tmp_path):
    write("a.jsonl", lines(ENGLISH))
    (tmp_path / "words").write_text("# nothing\n")
    with pytest.raises(BadInput, match="holds no entries"):
        prep(block_words=[tmp_path / "words"])


# Personal data


SECRETS = ("ann.lee@mail.example.com", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "+49 30 901820")
PERSONAL = "Write to {} or pay with the card {} or from the account {} or call {} at noon.".format(*SECRETS)


def test_placeholders_stand_for_personal_data(write, prep, everything):
    write("a.jsonl", lines(PERSONAL, ENGLISH))
    dataset = prep(pii=["all"])
    scrubbed = "Write to <EMAIL> or pay with the card <CARD> or from the account <IBAN> or call <PHONE> at noon."
    assert texts(everything(dataset)) == sorted([scrubbed, ENGLISH])
    assert step(dataset, "personal data")["found"] == {"card": 1, "email": 1, "iban": 1, "phone": 1}
    assert step(dataset, "personal data")["changed"] == {"scrubbed": 1}
    some = prep(pii=["email,card"])
    assert step(some, "personal data")["found"] == {"card": 1, "email": 1}


def test_nothing_that_is_written_or_told_holds_personal_data(write, prep):
    """Not what a step before dropped, nor what was mended, nor near-duplicates."""
    some = (f"{PERSONAL} fuck", f"{PERSONAL} {FRENCH}", PERSONAL, f"{PERSONAL} Ever.", "GrÃ¼ÃŸe " + PERSONAL)
    write("a.jsonl", lines(*some, f"{PERSONAL} 7", "@ # " * 50 + SECRETS[0]))
    told = []
    dataset = prep(
        events=Events(told.append), pii=["all"], profanity="drop", near_duplicates=0.7,
        languages=["en"], validation_fraction=0,
    )  # fmt: skip
    everything_there = b"".join(path.read_bytes() for path in dataset.folder.iterdir()).decode()
    for secret in SECRETS:
        assert secret not in everything_there + repr(told) + json.dumps(dataset.metrics)


def test_turns_of_a_conversation_are_scrubbed(write, prep, everything):
    write("a.jsonl", "\n".join(json.dumps({"prompt": PERSONAL, "completion": f"{n} {ENGLISH}"}) for n in range(4)))
    dataset = prep(pii=["email"])
    assert all("<EMAIL>" in one["messages"][0]["content"] for one in everything(dataset))
    assert step(dataset, "personal data")["found"] == {"email": 4}


def test_kinds_are_those_of_the_step():
    assert PII_KINDS == pii.KINDS


def test_countries_are_known_by_their_codes(write, prep, everything):
    write("a.jsonl", lines(f"{ENGLISH} Phone: 044 668 18 00", ENGLISH))
    for regions, is_known in ((["US"], False), (["US", "CH"], True)):
        assert ("<PHONE>" in repr(everything(prep(pii=["phone"], pii_regions=regions)))) == is_known
    with pytest.raises(BadRequest, match="no telephone numbers are known of XX"):
        prep(pii=["phone"], pii_regions=["XX"])


# Repair


def test_mojibake_is_mended_and_shown(write, prep, everything):
    broken = GERMAN.replace("Am", "Über Nacht: Grüße, Käse, Öl. Am").encode().decode("cp1252")
    write("a.jsonl", lines(broken, ENGLISH))
    dataset = prep()
    assert any("Grüße, Käse, Öl" in text and "nächsten" in text for text in texts(everything(dataset)))
    assert dataset.metrics["cleaned"]["mojibake"] == 1
    (shown,) = examples(dataset, "clean")
    assert (shown["reason"], shown["text"][:3], shown["became"][:3]) == ("mojibake", "Ãœb", "Übe")
    kept = prep(mojibake="keep")
    assert broken in texts(everything(kept))
    assert kept.metrics["cleaned"]["mojibake"] == 0


def test_old_encodings_are_found_out_on_request(write, prep, everything):
    write("a.txt", (GERMAN * 3).encode("latin-1"))
    write("b.html", f"<p>{FRENCH * 3} Été.</p>".encode("cp1252"))
    write("c.txt", ENGLISH)
    dataset = prep(max_rejected=0.9, validation_fraction=0)
    assert texts(everything(dataset)) == [ENGLISH]
    found = texts(everything(prep(unknown_encoding="detect")))
    assert found == sorted([GERMAN * 3, f"{FRENCH * 3} Été.", ENGLISH])


# Tokens


@pytest.fixture
def tokenizer(tmp_path) -> Tokenizer:
    write_folder(tmp_path / "tokenizer", learn([GERMAN, FRENCH, ENGLISH] * 20, 400))
    return Tokenizer(tmp_path / "tokenizer")


def test_documents_are_packed_as_tokens(write, prep, tokenizer):
    write("a.jsonl", lines(*(f"{ENGLISH} {GERMAN} {number}" for number in range(40))))
    dataset = prep(tokenizer=tokenizer, test_fraction=0.1)
    opened = TokenizerFolder(tokenizer.folder)
    for split, count in dataset.splits.items():
        tokens = read(dataset.folder / TOKENS, split)
        assert (tokens.documents, len(tokens)) == (count, dataset.metrics["tokens"][split])
        (shard,) = tokens.shards
        pieces = np.split(shard.tokens, shard.ends[:-1].astype(np.int64))
        decoded = [opened.library.decode(piece[:-1].tolist()) for piece in pieces]
        assert decoded == [one["text"] for one in dataset.documents(split)]
        assert {int(piece[-1]) for piece in pieces} == {opened.end_id}


def test_conversations_are_not_packed(write, prep, tokenizer):
    write("a.jsonl", "".join(json.dumps({"prompt": f"{n}?", "completion": f"{n}!"}) + "\n" for n in range(10)))
    with pytest.raises(BadRequest, match="conversations are not packed"):
        prep(tokenizer=tokenizer)


def test_a_folder_without_a_tokenizer(write, prep, tmp_path):
    write("a.jsonl", lines(ENGLISH, GERMAN))
    with pytest.raises(NotFound, match="no tokenizer.json"):
        prep(tokenizer=Tokenizer(tmp_path))

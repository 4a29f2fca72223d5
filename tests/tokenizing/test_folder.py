"""A tokenizer's folder is read, or says what is wrong with it."""

from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer, models, processors

from aictl.core.errors import BadInput, Damaged, NotFound
from aictl.tokenizing.byte_bpe import BEGIN, END
from aictl.tokenizing.folder import TokenizerFolder


def change(folder, **values):
    path = folder.folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return folder.folder


def test_what_is_learnt_here_is_read_back(folder, library):
    assert folder.vocabulary == library.get_vocab_size() == 2000
    assert folder.end_id == library.token_to_id(END)
    assert folder.begin_ids == [library.token_to_id(BEGIN)]
    assert folder.id("pad_token") == 2 and folder.id("mask_token") is None


def test_text_that_looks_like_a_special_token_is_text(folder):
    ids = folder.library.encode(f"a {END}", add_special_tokens=False).ids
    assert folder.end_id not in ids and folder.library.decode(ids, skip_special_tokens=False) == f"a {END}"


def test_a_tokenizer_that_cuts_and_pads_does_neither_here(folder):
    library = Tokenizer.from_file(str(folder.folder / "tokenizer.json"))
    library.enable_truncation(3)
    library.enable_padding(length=8)
    library.save(str(folder.folder / "tokenizer.json"))
    read = TokenizerFolder(folder.folder)
    assert read.library.encode("one two three four").ids == folder.library.encode("one two three four").ids


@pytest.mark.parametrize(
    ("template", "expected"),
    [("$A", []), ("<a> <b> $A <e>", ["<a>", "<b>"]), ("$A <e>", [])],
)
def test_what_stands_before_a_text_is_found_out(folder, template, expected):
    library = Tokenizer.from_file(str(folder.folder / "tokenizer.json"))
    library.add_special_tokens(["<a>", "<b>", "<e>"])
    pairs = [(token, library.token_to_id(token)) for token in ("<a>", "<b>", "<e>")]
    library.post_processor = processors.TemplateProcessing(single=template, special_tokens=pairs)
    library.save(str(folder.folder / "tokenizer.json"))
    read = TokenizerFolder(folder.folder)
    assert [read.library.id_to_token(one) for one in read.begin_ids] == expected


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(NotFound, match=r"no tokenizer\.json"):
        TokenizerFolder(tmp_path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "Expecting value"),
        (b"\xff\xfe", "utf-8"),
        (b"[1, 2]", "no JSON object"),
        (b'{"model": 3}', "model type None"),
        (b'{"model": {"type": "Foo"}}', "model type 'Foo'; known are BPE, Unigram"),
        (b'{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b"]]}}', "no whole tokenizer"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_a_broken_file_is_damage_that_says_why(tmp_path, content, why):
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(Damaged, match=why) as raised:
        TokenizerFolder(tmp_path)
    assert str(tmp_path) in str(raised.value)


def test_a_file_that_was_cut_off_is_damage(folder):
    path = folder.folder / "tokenizer.json"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(Damaged, match=r"tokenizer\.json"):
        TokenizerFolder(folder.folder)


@pytest.mark.parametrize(("config", "why"), [({}, "names no eos_token"), ({"eos_token": "<nil>"}, "'<nil>'.*no token")])
def test_a_document_needs_a_token_that_ends_it(folder, config, why):
    (folder.folder / "tokenizer_config.json").write_text(json.dumps(config))
    read = TokenizerFolder(folder.folder)
    with pytest.raises(BadInput, match=why):
        read.end_id  # noqa: B018


def test_a_token_may_be_described_in_place_of_named(folder):
    config = {"eos_token": {"content": END, "lstrip": False}}
    (folder.folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert TokenizerFolder(folder.folder).end_id == folder.end_id


def test_models_that_are_no_bpe_are_read_too(tmp_path):
    unigram = Tokenizer(models.Unigram([("a", -1.0), ("</s>", -2.0)], 0, byte_fallback=False))
    unigram.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": "</s>"}')
    read = TokenizerFolder(tmp_path)
    assert (read.vocabulary, read.end_id, read.begin_ids) == (2, 1, [])


def test_the_digest_changes_with_whatever_changes_ids(folder):
    before = folder.digest
    assert TokenizerFolder(folder.folder).digest == before
    assert TokenizerFolder(change(folder, post_processor=None)).digest != before

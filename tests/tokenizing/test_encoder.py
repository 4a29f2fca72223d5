"""Ids are those of `tokenizers`, whichever library they come from and whatever the text is."""

from __future__ import annotations

import json
import unicodedata

import numpy as np
import pytest
from tests.tokenizing.conftest import CHARACTERS, STYLES
from tokenizers import Tokenizer

from aictl.core.errors import BadInput
from aictl.tokenizing import encoder as encoders
from aictl.tokenizing.encoded import Encoded, joined, merged
from aictl.tokenizing.encoder import Differs, Encoder
from aictl.tokenizing.fast_encoding import FastEncoder, Refused
from aictl.tokenizing.folder import TokenizerFolder

pytest.importorskip("gigatoken", reason="gigatoken is not installed: pip install 'aictl[fast-tokenizing]'")
FAST = ("gpt2", "llama3", "qwen2")


def expected(folder: TokenizerFolder, texts: list[str]) -> list[list[int]]:
    """By a tokenizer of our own making, so that nothing of what is tested takes part."""
    library = Tokenizer.from_file(str(folder.folder / "tokenizer.json"))
    library.encode_special_tokens = True
    return [encoding.ids for encoding in library.encode_batch_fast(texts, add_special_tokens=False)]


def documents(encoded: Encoded) -> list[list[int]]:
    return [encoded.document(number).tolist() for number in range(len(encoded.ends))]


@pytest.fixture
def unchecked(monkeypatch):
    """Nothing is held beside the other library while it is encoded: the test does that."""
    monkeypatch.setattr(encoders, "CHECKED_FIRST", 0)
    monkeypatch.setattr(encoders, "CHECKED_EVERY", 10**9)


@pytest.mark.parametrize("style", STYLES)
def test_ids_are_the_same_with_and_without_the_fast_library(styles, style, real, hostile, events, unchecked):
    texts = [*real[:20], *hostile, "<tool_call> and <|im_start|>", ""]
    encoder = Encoder(styles[style], events)
    assert encoder.way.startswith("gigatoken" if style in FAST else "tokenizers")
    assert documents(encoder.encode(texts)) == expected(styles[style], texts)
    encoder.leave_fast_way()
    assert encoder.way.startswith("tokenizers")
    assert documents(encoder.encode(texts)) == expected(styles[style], texts)


@pytest.mark.slow
@pytest.mark.parametrize("style", FAST)
def test_every_character_is_encoded_alike_whatever_stands_beside_it(styles, style, events, unchecked):
    """Of ideographs, syllables and private and unassigned characters, of each of which there are very many, some."""
    encoder = Encoder(styles[style], events)
    beside = "{0}|a{0}a|A{0}| {0} |1{0}1|!{0}\n{0}'re'{0}\n\n{0}\t{0}{0}"
    common = [one for one in CHARACTERS if unicodedata.category(one) in ("Cn", "Co", "Lo")]
    some = sorted({*CHARACTERS} - {*common} | {*common[::40]})
    for start in range(0, len(some), 20_000):
        texts = [beside.format(one) for one in some[start : start + 20_000]]
        assert documents(encoder.encode(texts)) == expected(styles[style], texts)


def test_texts_of_every_kind_keep_their_order(styles, real, events):
    """Documents that the fast library is not asked about stand among the others, first and last."""
    unknown, loose = "\U0003fffd unknown", "A\u030a loose"
    texts = [unknown, real[0], loose, "", real[1], "<tool_call>", real[2], unknown]
    assert documents(Encoder(styles["qwen2"], events).encode(texts)) == expected(styles["qwen2"], texts)


def test_a_tokenizer_that_the_fast_library_does_not_follow_is_said(styles, told, events):
    Encoder(styles["smollm2"], events)
    (note,) = told
    assert note.level == "detail" and "splits words in a way of its own" in note.message


def test_without_the_fast_library_all_goes_on(folder, real, events, without_gigatoken, notes):
    encoder = Encoder(folder, events)
    assert "not installed" in notes()
    assert documents(encoder.encode(real[:5])) == expected(folder, real[:5])


def test_a_fast_library_that_errs_is_found_out_and_left(folder, real, events, monkeypatch, notes):
    encode = FastEncoder.encode

    def wrong(self, texts):
        encoded = encode(self, texts)
        return Encoded(encoded.ids ^ np.uint32(1), encoded.ends)

    monkeypatch.setattr(FastEncoder, "encode", wrong)
    encoder = Encoder(folder, events)
    with pytest.raises(Differs):
        encoder.encode(real[:3])
    assert "other ids for a document" in notes()
    assert documents(encoder.encode(real[:3])) == expected(folder, real[:3])


def test_documents_are_held_beside_each_other_all_along(folder, events, monkeypatch):
    """Past the first documents one in so many is, however they are batched."""
    looked_at = []
    slowly = Encoder._slowly
    monkeypatch.setattr(Encoder, "_slowly", lambda self, texts: looked_at.extend(texts) or slowly(self, texts))
    encoder = Encoder(folder, events)
    texts = [f"document {number}" for number in range(500)]
    for start in range(0, 500, 70):
        encoder.encode(texts[start : start + 70])
    first, every = encoders.CHECKED_FIRST, encoders.CHECKED_EVERY
    assert looked_at == texts[:first] + texts[first::every]


def test_a_library_that_panics_is_left(folder, events, monkeypatch):
    class PanicException(BaseException):
        """What Rust code raises through Python is called so, and is no Exception."""

    def panic(texts):
        raise PanicException("index out of bounds")

    fast = FastEncoder(folder.description)
    fast._library = type("Library", (), {"encode_batch": staticmethod(panic)})()
    with pytest.raises(Refused, match="out of bounds"):
        fast.encode(["a"])

    def interrupted(texts):
        raise KeyboardInterrupt

    fast._library.encode_batch = interrupted
    with pytest.raises(KeyboardInterrupt):
        fast.encode(["a"])


@pytest.mark.parametrize("fast", [True, False])
def test_half_a_surrogate_pair_is_no_text(folder, events, fast):
    encoder = Encoder(folder, events)
    if not fast:
        encoder.leave_fast_way()
    with pytest.raises(BadInput, match="surrogates not allowed"):
        encoder.encode(["fine", "broken \ud83d"])


def test_what_is_remembered_of_words_is_bounded(folder, events, monkeypatch):
    monkeypatch.setattr("aictl.tokenizing.fast_encoding.MOST_CHARACTERS", 1000)
    fast = FastEncoder(folder.description)
    first = fast._library
    assert documents(fast.encode(["a few words"] * 50)) == expected(folder, ["a few words"] * 50)
    assert fast._library is first
    assert documents(fast.encode(["and many more"] * 50)) == expected(folder, ["and many more"] * 50)
    assert fast._library is not first


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"model": {"dropout": 0.1}}, "dropout"),
        ({"model": {"byte_fallback": True, "unk_token": "<unk>"}}, "unk_token, byte_fallback"),
        ({"model": {"vocab": {"a": 0}, "merges": []}}, "not byte-level"),
        ({"normalizer": {"type": "NFKC"}}, "NFKC"),
        ({"pre_tokenizer": None}, "way of its own"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "way of its own"),
        ({"added_tokens": [{"content": "é", "special": False}]}, "more than ASCII"),
    ],
)
def test_what_is_not_known_to_be_followed_is_refused(folder, change, why):
    model = folder.description["model"] | change.get("model", {})
    with pytest.raises(Refused, match=why):
        FastEncoder({**folder.description, **change, "model": model})


def test_ids_out_of_the_order_of_their_merges_are_refused(folder):
    model = folder.description["model"]
    swapped = [model["merges"][1], model["merges"][0], *model["merges"][2:]]
    with pytest.raises(Refused, match="order of its merges"):
        FastEncoder({**folder.description, "model": {**model, "merges": swapped}})
    with pytest.raises(Refused, match="order of its merges"):
        FastEncoder({**folder.description, "model": {**model, "merges": [["a", "never heard of"]]}})


def test_merges_written_as_older_versions_did_are_read(folder, real, tmp_path):
    older = json.loads(json.dumps(folder.description))
    older["model"]["merges"] = [" ".join(pair) for pair in older["model"]["merges"]]
    assert documents(FastEncoder(older).encode(real[:2])) == expected(folder, real[:2])


def test_documents_are_framed_joined_and_merged():
    encoded = joined([np.array([5, 6], np.uint32), np.array([], np.uint32), np.array([7], np.uint32)])
    assert documents(encoded) == [[5, 6], [], [7]]
    assert documents(encoded.framed([1, 2], 9)) == [[1, 2, 5, 6, 9], [1, 2, 9], [1, 2, 7, 9]]
    assert documents(encoded.framed([], 9)) == [[5, 6, 9], [9], [7, 9]]
    assert documents(joined([]).framed([1], 9)) == []
    assert documents(merged(joined([np.array([1], np.uint32)]), encoded, [False, True, False, False])) == [
        [5, 6], [1], [], [7]
    ]  # fmt: skip

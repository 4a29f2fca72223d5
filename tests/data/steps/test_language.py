"""Languages are told apart, and what is no language is said to be none."""

from __future__ import annotations

from collections import defaultdict

import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier
from tests.bench import multilingual
from tests.data.steps.languages import SENTENCES

from aictl.data.steps.language import MIN_CONFIDENCE, PIECE_CHARS, PIECES, UNDETERMINED, identify


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_is_enough(language):
    (found,) = identify([SENTENCES[language]])
    assert found.code == language
    assert MIN_CONFIDENCE < found.confidence <= 1


@pytest.mark.parametrize(
    "text",
    ["", " \n\t", "ok", "12345 67.89", "2024-01-01 12:00:00", "{}[];", "0x1f 0x2e 0xff", '{"a": 1, "b": [1, 2, 3]}',
     "for (int i = 0; i < n; i++) { sum += a[i]; }", "https://example.org/a/b?c=d", "\ud800", "💡🔥"],
)  # fmt: skip
def test_what_is_no_language_is_undetermined(text):
    (found,) = identify([text])
    assert found.code == UNDETERMINED
    assert 0 <= found.confidence <= 1


def test_the_answers_are_those_of_the_library():
    """To the text and to the probability, whatever stands beside it in a batch."""
    library = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    texts = [text[start::step] for text in SENTENCES.values() for start in range(3) for step in (1, 2)]
    texts += [text.upper() for text in SENTENCES.values()] + ["x" * 700, "e\u0301" * 100, ""]
    for text, found in zip(texts, identify(texts, min_confidence=0), strict=True):
        code, confidence = library.classify(text)
        if code in SENTENCES:
            assert found.code == code
        assert found.confidence == pytest.approx(confidence, abs=1e-4)


def test_no_texts_and_many():
    assert identify([]) == []
    many = list(SENTENCES.values()) * 60  # more than one batch
    assert [one.code for one in identify(many)] == list(SENTENCES) * 60


def test_a_long_text_is_judged_by_all_of_it():
    """A head and a foot in English do not make it English, and its length costs nothing."""
    text = SENTENCES["en"] + "\n" + (SENTENCES["pl"] + "\n") * 2000 + SENTENCES["en"]
    assert len(text) > 100 * PIECES * PIECE_CHARS
    assert identify([text])[0].code == "pl"


def test_a_surer_answer_can_be_asked_for():
    (unsure,) = identify(["The quick brown fox"])
    assert unsure.code == "en"
    assert identify(["The quick brown fox"], min_confidence=0.9) == [(UNDETERMINED, unsure.confidence)]


@pytest.mark.slow
@pytest.mark.integration
def test_the_goal_holds_on_real_text_in_dozens_of_languages(real_documents):
    right: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for document, found in zip(real_documents, identify([one.text for one in real_documents]), strict=True):
        assert len(document.text) >= multilingual.LEAST_CHARS
        right[document.set, document.language].append(document.language == found.code)
    for set_, languages in (("prose", 35), ("strings", 60)):
        verdicts = {language: one for (of, language), one in right.items() if of == set_}
        assert len(verdicts) >= languages
        assert sum(map(sum, verdicts.values())) / sum(map(len, verdicts.values())) >= 0.98


@pytest.mark.slow
@pytest.mark.integration
def test_pieces_of_a_long_text_say_what_all_of_it_says(real_documents):
    """As py3langid, asked of the whole, does."""
    library = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    prose: dict[str, list[str]] = defaultdict(list)
    for document in real_documents:
        if document.set == "prose":
            prose[document.language].append(document.text)
    long = ["\n".join(texts[start : start + 30]) for texts in prose.values() for start in range(0, len(texts) - 29, 30)]
    assert len(long) > 300
    same = [found.code == library.classify(text)[0] for text, found in zip(long, identify(long), strict=True)]
    assert sum(same) / len(same) >= 0.99

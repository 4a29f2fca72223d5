"""Mojibake is read as it was meant, and sound text is not touched."""

from __future__ import annotations

from pathlib import Path

import ftfy  # noqa: F401  it brings the encodings "sloppy-windows-1252" and the like
import pytest
from tests.data.steps.languages import SENTENCES

from aictl.data.steps.repair import ENCODINGS, is_suspicious, repair


def broken(text, encoding="sloppy-windows-1252", times=1):
    for _ in range(times):
        text = text.encode().decode(encoding)
    return text


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("encoding", ["latin-1", "sloppy-windows-1252", "macroman", "cp437"])
@pytest.mark.parametrize("language", sorted(set(SENTENCES) - {"en", "nl"}))
def test_what_was_meant_comes_back(language, encoding, times):
    text = "\n".join([SENTENCES[language]] * 4)
    assert not text.isascii()
    fixed, mended = repair(broken(text, encoding, times))
    assert fixed == text
    assert mended


@pytest.mark.parametrize("text", [*SENTENCES.values(), "", "plain", "«été»", "„Ä“", "È una città", "20 °C ± 1", "naïve café", "Å–Ä", "НАТО» и «США»", "œuvre – «Ça»", "ÃO e ÇÃO", "x²·y³", "┌─┐│└┘", "™ © ®", "«É»"])  # fmt: skip  # noqa: E501
def test_sound_text_is_not_touched(text):
    assert repair(text) == (text, {})


def test_what_was_mended_is_counted_by_its_encoding():
    assert repair(broken("schöne Äpfel für Köln")) == ("schöne Äpfel für Köln", {"utf8_as_windows_1252": 1})
    assert repair(broken("schöne für Köln à")) == ("schöne für Köln à", {"utf8_as_latin_1": 1})
    assert repair(broken("“Straße” – é…")) == ("“Straße” – é…", {"utf8_as_windows_1252": 1})
    assert repair("plain")[1] == {}
    assert repair("smile \ud83d\ude00") == ("smile 😀", {"surrogates": 1})


def test_one_broken_line_among_sound_ones():
    lines = ["Größe: 3 €", broken("Stéphane Bidoul – schema"), "«été» à Köln", broken("voilà")]
    fixed, mended = repair("\n".join(lines))
    assert fixed.split("\n") == ["Größe: 3 €", "Stéphane Bidoul – schema", "«été» à Köln", "voilà"]
    assert mended["utf8_as_windows_1252"]


def test_a_line_too_short_to_tell_by_itself_follows_the_others():
    lines = ["Größe und Maß", broken("Åpne et privat vindu – søk på nettet"), broken("Vår")]
    assert repair("\n".join(lines))[0].split("\n") == ["Größe und Maß", "Åpne et privat vindu – søk på nettet", "Vår"]


def test_c1_controls_are_what_windows_had_there():
    fixed, _ = repair("\x93quoted\x94 and it\x92s done")
    assert fixed == "“quoted” and it’s done"


def test_two_meanings_are_left_as_they_are():
    """UTF-8 read as windows-1250, or another text read as ISO 8859-2: nothing says which."""
    text = broken("på måndag så går vi åter", "iso-8859-2")
    assert text.encode("sloppy-windows-1250").decode() != "på måndag så går vi åter"
    assert repair(text) == (text, {})


def test_repairing_twice_changes_nothing_more():
    for text in SENTENCES.values():
        once = repair(broken(text))[0]
        assert repair(once) == (once, {})


@pytest.mark.parametrize("unit", ["Ã", "Ã©", "Ã ", "â€", "é»", "\x9d", "Ð", "\ud83d", "ã\x81", "Ã\n"])
def test_hostile_text_ends(unit):
    assert isinstance(repair(unit * 20_000)[0], str)


def test_documents_of_this_machine_are_not_touched():
    """Python's own sources: what is changed there is mojibake that somebody wrote on purpose."""
    folder = Path(pytest.__file__).parents[1]
    texts = []
    for path in sorted(folder.rglob("*.py"))[:4000]:
        try:
            texts.append(path.read_text("utf-8"))
        except UnicodeDecodeError:
            continue
    sound = [text for text in texts if not is_suspicious(text)]
    assert len(sound) > 0.99 * len(texts) > 1000
    assert all(repair(text) == (text, {}) for text in sound)


@pytest.mark.slow
@pytest.mark.integration
def test_no_sound_text_is_changed_and_broken_text_comes_back(real_documents):
    assert len(real_documents) >= 20_000
    for document in real_documents:
        assert repair(document.text) == (document.text, {})
    sample = [one.text for one in real_documents[::5] if not one.text.isascii()]
    back: dict[str, list[bool]] = {}
    for encoding in ENCODINGS:
        decoded = [(text, text.encode().decode(encoding, "ignore")) for text in sample]
        lossless = [(text, one) for text, one in decoded if one.encode(encoding) == text.encode()]
        back[encoding] = [repair(one)[0] == text for text, one in lossless]
        wrong = [1 for text, one in lossless if repair(one)[0] not in (text, one)]
        assert len(wrong) <= 0.06 * len(lossless), encoding
    goals = dict.fromkeys(("latin-1", "sloppy-windows-1252", "sloppy-windows-1254"), 0.998) | {"macroman": 0.98}
    for encoding, verdicts in back.items():
        assert sum(verdicts) / len(verdicts) >= goals.get(encoding, 0.8), encoding

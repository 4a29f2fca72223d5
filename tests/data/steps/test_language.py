"""Languages are told apart, and what is no language is said to be none."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier
from tests.bench import multilingual

from aictl.data.steps.language import MIN_CONFIDENCE, PIECE_CHARS, PIECES, UNDETERMINED, identify

SENTENCES = {
    "en": "All of the files in this folder are read, and whatever cannot be read is set aside with its reason.",
    "de": "Alle Dateien in diesem Ordner werden gelesen, und was nicht gelesen werden kann, wird beiseitegelegt.",
    "fr": "Tous les fichiers de ce dossier sont lus, et ce qui ne peut pas être lu est mis de côté.",
    "es": "Se leen todos los archivos de esta carpeta, y lo que no se puede leer se deja a un lado.",
    "it": "Vengono letti tutti i file di questa cartella, e ciò che non può essere letto viene messo da parte.",
    "pt": "Todos os ficheiros desta pasta são lidos, e o que não pode ser lido é posto de lado com a razão.",
    "nl": "Alle bestanden in deze map worden gelezen, en wat niet gelezen kan worden, wordt apart gelegd.",
    "pl": "Wszystkie pliki w tym katalogu są czytane, a to, czego nie można przeczytać, jest odkładane na bok.",
    "tr": "Bu klasördeki bütün dosyalar okunur, okunamayanlar ise nedeniyle birlikte bir kenara konur.",
    "ru": "Все файлы в этой папке читаются, а то, что нельзя прочитать, откладывается с указанием причины.",
    "uk": "Усі файли в цій теці читаються, а те, що не можна прочитати, відкладається із зазначенням причини.",
    "el": "Όλα τα αρχεία αυτού του φακέλου διαβάζονται, και ό,τι δεν μπορεί να διαβαστεί παραμερίζεται.",
    "ja": "このフォルダーにあるすべてのファイルを読み、読めないものは理由とともに脇に置きます。",
    "zh": "读取此文件夹中的所有文件，无法读取的文件连同原因一起放在一边。",
    "ko": "이 폴더의 모든 파일을 읽고, 읽을 수 없는 것은 이유와 함께 따로 둡니다.",
    "ar": "تُقرأ جميع الملفات في هذا المجلد، وما لا يمكن قراءته يوضع جانبا مع ذكر السبب.",
    "he": "כל הקבצים בתיקייה הזאת נקראים, ומה שאי אפשר לקרוא מונח בצד עם הסיבה.",
    "hi": "इस फ़ोल्डर की सभी फ़ाइलें पढ़ी जाती हैं, और जो पढ़ी नहीं जा सकतीं उन्हें कारण सहित अलग रख दिया जाता है।",
    "th": "ไฟล์ทั้งหมดในโฟลเดอร์นี้จะถูกอ่าน และสิ่งที่อ่านไม่ได้จะถูกแยกไว้พร้อมเหตุผล",
}


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
def test_the_goal_holds_on_real_text_in_dozens_of_languages(tmp_path):
    """On what Debian's translators wrote; about 60 MB are fetched, unless the folder AICTL_CACHE has them."""
    folder = Path(os.environ.get("AICTL_CACHE", tmp_path)) / "multilingual"
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.which("apt-get") is None:
        pytest.skip("apt-get is not installed, and Debian's packages hold the texts")
    try:
        documents = multilingual.gather(folder)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"Debian's packages cannot be fetched: {' '.join(map(str, error.cmd))}")
    right: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for document, found in zip(documents, identify([one.text for one in documents]), strict=True):
        assert len(document.text) >= multilingual.LEAST_CHARS
        right[document.set, document.language].append(document.language == found.code)
    for set_, languages in (("prose", 35), ("strings", 60)):
        verdicts = {language: one for (of, language), one in right.items() if of == set_}
        assert len(verdicts) >= languages
        assert sum(map(sum, verdicts.values())) / sum(map(len, verdicts.values())) >= 0.98

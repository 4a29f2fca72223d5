"""Real text in many languages, as translators wrote it, out of Debian packages.

``python -m tests.bench.multilingual FOLDER`` gathers it and says how much there is.

Two sets of documents whose language is known by where they lie:

- ``prose``: GNOME's help and the manual pages, paragraphs put together until a document has 200 characters;
- ``strings``: what Firefox says in its windows, strings put together until a document has 200 characters.

A paragraph or string that is the same in English, or in two languages, was not translated, and is left out. The
packages are fetched with ``apt-get download`` and unpacked; nothing of them is installed or run.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

LEAST_CHARS = 200
MOST_DOCUMENTS = 300  # of one language in one set
HELP = "gnome-user-docs"
MANUALS = (
    *("cs", "da", "de", "es", "fr", "hu", "it", "ja", "nl", "pl", "pt-br", "ro", "ru", "sr", "sv", "tr", "uk", "vi"),
    *("zh",),
)
# Where a name of the package is no ISO 639-1 code with a region behind it.
FIREFOX = (
    *("af", "ar", "az", "be", "bg", "bn", "ca", "cs", "cy", "da", "de", "el", "eo", "es-es", "et", "eu", "fa", "fi"),
    *("fr", "ga-ie", "gl", "gu-in", "he", "hi-in", "hr", "hu", "hy-am", "id", "is", "it", "ja", "ka", "kk", "km", "kn"),
    *("ko", "lt", "lv", "mk", "mr", "ms", "my", "nb-no", "nl", "pa-in", "pl", "pt-br", "ro", "ru", "sk", "sl", "sq"),
    *("sr", "sv-se", "ta", "te", "th", "tr", "uk", "ur", "uz", "vi", "zh-cn"),
)
ENGLISH_FIREFOX = "firefox-esr-l10n-en-gb"


class Labelled(NamedTuple):
    """A document and its language (ISO 639-1), of the set ``prose`` or ``strings``."""

    language: str
    set: str
    text: str


def packages() -> list[str]:
    return [
        HELP,
        *(f"manpages-{name}" for name in MANUALS),
        ENGLISH_FIREFOX,
        *(f"firefox-esr-l10n-{name}" for name in FIREFOX),
    ]


def gather(folder: Path) -> list[Labelled]:
    """Fetch what is not there yet, and return the documents; they are kept in ``folder/documents.jsonl``."""
    made = folder / "documents.jsonl"
    if made.exists():
        return [Labelled(*json.loads(line)) for line in made.read_text("utf-8").splitlines()]
    for package in packages():
        place = folder / package
        if not place.exists():
            subprocess.run(["apt-get", "download", "-qq", package], cwd=folder, check=True, stderr=subprocess.DEVNULL)
            (archive,) = folder.glob(f"{package}_*.deb")
            subprocess.run(["dpkg-deb", "-x", archive, place], check=True)
            archive.unlink()
    documents = [*_prose(folder), *_strings(folder)]
    lines = (json.dumps(one, ensure_ascii=False) + "\n" for one in documents)
    made.write_text("".join(lines), "utf-8")
    return documents


def _prose(folder: Path) -> Iterator[Labelled]:
    pieces: dict[str, list[str]] = defaultdict(list)
    books = folder / HELP / "usr/share/help"
    english = {piece for page in (books / "C").rglob("*.page") for piece in _paragraphs(page)}
    pieces["en"] = sorted(english)
    for book in sorted(books.iterdir()):
        if book.name in ("C", "sr@latin"):
            continue
        for page in sorted(book.rglob("*.page")):
            pieces[_code(book.name)] += [piece for piece in _paragraphs(page) if piece not in english]
    for name in MANUALS:
        for page in sorted((folder / f"manpages-{name}").rglob("*.[1-8].gz")):
            if not page.is_symlink():
                pieces[_code(name)] += _of_manual(gzip.decompress(page.read_bytes()).decode("utf-8", "replace"))
    written = Counter(piece for language in pieces for piece in set(pieces[language]))
    for language in sorted(pieces):
        yield from _documents(language, "prose", [piece for piece in pieces[language] if written[piece] == 1])


def _paragraphs(page: Path) -> Iterator[str]:
    """Paragraphs, titles and items of a Mallard page, without what names its authors."""
    try:
        root = ElementTree.parse(page).getroot()
    except ElementTree.ParseError:  # an entity that another file declares
        return
    for element in root.iter():
        if element.tag.rpartition("}")[2] in ("p", "title", "desc"):
            text = " ".join("".join(element.itertext()).split())
            if text:
                yield text


_MACRO = re.compile(r"\\f[A-Z]|\\f\(..|\\f\[[^\]]*\]|\\[&/,|^]|\\s[-+]?\d")
_ESCAPES = {r"\-": "-", r"\e": "\\", r"\(aq": "'", r"\(bu": "•", r"\(dq": '"', r"\ ": " ", r"\(co": "©", r"\(em": "—"}
_ESCAPED = re.compile("|".join(map(re.escape, _ESCAPES)))


def _of_manual(page: str) -> Iterator[str]:
    """The running text of a manual page, a paragraph at a time: what stands between its macros."""
    held: list[str] = []
    for line in page.splitlines():
        if line.startswith((".", "'", '\\"')) or not line.strip():
            if len(" ".join(held)) >= 40:
                yield " ".join(held)
            held = []
        else:
            held.append(_MACRO.sub("", _ESCAPED.sub(lambda match: _ESCAPES[match[0]], line)))


def _strings(folder: Path) -> Iterator[Labelled]:
    english = {text for _, text in _of_firefox(folder / ENGLISH_FIREFOX)}
    for name in FIREFOX:
        texts = [text for _, text in _of_firefox(folder / f"firefox-esr-l10n-{name}") if text not in english]
        yield from _documents(_code(name), "strings", texts)


_FLUENT = re.compile(r"^(?:([\w-]+)|\s+\.[\w-]+) = (.+)$", re.MULTILINE)


def _of_firefox(package: Path) -> Iterator[tuple[str, str]]:
    """``(file, string)`` of all strings of a language pack, without what stands in braces and tags."""
    for pack in sorted(package.rglob("*.xpi")):
        with zipfile.ZipFile(pack) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(".ftl"):
                    for match in _FLUENT.finditer(archive.read(name).decode("utf-8")):
                        text = re.sub(r"\{[^}]*\}|<[^>]*>", "", match[2]).strip()
                        if len(text) >= 12:
                            yield name, text


def _documents(language: str, set: str, pieces: Iterable[str]) -> Iterator[Labelled]:
    held: list[str] = []
    made = 0
    for piece in dict.fromkeys(pieces):
        held.append(piece)
        if sum(map(len, held)) >= LEAST_CHARS:
            yield Labelled(language, set, "\n".join(held))
            held, made = [], made + 1
            if made == MOST_DOCUMENTS:
                return


def _code(name: str) -> str:
    language = re.split(r"[-_@]", name)[0]
    return {"nb": "no", "nn": "no"}.get(language, language)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for one in gather(place):
        counts[one.set, one.language] += 1
    for (set_, language), count in sorted(counts.items()):
        print(f"{set_}\t{language}\t{count}")

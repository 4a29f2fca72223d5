"""Finding the passages that fit a question: BM25 over an index in memory.

The score is Okapi BM25 with the idf that Lucene uses, which is never negative
(Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond"):

    sum over the question's words of  idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean length))
    idf = ln(1 + (N - df + 0.5) / (df + 0.5))
"""

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PASSAGE_CHARS = 700  # about 120 words: enough for a thought, and three of them fit a small model
K1, B = 1.2, 0.75

_WORD = re.compile(r"\w+")
# Words of questions and politeness. Other common words stay: they weigh little, and some are keywords.
_COMMON = frozenset(
    "a an and are be been can could did do does have has hello how i is it its me my of or our please should so tell "
    "than that the their them they this to was we were what when where which who why will would you your".split()
)


@dataclass(frozen=True)
class Passage:
    """A piece of a document, and where that came from."""

    text: str
    source: str


class Index:
    """All passages, and for each word which of them have it how often."""

    def __init__(self, passages: Iterable[Passage]) -> None:
        self.passages = list(passages)
        self._found: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._lengths: list[int] = []
        for number, passage in enumerate(self.passages):
            # The source counts as text: its name often says what a passage is about.
            counts = Counter(words(f"{passage.source} {passage.text}"))
            self._lengths.append(sum(counts.values()))
            for word, count in counts.items():
                self._found[word].append((number, count))
        self._mean = sum(self._lengths) / max(1, len(self._lengths)) or 1.0

    def search(self, question: str, limit: int) -> list[Passage]:
        """The passages that fit best, best first; none if no word of the question occurs."""
        scores: dict[int, float] = defaultdict(float)
        for word in set(words(question)):
            found = self._found.get(word, ())
            idf = math.log(1 + (len(self.passages) - len(found) + 0.5) / (len(found) + 0.5))
            for number, count in found:
                weight = K1 * (1 - B + B * self._lengths[number] / self._mean)
                scores[number] += idf * count * (K1 + 1) / (count + weight)
        best = sorted(scores, key=lambda number: (-scores[number], number))
        return [self.passages[number] for number in best[:limit]]


def read(path: Path) -> Index:
    """The index of a file of documents. Raises ``ValueError`` naming a line that is none."""
    return Index(passage for text, source in documents(path) for passage in split(text, source))


def documents(path: Path) -> Iterator[tuple[str, str]]:
    """Text and source of each document."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                document = json.loads(line)
                yield str(document["text"]), str(document.get("source", ""))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path}, line {number}: {error!r}") from error


def split(text: str, source: str) -> Iterator[Passage]:
    """Whole paragraphs up to a passage's length; a longer paragraph is cut at lines, then at words."""
    held = ""
    for part in _parts(text):
        if held and len(held) + len(part) > PASSAGE_CHARS:
            yield Passage(held.strip("\n"), source)
            held = ""
        held += part
    if held.strip():
        yield Passage(held.strip("\n"), source)


def _parts(text: str) -> Iterator[str]:
    for paragraph in re.split(r"(?<=\n)(?=[ \t]*\n)", text):
        if len(paragraph) <= PASSAGE_CHARS:
            yield paragraph
            continue
        for line in paragraph.splitlines(keepends=True):
            rest = line
            while len(rest) > PASSAGE_CHARS:
                cut = rest.rfind(" ", 1, PASSAGE_CHARS) + 1 or PASSAGE_CHARS
                yield rest[:cut]
                rest = rest[cut:]
            yield rest


def words(text: str) -> list[str]:
    """The words that count, in lower case and without a plural's s."""
    found = []
    for word in _WORD.findall(text.lower().replace("_", " ")):
        if word not in _COMMON:
            found.append(word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word)
    return found

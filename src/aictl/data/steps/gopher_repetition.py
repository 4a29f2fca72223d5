"""The repetition rules of Gopher (https://arxiv.org/abs/2112.11446, table A1): how much of a text is lines,
paragraphs or word sequences that stood in it before."""

from __future__ import annotations

import numpy as np

from aictl.data.arrays.hashing import windows
from aictl.data.arrays.repeats import groups, repeated
from aictl.data.arrays.view import View
from aictl.data.steps.verdict import Verdicts, share

MOST_OF_LINES, MOST_OF_LINE_CHARACTERS = 0.30, 0.20
MOST_OF_PARAGRAPHS, MOST_OF_PARAGRAPH_CHARACTERS = 0.30, 0.20
MOST_OF_TOP = {2: 0.20, 3: 0.18, 4: 0.16}  # of the characters, by the words of a sequence
MOST_REPEATED = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}


def judge(view: View) -> Verdicts:
    """The first rule that each text breaks."""
    verdicts = Verdicts(len(view))
    lines = view.lines.kept(view.lines.lengths > 0)
    for what, spans, most, most_characters in (
        ("paragraphs", view.paragraphs, MOST_OF_PARAGRAPHS, MOST_OF_PARAGRAPH_CHARACTERS),
        ("lines", lines, MOST_OF_LINES, MOST_OF_LINE_CHARACTERS),
    ):
        again = repeated(view.exact.of(spans.starts, spans.ends), spans.texts)
        whole, part = view.per_text(spans.texts), view.per_text(spans.texts[again])
        verdicts.add(f"repeated {what}", share(part, whole) > most)
        characters = view.per_text(spans.texts[again], spans.lengths[again])
        verdicts.add(f"characters in repeated {what}", share(characters, view.texts.lengths) > most_characters)
    lengths = view.texts.lengths
    for length, most in MOST_OF_TOP.items():
        top = _Sequences(view, verdicts.open, length).top()
        verdicts.add(f"one sequence of {length} words", share(top, lengths) > most)
    least = min(MOST_REPEATED.values())
    suspects = verdicts.open & (share(_Sequences(view, verdicts.open, 5).covered(), lengths) > least)
    for length, most in MOST_REPEATED.items():  # longer ones cover no more than those of 5 words do
        characters = _Sequences(view, suspects & verdicts.open, length).stepped_over(most * lengths)
        verdicts.add(f"repeated sequences of {length} words", share(characters, lengths) > most)
    return verdicts


class _Sequences:
    """Every ``length`` words and marks that follow one another in one of some texts."""

    def __init__(self, view: View, of: np.ndarray, length: int) -> None:
        within = of[view.tokens.texts]
        self.count = len(view)
        self.length = length
        self.texts = view.tokens.texts[within]
        hashes = windows(view.token_hashes[within], length)
        whole = self.texts[: len(hashes)] == self.texts[length - 1 :][: len(hashes)]
        self.first = np.flatnonzero(whole)  # the word that each begins with
        self.hashes = hashes[whole]
        self.text = self.texts[self.first]  # in which each stands
        self._widths = (view.tokens.ends - view.tokens.starts)[within]
        self._sums = np.append(0, np.cumsum(self._widths))

    def characters(self, which: np.ndarray) -> np.ndarray:
        """Characters of the words of some sequences, without what stands between them."""
        first = self.first[which]
        return self._sums[first + self.length] - self._sums[first]

    def top(self) -> np.ndarray:
        """Characters of each text that its most frequent sequence takes, a space between its words; of several
        that are as frequent, the first."""
        taken = np.zeros(self.count)
        first = np.flatnonzero(np.diff(self.text, prepend=-1))
        taken[self.text[first]] = self.characters(first) + self.length - 1  # where none stands twice
        found = groups(self.hashes, self.text)
        order = np.lexsort((-found.first, found.counts, found.texts))  # of each text the last is the one
        last = order[np.flatnonzero(np.diff(found.texts[order], append=-1))]
        taken[found.texts[last]] = (self.characters(found.first[last]) + self.length - 1) * found.counts[last]
        return taken

    def covered(self) -> np.ndarray:
        """Characters of each text in words that are part of a sequence which stood before."""
        again = self.first[repeated(self.hashes, self.text)]
        edges = np.zeros(len(self.texts) + 1, np.int64)
        edges[again] += 1
        edges[again + self.length] -= 1  # none of them has the same beginning as another
        inside = np.cumsum(edges[:-1]) > 0
        return np.bincount(self.texts[inside], self._widths[inside], minlength=self.count)

    def stepped_over(self, most: np.ndarray) -> np.ndarray:
        """Characters of each text in sequences that stood before, where they might be more than ``most``; elsewhere
        0.

        Counted as datatrove does, walking over a text: a sequence that is known counts and is stepped over, any
        other is learnt. What all known ones cover together is no less, and rules most texts out.
        """
        counted = np.zeros(self.count)
        widths = self.characters(np.arange(len(self.first)))
        for text in np.flatnonzero(self.covered() > most).tolist():
            low, high = np.searchsorted(self.text, [text, text + 1])
            counted[text] = _walk(self.hashes[low:high].tolist(), widths[low:high].tolist(), self.length)
        return counted


def _walk(hashes: list[int], widths: list[int], length: int) -> int:
    known: set[int] = set()
    place = total = 0
    while place < len(hashes):
        if hashes[place] in known:
            total += widths[place]
            place += length
        else:
            known.add(hashes[place])
            place += 1
    return total

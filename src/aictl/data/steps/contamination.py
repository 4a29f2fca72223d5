"""Documents that hold what a model will be judged by: a sequence of words that stands in an evaluation set.

As GPT-3 has it (https://arxiv.org/abs/2005.14165, appendix C), sequences of 13 words, in small letters and without
punctuation; of an evaluation document that is shorter, all its words, if they are ``SHORTEST`` or more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from aictl.data.arrays.hashing import windows
from aictl.data.arrays.view import View
from aictl.data.arrays.words import Words

SHORTEST = 5


class Evaluation:
    """What stands in evaluation sets: for each length in words, the sorted hashes of the sequences, and of each
    the number of the set that it is from, as named in ``names``."""

    def __init__(self, names: Sequence[str], sequences: dict[int, tuple[np.ndarray, np.ndarray]]) -> None:
        self.names, self._sequences = names, sequences

    @classmethod
    def of(cls, sets: Iterable[tuple[str, Iterable[Sequence[str]]]], length: int) -> Evaluation:
        """Of named sets, each as blocks of texts; sequences have ``length`` words."""
        names: list[str] = []
        found: dict[int, list[tuple[np.ndarray, int]]] = {}
        for name, blocks in sets:
            for block in blocks:
                for words, hashes in _sequences_of(View(block).words, length):
                    found.setdefault(words, []).append((hashes, len(names)))
            names.append(name)
        sequences = {}
        for words, parts in found.items():
            hashes = np.concatenate([part for part, _ in parts])
            origins = np.concatenate([np.full(len(part), number, np.int16) for part, number in parts])
            hashes, first = np.unique(hashes, return_index=True)
            sequences[words] = hashes, origins[first]
        return cls(names, sequences)

    def judge(self, view: View) -> list[str | None]:
        """For each text the name of the set of which it holds something, or None."""
        found = np.full(len(view), -1, np.int16)
        words = view.words
        for length, (wanted, origins) in self._sequences.items():
            hashes = windows(words.hashes, length)
            whole = words.texts[: len(hashes)] == words.texts[length - 1 :][: len(hashes)]
            texts = words.texts[: len(hashes)][whole]
            places = np.searchsorted(wanted, hashes[whole])
            hit = wanted[np.minimum(places, len(wanted) - 1)] == hashes[whole]
            found[texts[hit][::-1]] = origins[places[hit]][::-1]  # of several the first stands
        return [None if number < 0 else self.names[number] for number in found.tolist()]


def _sequences_of(words: Words, length: int) -> Iterable[tuple[int, np.ndarray]]:
    """Hashes by length: of every ``length`` words, and of the shorter texts whole."""
    hashes = windows(words.hashes, length)
    whole = words.texts[: len(hashes)] == words.texts[length - 1 :][: len(hashes)]
    yield length, hashes[whole]
    first = np.flatnonzero(np.diff(words.texts, prepend=-1))
    counts = np.diff(first, append=len(words.texts))
    for count in range(SHORTEST, length):
        places = first[counts == count]
        if len(places):
            yield count, windows(words.hashes, count)[places]

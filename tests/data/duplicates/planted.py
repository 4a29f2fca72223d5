"""Real texts and near-duplicates planted among them: characters edited, boilerplate put in, ends cut off."""

from __future__ import annotations

import pydoc_data.topics
import random
from collections import defaultdict
from collections.abc import Sequence

from aictl.data.arrays.view import View
from aictl.data.duplicates.signatures import jaccard, shingle_sets

BOILERPLATE = (
    "This page was generated automatically from the sources of the project; do not edit it, since all changes will "
    "be lost when it is generated again. See the file called COPYING for the terms under which it may be used, copied "
    "and changed, and the file called AUTHORS for whoever wrote it."
)


def paragraphs(count: int, words: int = 120) -> list[str]:
    """Stretches of Python's own documentation of about so many words."""
    text = " ".join(" ".join(pydoc_data.topics.topics[name].split()) for name in sorted(pydoc_data.topics.topics))
    every = text.split(" ")
    step = words // 2 + 7
    return [" ".join(every[at : at + words]) for at in range(0, len(every) - words, step * 3)][:count]


def planted(count: int, seed: int = 0) -> list[str]:
    """``count`` texts and, of about two thirds of them, one to three variations, in random order."""
    maker = random.Random(seed)
    texts: list[str] = []
    for number, text in enumerate(paragraphs(count)):
        texts.append(text)
        if number % 3:
            texts += [_variation(text, maker) for _ in range(maker.randint(1, 3))]
    maker.shuffle(texts)
    return texts


def _variation(text: str, maker: random.Random) -> str:
    words = text.split(" ")
    way = maker.randrange(3)
    if way == 0:  # so many characters become others
        letters = list(text)
        for _ in range(maker.randint(1, 8)):
            letters[maker.randrange(len(letters))] = maker.choice("abcdefghijklmnopqrstuvwxyz")
        return "".join(letters)
    if way == 1:
        boilerplate = BOILERPLATE.split(" ")[: maker.randint(3, 40)]
        place = maker.randrange(len(words))
        return " ".join([*words[:place], *boilerplate, *words[place:]])
    return " ".join(words[: maker.randint(len(words) // 2, len(words) - 1)])


def similar_pairs(texts: Sequence[str], least: float) -> dict[tuple[int, int], float]:
    """The exact Jaccard similarity of every pair of texts that has at least so much: every pair with a shingle in
    common is looked at."""
    sets = shingle_sets(View(texts).words, len(texts))
    holders: dict[int, list[int]] = defaultdict(list)
    for number, shingles in enumerate(sets):
        for shingle in shingles.tolist():
            holders[shingle].append(number)
    pairs = {
        (one, other) for numbers in holders.values() for at, one in enumerate(numbers) for other in numbers[at + 1 :]
    }
    found = {pair: jaccard(sets[pair[0]], sets[pair[1]]) for pair in pairs}
    return {pair: similarity for pair, similarity in found.items() if similarity >= least}

"""The rules of C4 (https://arxiv.org/abs/1910.10683, section 2.2): keep lines that are sentences, and drop pages that
are code, filler or too short.

The lists of words that were dropped with their pages are a block list's affair.
"""

from __future__ import annotations

import re
from collections import Counter

FEWEST_SENTENCES = 5
FEWEST_WORDS = 3  # of a line
LONGEST_WORD = 1000  # characters
_CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
_ENDS = (".", "?", "!", '"', "'")
_POLICY = re.compile("terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies")
_SENTENCE = re.compile(r"[.!?]+[\"')\]]*(?=\s|$)")


def clean(text: str) -> tuple[str, str | None, Counter[str]]:
    """What is left of a text, the rule by which all of it is dropped, and how many lines each rule dropped."""
    dropped: Counter[str] = Counter()
    if "{" in text and _kept_with_bracket(text):
        return text, "curly bracket", dropped
    kept, sentences = [], 0
    for line in map(str.strip, text.split("\n")):
        reason = _refused(line)
        if reason == "lorem ipsum":
            return text, reason, dropped
        if reason:
            dropped[reason] += 1
            continue
        kept.append(_CITATION.sub("", line))
        sentences += max(1, len(_SENTENCE.findall(kept[-1])))
    left = "\n".join(kept).strip()
    return (left, None, dropped) if sentences >= FEWEST_SENTENCES else (text, "few sentences", dropped)


def _refused(line: str) -> str | None:
    """The rule that drops a line, or None."""
    words = line.split()
    if len(line) > LONGEST_WORD and max(map(len, words)) > LONGEST_WORD:
        return "long word"
    bare = _CITATION.sub("", line) if "[" in line else line
    if not bare.endswith(_ENDS) or bare.endswith("..."):
        return "unfinished line"
    if len(words) < FEWEST_WORDS:
        return "few words in a line"
    small = line.lower()
    if "lorem ipsum" in small:
        return "lorem ipsum"
    if "javascript" in small:
        return "javascript"
    return "policy" if _POLICY.search(small) else None


def _kept_with_bracket(text: str) -> bool:
    """Whether a line with a curly bracket is one that no other rule drops."""
    return any("{" in line and _refused(line.strip()) in (None, "lorem ipsum", "policy") for line in text.split("\n"))

"""The quality rules that FineWeb adds to the others (https://arxiv.org/abs/2406.17557, section 3.6): how lines
end, how many are short, how much is repeated, and how much is a list."""

from __future__ import annotations

import numpy as np

from aictl.data.arrays.lines import BREAK
from aictl.data.arrays.repeats import repeated
from aictl.data.arrays.view import View
from aictl.data.steps.verdict import Verdicts, share

FEWEST_FINISHED_LINES = 0.12
MOST_SHORT_LINES, SHORT_CHARACTERS = 0.67, 30
MOST_REPEATED_CHARACTERS = 0.01
MOST_LINE_BREAKS = 0.3  # for each word
# Unicode's sentence terminals (property Sentence_Terminal) of the scripts in wide use.
TERMINALS = np.array(sorted(map(ord, ".!?؟۔।॥။።፧፨។៕᠃᠉‼‽⁇⁈⁉⸮。﹒﹖﹗！．？｡")), np.uint32)


def judge(view: View) -> Verdicts:
    """The first rule that each text breaks."""
    verdicts = Verdicts(len(view))
    codes, texts = view.texts.codes, view.texts
    lines = view.lines.kept(view.lines.stripped(texts).lengths > 0)
    count = view.per_text(lines.texts)
    verdicts.add("no text", count == 0)
    finished = np.isin(codes[lines.ends - 1], TERMINALS) if len(lines.ends) else np.empty(0, bool)
    verdicts.add("unfinished lines", share(view.per_text(lines.texts[finished]), count) < FEWEST_FINISHED_LINES)
    short = lines.lengths <= SHORT_CHARACTERS
    verdicts.add("short lines", share(view.per_text(lines.texts[short]), count) > MOST_SHORT_LINES)
    again = repeated(view.exact.of(lines.starts, lines.ends), lines.texts)
    breaks = texts.count(np.flatnonzero(codes == BREAK))
    breaks[:-1] -= 1  # the one that stands between two texts
    characters = view.per_text(lines.texts[again], lines.lengths[again])
    verdicts.add("repeated lines", share(characters, texts.lengths - breaks) > MOST_REPEATED_CHARACTERS)
    words = view.per_text(view.tokens.texts)
    verdicts.add("a list", share(breaks, words) > MOST_LINE_BREAKS)
    return verdicts

"""From chunks to a dataset: the documents that stay, in order, on their sides; what was set aside, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from aictl.artifacts.dataset import DatasetWriter, Format
from aictl.data.documents import Rejected
from aictl.data.prep.rows import said_in
from aictl.data.prep.shelf import Chunk, Documents
from aictl.data.prep.sift import DRAWN, EXACT, KEPT, NEAR, OTHERS, SPLITS, Sifted
from aictl.data.prep.tally import SHOWN_CHARACTERS, Tally

SHOWN_PAIRS = 20  # of near-duplicates that are kept as examples
STEP_OF = {EXACT: "exact duplicates", NEAR: "near-duplicates", DRAWN: "sample"}


def write(
    folder: Path, format: Format, chunks: tuple[Sequence[Chunk], Sequence[Chunk]], sifted: Sifted, tally: Tally
) -> dict[str, int]:
    """Write everything into ``folder``, and count in ``tally`` what was sifted out; returns the documents of each
    split. ``chunks`` are those of others' documents, and our own."""
    references, own = chunks
    every = [*references, *own]
    others = sum(map(len, references))
    _count(every, sifted, tally, others)
    with DatasetWriter(folder, format) as writer:
        base = others
        for chunk in own:
            fates, sides = (every_one[base : base + len(chunk)] for every_one in (sifted.fates, sifted.splits))
            goes_to = np.where(fates == KEPT, sides, -1)
            if format == "image":
                for place in np.flatnonzero(goes_to >= 0).tolist():
                    writer.add_picture(SPLITS[sides[place]], chunk.line(place), chunk.image(place))
            else:
                for lines, ends, split in chunk.lines(_stretches(goes_to)):
                    writer.add_lines(split, lines, ends)
            for row in chunk.facts.rejected:
                item = Rejected(*row)
                writer.reject(item.source, item.why)
            base += len(chunk)
    _write_duplicates(folder, every, sifted, tally, format)
    steps = {name: step.examples for name, step in tally.steps.items() if step.examples}
    (folder / "examples.json").write_text(json.dumps(steps, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return dict(sorted(writer.counts.items()))


def _stretches(sides: np.ndarray) -> Iterator[tuple[int, int, str]]:
    """From where to before where neighbours go to the same split, and to which; without those that go to none (-1)."""
    edges = np.flatnonzero(np.diff(sides)) + 1
    for first, last in pairwise([0, *edges.tolist(), len(sides)]):
        if last > first and sides[first] >= 0:
            yield first, last, SPLITS[sides[first]]


def _count(chunks: Sequence[Chunk], sifted: Sifted, tally: Tally, others: int) -> None:
    """One step after the other: of what one left, how much the next leaves."""
    characters = np.concatenate([chunk.column("characters") for chunk in chunks if len(chunk)])
    there = sifted.fates != OTHERS
    for fate, name in STEP_OF.items():
        gone = sifted.fates == fate
        if not gone.any() and fate != EXACT:
            continue
        step = tally.of(name)
        step.documents_in, step.characters_in = int(there.sum()), int(characters[there].sum())
        there &= ~gone
        step.documents_out, step.characters_out = int(there.sum()), int(characters[there].sum())
        theirs = int((gone & (sifted.clusters < others)).sum()) if fate in (EXACT, NEAR) else 0
        for reason, dropped in ((name, int(gone.sum()) - theirs), ("in another dataset", theirs)):
            if dropped:
                step.dropped[reason] = dropped


def _write_duplicates(folder: Path, chunks: Sequence[Chunk], sifted: Sifted, tally: Tally, format: Format) -> None:
    """``duplicates.jsonl``: of every document that was dropped for another, which it is like, which of them all
    was kept, and how similar it and the former are."""
    similar = {match.number: match for match in sifted.matches}
    dropped = np.flatnonzero((sifted.fates == EXACT) | (sifted.fates == NEAR)).tolist()
    if not dropped:
        return
    documents = lru_cache(maxsize=256)(Documents(chunks).__getitem__)
    shown = 0
    with (folder / "duplicates.jsonl").open("w", encoding="utf-8") as file:
        for number in dropped:
            first = int(sifted.of[number])
            match = similar.get(number) if first == number else None
            of, similarity = (match.of, match.similarity) if match else (first, 1.0)
            own, other, kept = documents(number), documents(of), documents(int(sifted.clusters[number]))
            row: dict[str, Any] = {
                "source": own["source"],
                "of": other["source"],
                "kept": kept["source"],
                "similarity": round(similarity, 4),
            }
            if "label" in own:
                row |= {"label": own["label"], "kept_label": kept.get("label")}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            if match and shown < SHOWN_PAIRS:
                shown += 1
                step = tally.of(STEP_OF[NEAR])
                step.examples.append(
                    {
                        "source": own["source"],
                        "reason": f"{similarity:.0%} like {other['source']}",
                        "text": said_in(own, format)[:SHOWN_CHARACTERS],
                        "became": said_in(other, format)[:SHOWN_CHARACTERS],
                    }
                )

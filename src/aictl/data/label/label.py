"""A dataset with a label for each document: let functions vote, weigh them, add what people said.

Documents stream twice, once past the functions and once into the new dataset. What is held in between is a
number or two a document, and one row for every different way in which the functions voted.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aictl.artifacts.dataset import Dataset, DatasetWriter
from aictl.core.command import Work
from aictl.core.errors import BadInput, BadRequest, WorkFailed
from aictl.core.events import Events
from aictl.data.label import agreement, label_model, report, review, reviewed
from aictl.data.label.declaration import Declaration, read
from aictl.data.label.functions import Means, Voter, open_functions
from aictl.data.label.llm import ANSWERS
from aictl.data.label.reviewed import Reviews
from aictl.data.label.spec import LabelSpec
from aictl.data.label.texts import batches, id_of
from aictl.data.label.votes import Patterns, VoteTable, patterns, save

CONFIDENCE_DECIMALS = 4
NAMED_IDS = 3
_OURS = ("label", "confidence", "reviewed", "votes")  # what an earlier labelling may have written


def label(work: Work[LabelSpec]) -> Dataset:
    """Make the labelled dataset.

    Raises :class:`BadInput` for a labels.toml, a reviewed file or code that is wrong, :class:`TryLater`
    where an endpoint is down, with what was kept, :class:`WorkFailed` if no document gets a label, and
    :class:`WrongKind` for a dataset of pictures.
    """
    spec, dataset, events = work.spec, work.inputs["dataset"], work.events
    dataset.require_format("text", "chat", cure="functions vote on what is said; pictures come with their labels")
    if spec.review_out is not None:
        review.check_target(spec.review_out)
    declaration = read(work.inputs["functions"].path)
    reviews = reviewed.read(work.inputs["reviewed"], declaration.names)
    answers = _answers(work.inputs["answers"])
    code, embedder, classifier = (work.inputs[role] for role in ("code", "embedder", "classifier"))
    means = Means(spec, code, embedder, classifier, answers, work.scratch, events)
    voters = open_functions(declaration, means)
    run = _Run(dataset, declaration, reviews, spec)

    table = VoteTable(work.scratch, len(voters), len(declaration.labels))
    seen = run.vote(voters, table, events)
    votes = table.read()
    found = patterns(votes, run.known)
    fitted = label_model.fit(found, len(declaration.labels))
    told = report.describe(declaration, found, fitted, table.facts)
    told["review"] = _review(reviews, seen, events)
    counts = run.write(work.folder, votes, found, fitted, told)
    if not counts.total() - counts[""]:
        raise WorkFailed(
            "no document gets a label: no function votes on any with enough confidence",
            cure="look at the functions' patterns, or lower --min-confidence",
        )
    for one in told["labels"]:
        one["documents"] = counts[one["name"]]
    report.write(told, work.folder)
    if (work.scratch / ANSWERS).exists():
        shutil.copyfile(work.scratch / ANSWERS, work.folder / ANSWERS)
    for warning in report.warnings(told, found):
        events.noted(warning, "warning")
    return Dataset(work.folder, metrics=_metrics(told, counts), summary=_summary(counts))


class _Run:
    """One run: the documents past the functions, and into the new dataset.

    ``known`` is the label that people settled, by document, or -1: int16 (documents,).
    """

    def __init__(self, dataset: Dataset, declaration: Declaration, reviews: Reviews, spec: LabelSpec) -> None:
        self._dataset = dataset
        self._declaration = declaration
        self._reviews = reviews
        self._settled = reviews.settled
        self._spec = spec
        self.known: np.ndarray = np.full(sum(dataset.splits.values()), -1, np.int16)

    def vote(self, voters: Mapping[str, Voter], table: VoteTable, events: Events) -> dict[str, list[int]]:
        """Fill the table of votes; returns the documents of every id that was reviewed."""
        seen: dict[str, list[int]] = {}
        events.started("vote", len(self.known), "documents")
        for batch in batches(self._dataset, self._declaration.roles):
            if self._reviews.said:
                for number, document in enumerate(batch.documents, batch.start):
                    if (id := id_of(document)) in self._reviews.said:
                        seen.setdefault(id, []).append(number)
                        if id in self._settled:
                            self.known[number] = self._declaration.names.index(self._settled[id][0])
            if table.rows <= batch.start:  # an earlier run that was killed may have been here
                before = {name: Counter(voter.facts()) for name, voter in voters.items()}
                columns = [voter.vote(batch.texts, batch.start) for voter in voters.values()]
                facts = {name: Counter(voter.facts()) - before[name] for name, voter in voters.items()}
                table.append(np.stack(columns, axis=1), facts)
            events.advanced("vote", batch.start + len(batch.texts))
        events.finished("vote")
        return seen

    def write(
        self, folder: Path, votes: np.ndarray, found: Patterns, fitted: label_model.Fitted, told: dict[str, Any]
    ) -> Counter[str]:
        """Write the documents with their labels; returns how many have each, those without one under ''."""
        best = fitted.posterior.argmax(axis=1)
        certain = np.round(fitted.posterior.max(axis=1), CONFIDENCE_DECIMALS)
        labelled = (found.covered & (certain >= self._spec.min_confidence)) | (found.known >= 0)
        counts: Counter[str] = Counter()
        kept: np.ndarray = np.ones(len(votes), bool)
        with DatasetWriter(folder, self._dataset.format) as writer:
            for batch in batches(self._dataset):
                rows = zip(batch.splits, batch.documents, strict=True)
                for number, (split, document) in enumerate(rows, batch.start):
                    pattern = found.of[number]
                    name = self._declaration.names[best[pattern]] if labelled[pattern] else None
                    counts[name or ""] += 1
                    if name is None and self._spec.uncovered == "drop":
                        kept[number] = False
                        continue
                    line = {key: value for key, value in document.items() if key not in _OURS}
                    line |= {"label": name, "confidence": float(certain[pattern]) if name else None}
                    if found.known[pattern] >= 0:
                        share = self._settled[id_of(document)][1]
                        line |= {"confidence": round(share, CONFIDENCE_DECIMALS), "reviewed": True}
                    if self._spec.votes:
                        line["votes"] = self._said(votes[number])
                    writer.add(split, line)
        if not kept.all():
            moved = np.cumsum(kept) - 1  # votes and numbers are of the documents that are there
            undecided = told["review"]["undecided_documents"]
            told["review"]["undecided_documents"] = [int(moved[number]) for number in undecided if kept[number]]
        save(votes if kept.all() else np.asarray(votes)[kept], folder)
        return counts

    def _said(self, row: np.ndarray) -> dict[str, str]:
        names, functions = self._declaration.names, self._declaration.functions
        return {function.name: names[vote] for function, vote in zip(functions, row, strict=True) if vote >= 0}


def _answers(datasets: Sequence[Dataset]) -> list[Path]:
    for one in datasets:
        if not (one.folder / ANSWERS).exists():
            raise BadRequest(f"--answers {one.label}: no language model was asked for it")
    return [one.folder / ANSWERS for one in datasets]


def _review(reviews: Reviews, seen: Mapping[str, list[int]], events: Events) -> dict[str, Any]:
    """What labels.json says of people. Raises :class:`BadInput` if they reviewed something else."""
    unknown = sorted(set(reviews.said) - set(seen))
    named = ", ".join(unknown[:NAMED_IDS])
    if unknown and len(unknown) == len(reviews.said):
        raise BadInput(
            f"none of the {len(unknown):,} reviewed ids is of a document in this dataset: {named}",
            cure="give the dataset that was reviewed, or the review of this one",
        )
    if unknown:
        events.noted(f"{len(unknown):,} reviewed ids are of no document in this dataset: {named}", "warning")
    if reviews.repeated:
        events.noted(f"{reviews.repeated:,} reviewed rows repeat what the same annotator said before")
    undecided = set(seen) - set(reviews.settled)
    return {
        "annotators": reviews.annotators,
        "documents": sum(map(len, seen.values())),
        "unknown_ids": len(unknown),
        "undecided_documents": sorted(number for id in undecided for number in seen[id]),
        "agreement": agreement.between({id: reviews.said[id] for id in sorted(seen)}),
    }


def _metrics(told: Mapping[str, Any], counts: Counter[str]) -> dict[str, Any]:
    labelled = {name: count for name, count in sorted(counts.items()) if name}
    return {
        "documents": counts.total(),
        "labelled": sum(labelled.values()),
        "labels": labelled,
        "coverage": told["coverage"],
        "overlaps": told["overlaps"],
        "conflicts": told["conflicts"],
        "functions": {
            one["name"]: {key: one[key] for key in ("coverage", "conflicts", "estimated_accuracy")}
            for one in told["functions"]
        },
        "review": {key: told["review"][key] for key in ("annotators", "documents", "agreement")},
    }


def _summary(counts: Counter[str]) -> str:
    documents = counts.total()
    labelled = documents - counts[""]
    classes = ", ".join(f"{name} {count:,}" for name, count in counts.most_common() if name)
    return f"{labelled:,} of {documents:,} documents labelled ({labelled / documents:.1%}): {classes}"

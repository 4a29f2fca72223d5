"""The account of a run: what was read, set aside and dropped, in words for a person and numbers for the record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from aictl.artifacts.dataset import Format
from aictl.core.errors import BadInput
from aictl.data.documents import InputFile, Rejected
from aictl.data.prep.intake import nothing_to_read, suffix_counts
from aictl.data.prep.route import CLIPPED
from aictl.data.prep.shelf import Chunk
from aictl.data.prep.spec import PrepSpec
from aictl.data.prep.tally import StepTally, Tally

NAMED_REJECTIONS = 5  # how many are named in an error or a note


class Account:
    """Everything that the chunks say of what happened, added up."""

    def __init__(self, chunks: Sequence[Chunk], files: Sequence[InputFile], format: Format, spec: PrepSpec) -> None:
        self.files, self.format, self.spec = files, format, spec
        self.tally = Tally()
        self.rejected = 0
        self.reasons: Counter[str] = Counter()
        self.read = 0
        self._first_rejected: list[Rejected] = []
        self._left_out: set[str] = set()
        for chunk in chunks:
            self.tally.add(Tally.from_json(dict(chunk.facts.tally)))
            self.read += chunk.facts.files
            self._left_out.update(name for name, *_ in chunk.facts.left_out)
            for row in chunk.facts.rejected:
                self.rejected += 1
                self.reasons[row[1]] += 1
                if len(self._first_rejected) < NAMED_REJECTIONS:
                    self._first_rejected.append(Rejected(*row))

    @property
    def left_out(self) -> list[InputFile]:
        return [file for file in self.files if file.name in self._left_out]

    def require_good(self) -> None:
        """Raise :class:`BadInput` if what was read is of no use."""
        good = self._step("clean").documents_in
        if self.rejected and (not good or self.rejected > self.spec.files.max_rejected * (self.rejected + good)):
            raise BadInput(
                f"{self.rejected:,} of {self.rejected + good:,} documents cannot be used: {self._named()}",
                cure="mend them, --exclude their files, or raise --max-rejected",
            )
        named = next((file for file in self.left_out if file.named), None)
        if named or not good:
            if named:
                raise nothing_to_read([named], self.spec, self.format)
            raise nothing_to_read(self.left_out or self.files, self.spec)
        if not self._remaining(good):
            length = self._step("length")
            short, empty = length.dropped["too short"], length.dropped["empty"]
            others = {
                name: step.dropped.total()
                for name, step in self.tally.steps.items()
                if name != "length" and step.dropped
            }
            said = [f"{short:,} are shorter than {self.spec.filters.min_chars} characters and {empty:,} are empty"]
            said += [f"{count:,} were dropped by {name}" for name, count in others.items()]
            raise BadInput(
                f"nothing is left of {good:,} documents: {', '.join(said)}",
                cure="lower --min-chars" if short else "drop less" if others else "give files with content",
            )

    def _step(self, name: str) -> StepTally:
        return self.tally.steps.get(name, StepTally())

    def _remaining(self, good: int) -> int:
        return good - sum(step.dropped.total() for step in self.tally.steps.values())

    def _named(self) -> str:
        more = self.rejected - len(self._first_rejected)
        return "; ".join(map(str, self._first_rejected)) + (f"; and {more:,} more" if more else "")

    def notes(self) -> Iterator[str]:
        left_out = self.left_out
        if left_out:
            yield f"left out {len(left_out):,} files that hold no {self.format} documents: {suffix_counts(left_out)}"
        if self.rejected:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.reasons.most_common())
            said = reasons if self.rejected > NAMED_REJECTIONS else self._named()
            yield f"set aside {self.rejected:,} documents (rejected.jsonl has them all): {said}"
        if clipped := self._step("clean").changed[CLIPPED]:
            yield f"{clipped:,} pictures have boxes that reached over their edge and were cut there"
        if (
            self.format == "text"
            and self.spec.reading.has_labels
            and (short := self._step("length").dropped["too short"])
        ):
            least = self.spec.filters.min_chars
            yield f"dropped {short:,} texts of fewer than {least} characters; --min-chars 1 keeps short ones"

    def metrics(self) -> dict[str, Any]:
        """The counts of the run, for the record; ``steps`` is the way from all documents to those that are kept."""
        clean, length, steps = self._step("clean"), self._step("length"), self.tally.steps
        size = "bytes" if self.format == "image" else "characters"
        return {
            "documents": {
                "in": clean.documents_in + self.rejected,
                "out": next(reversed(steps.values())).documents_out,
                "duplicates": self._step("exact duplicates").dropped.total(),
                "too_short": length.dropped["too short"],
                "empty": length.dropped["empty"],
                "rejected": self.rejected,
            },
            "rejected": dict(sorted(self.reasons.items())),
            "cleaned": {
                name: clean.changed[name]
                for name in ("mojibake", "newlines", "control_characters", "normalized", "trimmed")
            },
            "steps": [
                {
                    "step": name,
                    "documents": step.documents_out,
                    size: step.characters_out,
                    "dropped": dict(sorted(step.dropped.items())),
                    "changed": dict(sorted(step.changed.items())),
                    "found": dict(sorted(step.found.items())),
                }
                for name, step in steps.items()
            ],
            "files": {"read": self.read, "left_out": len(self.left_out)},
        }

"""The settings of the commands that look at datasets."""

from __future__ import annotations

from aictl.core.spec import Spec, option


class HeadSpec(Spec):
    """Which documents to show, and how much of each."""

    count: int = option(10, ge=1, short="n", help="how many documents")
    split: str = option("train", help="of which split")
    full: bool = option(False, help="show the whole text of each, not only what the window has room for")


class SampleSpec(HeadSpec):
    """Which documents to draw, and how much of each to show."""

    seed: int = option(0, ge=0, help="another seed draws other documents")


class FindSpec(Spec):
    """What to look for, and what to show of it."""

    text: str = option(positional=True, help="what to look for")
    regex: bool = option(False, help="TEXT is a regular expression, in RE2's syntax; ^ and $ are the ends of a line")
    ignore_case: bool = option(False, short="i", help="large letters are as good as small ones")
    count: bool = option(False, help="only say how many documents hold it")
    documents: int | None = option(None, ge=1, short="n", help="stop after so many documents (default: none)")
    split: str | None = option(None, help="look into this split alone")
    full: bool = option(False, help="show the whole documents, not only what stands around each place")


class StatsSpec(Spec):
    """How much to say, and who works it out."""

    rows: int = option(20, ge=1, le=1000, short="n", help="how many of the most frequent words, sources and labels")
    workers: int | None = option(
        None, ge=1, le=4096, affects_result=False, help="processes that measure (default: as many as cores)"
    )


class DiffSpec(Spec):
    """How much to show of what differs."""

    samples: int = option(3, ge=0, le=1000, short="n", help="documents of each kind of difference that are shown")


class ReportSpec(Spec):
    """What to show, and who works it out."""

    documents: int = option(6, ge=0, le=100, short="n", help="documents that are shown, drawn at random")
    seed: int = option(0, ge=0, help="another seed draws other documents")
    workers: int | None = option(
        None, ge=1, le=4096, affects_result=False, help="processes that measure (default: as many as cores)"
    )

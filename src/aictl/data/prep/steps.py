"""The steps that a spec asks for, in their order. Each takes a block and gives back another, of fewer documents or of
changed ones, and knows nothing of the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from aictl.artifacts.dataset import Format
from aictl.core.errors import BadRequest
from aictl.data.documents import Document
from aictl.data.prep.block import Block
from aictl.data.prep.spec import PII_KINDS, FilterSpec, PrepSpec
from aictl.data.prep.tally import Tally
from aictl.data.steps import c4, fineweb, gopher, gopher_repetition
from aictl.data.steps.contamination import Evaluation

if TYPE_CHECKING:
    from aictl.data.steps.blocklist import Blocklist

Step = Callable[[Block, Tally], Block]


class Job(NamedTuple):
    """What is done with every stream. ``evaluation`` is what no document may hold, if there is such;
    ``blocked_words`` and ``blocked_urls`` are the entries of lists."""

    format: Format
    spec: PrepSpec
    evaluation: Evaluation | None = None
    blocked_words: tuple[str, ...] = ()
    blocked_urls: tuple[str, ...] = ()


def steps_of(job: Job) -> list[Step]:
    """Every step of a job, in order: what is quick and drops much comes before what is slow. Personal data goes
    last, from what is left. Raises :class:`BadRequest` for a language that nobody knows."""
    steps: list[Step] = []
    filters = job.spec.filters
    text = job.format == "text"
    if text:
        steps.append(_length(filters.min_chars))
    if job.blocked_words or job.blocked_urls or filters.profanity == "drop":
        steps.append(_blocked(job))
    if filters.languages:
        steps.append(_languages(filters))
    if text:
        steps += [_rules(name) for name in filters.quality]
    if job.evaluation:
        steps.append(_contamination(job.evaluation))
    if filters.pii:
        steps.append(_pii(filters))
    return steps


def shown_of(spec: PrepSpec) -> Callable[[str], str]:
    """How a document may be shown among the examples: without the personal data that the spec takes out of it."""
    if not spec.filters.pii:
        return lambda text: text
    scrub = _scrubber(spec.filters)
    return lambda text: scrub(text)[0]


def _dropped(name: str, block: Block, reasons: Sequence[str | None], tally: Tally) -> Block:
    after = block.without(reasons)
    tally.through(name, block, after)
    tally.dropped(name, block.documents, reasons)
    return after


def _length(min_chars: int) -> Step:
    def step(block: Block, tally: Tally) -> Block:
        reasons = [None if len(text) >= max(1, min_chars) else "too short" if text else "empty" for text in block.texts]
        return _dropped("length", block, reasons, tally)

    return step


def _blocked(job: Job) -> Step:
    from aictl.data.steps.blocklist import english

    filters = job.spec.filters
    words = (*job.blocked_words, *(english() if filters.profanity == "drop" else ()))
    lists = _lists(words, job.blocked_urls, filters.blocked_per_thousand)

    def step(block: Block, tally: Tally) -> Block:
        rules = lists.blocked(block.texts, [one.url or None for one in block.documents])
        return _dropped("blocked", block, [rule and f"a blocked {rule.kind}" for rule in rules], tally)

    return step


@lru_cache(maxsize=1)  # a process has many streams, and lists may have millions of entries
def _lists(words: tuple[str, ...], urls: tuple[str, ...], per_thousand: float) -> Blocklist:
    from aictl.data.steps.blocklist import Blocklist

    patterns = [one for one in urls if "/" in one or "*" in one]
    domains = [one for one in urls if "/" not in one and "*" not in one]
    return Blocklist(words, domains, patterns, per_thousand)


def _languages(filters: FilterSpec) -> Step:
    from aictl.data.steps.language import codes, identify

    wanted = set(filters.languages)
    if unknown := wanted - codes() - {"any"}:
        raise BadRequest(
            f"no language has the code {', '.join(sorted(unknown))}",
            cure="codes are those of ISO 639-1, such as en or de, or of ISO 639-3 where there is none; any takes all",
        )

    def step(block: Block, tally: Tally) -> Block:
        found = [one.code for one in identify(block.texts, filters.language_confidence)]
        reasons = [None if code in wanted or "any" in wanted else code for code in found]
        tally.of("language").found.update(code for code, out in zip(found, reasons, strict=True) if not out)
        return _dropped("language", block, reasons, tally)

    return step


_RULE_BOOKS: dict[str, Any] = {"gopher": gopher, "gopher-repetition": gopher_repetition, "fineweb": fineweb}


def _rules(name: str) -> Step:
    if name == "c4":
        return _c4

    def step(block: Block, tally: Tally) -> Block:
        return _dropped(name, block, _RULE_BOOKS[name].judge(block.view).names(), tally)

    return step


def _c4(block: Block, tally: Tally) -> Block:
    """Drops lines too, so that what is left is another text."""
    found = [c4.clean(text) for text in block.texts]
    reasons = [reason for _, reason, _ in found]
    documents = [
        Document(one.source, text, one.url, one.label) for one, (text, _, _) in zip(block.documents, found, strict=True)
    ]
    after = Block(documents).without(reasons)
    step = tally.through("c4", block, after)
    tally.dropped("c4", block.documents, reasons)
    for before, (text, reason, lines) in zip(block.documents, found, strict=True):
        step.changed.update(lines)
        if lines and not reason:
            tally.changed("c4", before.source, next(iter(lines)), str(before.content), text)
    return after


def _contamination(evaluation: Evaluation) -> Step:
    def step(block: Block, tally: Tally) -> Block:
        reasons = [name and f"in {name}" for name in evaluation.judge(block.view)]
        return _dropped("contamination", block, reasons, tally)

    return step


def _pii(filters: FilterSpec) -> Step:
    scrub = _scrubber(filters)

    def step(block: Block, tally: Tally) -> Block:
        found: Counter[str] = Counter()

        def rewrite(text: str) -> str:
            scrubbed, kinds = scrub(text)
            found.update(kinds)
            return scrubbed

        after, changed = block.rewritten(rewrite)
        step = tally.through("personal data", block, after)
        step.found.update(found)
        step.changed["scrubbed"] += len(changed)
        for place in changed[:1]:
            step.show(block.documents[place].source, "scrubbed", _around_placeholder(after.texts[place]))
        return after

    return step


def _scrubber(filters: FilterSpec) -> Callable[[str], tuple[str, Counter[str]]]:
    from aictl.data.steps.pii import phones, scrub

    kinds: Any = PII_KINDS if "all" in filters.pii else filters.pii
    regions = filters.pii_regions or phones.REGIONS
    if unknown := set(regions) - phones.known_regions():
        raise BadRequest(
            f"no telephone numbers are known of {', '.join(sorted(unknown))}", cure="give ISO 3166-1 codes, such as US"
        )
    return lambda text: scrub(text, kinds, regions=regions)


def _around_placeholder(text: str) -> str:
    """What stands around the first placeholder: of what it is for, nothing is shown."""
    at = min((place for kind in PII_KINDS if (place := text.find(f"<{kind.upper()}>")) >= 0), default=0)
    return text[max(0, at - 200) :]

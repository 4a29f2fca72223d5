"""The steps that look into texts: what they find of what is known to be there, and how fast they are."""

from __future__ import annotations

import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from tests.bench import corpus, multilingual, personal_data

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "text-steps.md"
TEXTS_OF_A_KIND = 2000
SPEED_BYTES = 16_000_000
BLOCK = 256  # texts that a step is given at once
HEAD = """# Languages, personal data, block lists and repair

Written by `make bench` (alone: `python -m tests.bench text-steps`). What is found is held against what is known to be
there; speed is MB of text per second of one process's CPU time. The machine: {machine}.
"""


def write(place: Path, machine: str) -> None:
    """Measure, and write docs/benchmarks/text-steps.md."""
    lines = [*_personal_data(), *_languages(place / "multilingual"), *_speed(place)]
    PAGE.write_text(HEAD.format(machine=machine) + "\n".join(lines) + "\n", "utf-8")
    print("\n".join(lines))


def _personal_data() -> list[str]:
    from aictl.data.steps import pii

    texts = [
        *personal_data.positives(TEXTS_OF_A_KIND, seed=1),
        *personal_data.negatives(TEXTS_OF_A_KIND, seed=2),
    ]
    scores = personal_data.score(pii.find, texts)
    lines = [
        "\n## Personal data\n",
        f"{len(texts):,} generated texts: each kind in sentences, tables, JSON and XML, its check digits by",
        "python-stdnum; half of them only look as if they held some (order numbers, versions, hashes, places, ISBNs).",
        "Goals: recall 0.99, precision 0.98.\n",
        "| kind | there | recall | precision |",
        "|---|---|---|---|",
    ]
    for kind in (*pii.KINDS, "all"):
        one = scores[kind]
        lines.append(f"| {kind} | {one.there:,} | {one.recall:.4f} | {one.precision:.4f} |")
    return lines


def _languages(folder: Path) -> list[str]:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    from aictl.data.steps.language import identify

    lines = ["\n## Languages\n"]
    folder.mkdir(exist_ok=True)
    try:
        documents = multilingual.gather(folder)
    except (OSError, subprocess.SubprocessError) as error:
        return [*lines, f"Not measured: {error}"]
    texts = [document.text for document in documents]
    began = time.process_time()
    found = [one.code for one in identify(texts)]
    took_s = time.process_time() - began
    library = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    some = texts[:: max(1, len(texts) // 2000)]
    began = time.process_time()
    for text in some:
        library.classify(text)
    rates = [len(part) / taken for part, taken in ((texts, took_s), (some, time.process_time() - began))]
    right: dict[str, list[bool]] = defaultdict(list)
    languages: dict[str, set[str]] = defaultdict(set)
    for document, code in zip(documents, found, strict=True):
        right[document.set].append(document.language == code)
        languages[document.set].add(document.language)
    lines += [
        "Documents of at least 200 characters whose language is known by where they lie: GNOME's help and the manual",
        "pages (prose), what Firefox says in its windows (strings). Goal: 0.98.\n",
        "| set | languages | documents | right |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {len(languages[name])} | {len(row):,} | {sum(row) / len(row):.4f} |" for name, row in right.items()
    ]
    lines.append(f"\nOurs tells {rates[0]:,.0f} documents per CPU-second, py3langid itself {rates[1]:,.0f}.")
    return lines


def _speed(place: Path) -> list[str]:
    from aictl.data.steps import pii
    from aictl.data.steps.blocklist import Blocklist, english
    from aictl.data.steps.language import identify
    from aictl.data.steps.repair import repair

    path = place / "text-steps.jsonl"
    corpus.write(path, SPEED_BYTES)
    texts = list(corpus.texts(path))
    words = Blocklist(english())
    domains = Blocklist(domains=[f"site{number}.example" for number in range(100_000)])
    steps: dict[str, Callable[[Sequence[str]], object]] = {
        "mojibake": lambda block: [repair(text) for text in block],
        "language": identify,
        "the English word list": words.blocked,
        "100,000 domains": domains.blocked,
        "personal data, all kinds": lambda block: [pii.scrub(text) for text in block],
    }
    size = sum(len(text.encode()) for text in texts) / 1e6
    lines = ["\n## Speed\n", f"On {size:.0f} MB of what any Debian has.\n", "| step | MB/CPU-s |", "|---|---|"]
    for name, step in steps.items():
        step(texts[:BLOCK])
        began, rest = time.process_time(), iter(texts)
        while block := list(islice(rest, BLOCK)):
            step(block)
        lines.append(f"| {name} | {size / (time.process_time() - began):.3g} |")
    return lines

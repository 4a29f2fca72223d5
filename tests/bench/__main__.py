"""Measures everything and writes docs/benchmarks.md and the pages below docs/benchmarks: ``make bench``.

``python -m tests.bench PAGE`` writes one of those pages alone: ``planner`` (in seconds), ``machine``, ``data``,
``text-steps``, ``tokenizing``, ``labelling``, ``small-models``, ``training``, ``training-quality``, ``tasks``,
``finetune``, ``finetune-memory``, ``optimizing`` or ``searching``. ``fit`` refits the planner's constants and prints
them.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench import (
    data,
    decode,
    engines,
    finetune,
    finetune_memory,
    labelling,
    machine,
    optimizing,
    planner,
    planner_page,
    planner_serving,
    searching,
    small_models,
    startup,
    tasks,
    text_steps,
    tokenizing,
    training,
    training_quality,
)
from tests.bench.measure import Pair

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Written by `make bench`. Every figure is CPU time (user and system) of whole processes, ours and the peer's run
in turn, A B A B; the ratio is the median over the pairs, with its quartiles. Absolute times belong to the machine
that ran them: {machine}.

Pages of their own have [the planner against published runs](benchmarks/planner.md),
[the planner against small models on this machine](benchmarks/small-models.md),
[`hw bench` beside independent tools](benchmarks/machine.md),
[data preparation beside its peers](benchmarks/data.md),
[languages, personal data, block lists and repair](benchmarks/text-steps.md),
[tokenizing beside Hugging Face tokenizers](benchmarks/tokenizing.md),
[the label model beside others](benchmarks/labelling.md),
[what the presets come to](benchmarks/tasks.md),
[pretraining beside its peers](benchmarks/training.md),
[what checkpoints cost, and the same run by Hugging Face Trainer](benchmarks/training-quality.md),
[fine-tuning beside trl](benchmarks/finetune.md),
[the memory that fine-tuning takes and what it comes to](benchmarks/finetune-memory.md),
[models made smaller and faster](benchmarks/optimizing.md),
[decoding beside other engines](benchmarks/engines.md) and
[what a search for the best of them finds](benchmarks/searching.md).
"""


Write = Callable[[Path], object]
PAGES: dict[str, Write] = {
    "planner": lambda _: planner_page.write(),
    "machine": machine.write,
    "data": lambda place: data.write(place, _machine()),
    "text-steps": lambda place: text_steps.write(place, _machine()),
    "tokenizing": lambda place: tokenizing.write(place, _machine()),
    "labelling": lambda place: labelling.write(place, _machine()),
    "small-models": lambda place: small_models.write(place, _machine()),
    "training": lambda place: training.write(place, _machine()),
    "training-quality": lambda place: training_quality.write(place, _machine()),
    "tasks": lambda place: tasks.write(place, _machine()),
    "finetune": lambda place: finetune.write(place, _machine()),
    "optimizing": lambda place: optimizing.write(place, _machine()),
    "engines": lambda place: engines.write(place, _machine()),
    "searching": lambda place: searching.write(place, _machine()),
    "finetune-memory": lambda place: finetune_memory.write(place, _machine()),
}


def main() -> int:
    wanted = sys.argv[1:]
    if wanted == ["fit"]:
        planner.print_fit()
        planner_serving.print_fit()
        return 0
    if not set(wanted) <= set(PAGES):
        print(f"pages are {', '.join(PAGES)}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="aictl-bench-") as name:
        place = Path(os.environ.get("AICTL_BENCH_FOLDER", name))
        if not wanted:
            _overview(place)
        for page in wanted or PAGES:
            PAGES[page](place)
    return 0


def _overview(place: Path) -> None:
    """Starting up, and decoding."""
    lines = [HEAD.format(machine=_machine()), "## Starting up, CPU milliseconds\n"]
    lines += ["| what | peer | ours | peer's | ours / peer's | goal |", "|---|---|---|---|---|---|"]
    for row in startup.measure(place):
        lines.append(f"| {row.what} | {row.peer} | {_figures(row.figures)} | {row.goal} |")
        print(lines[-1])
    pair, cost = decode.measure(place)
    lines += ["", "## Decoding, SmolLM2-135M-Instruct, one thread each, CPU milliseconds per token\n"]
    lines += ["| ours | peer | ours | peer's | peer's / ours | goal |", "|---|---|---|---|---|---|"]
    ratio = f"**{pair.ratio:.1f}** ({pair.low:.1f}–{pair.high:.1f})"
    lines.append(
        f"| int4 through `aictl serve`, HTTP included | transformers, eager float32 | {pair.ours_s * 1e3:.1f} "
        f"| {pair.theirs_s * 1e3:.1f} | {ratio} | at least 6 |"
    )
    print(lines[-1])
    lines.append(
        f"\nThat int4 model is {cost['size_bytes'] / 1e6:.0f} MB and its held-out perplexity is "
        f"{cost['quality_loss'] * 100:+.1f}%. That is past the default gate of 5%, which is opened here to "
        "measure speed; [the choice of quantiser](decisions/quantiser.md) has the other methods."
    )
    PAGE.write_text("\n".join(lines) + "\n", "utf-8")


def _figures(pair: Pair | str) -> str:
    if isinstance(pair, str):
        return f"– | – | {pair}"
    ratio = f"**{pair.ratio:.2f}** ({pair.low:.2f}–{pair.high:.2f})"
    return f"{pair.ours_s * 1e3:.0f} | {pair.theirs_s * 1e3:.0f} | {ratio}"


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    cpu = next(names, platform.machine())
    return f"{len(os.sched_getaffinity(0))} cores of {cpu}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())

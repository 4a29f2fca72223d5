"""Texts that come with this package, for language models of which no held-out text is known.

They are beginnings and famous passages of works in English that are in the public domain everywhere, the latest of
1898. A model may know them by heart: they say how much worse it became, and not how good it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aictl.artifacts.dataset import Dataset, DatasetWriter

_TEXTS = Path(__file__).with_name("public_domain.txt")


def shipped(folder: Path) -> Dataset:
    """Write them as the split ``validation`` of a dataset into ``folder``, unless it is there."""
    if not (folder / "dataset.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with DatasetWriter(folder, "text") as writer:
            for source, text in _passages():
                writer.add("validation", {"text": text, "source": source})
    return Dataset(folder, name="public-domain")


def _passages() -> Iterator[tuple[str, str]]:
    for passage in _TEXTS.read_text("utf-8").split("\n\n"):
        source, _, text = passage.strip().partition("\n")
        yield source.removeprefix("# "), text

"""What a dataset of pictures measures, as an answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from aictl.artifacts.dataset import Dataset
from aictl.artifacts.quantity import size
from aictl.core.answer import Section, Table
from aictl.core.events import Events
from aictl.data.looking.shards import blocks, records, require_count, size_bytes
from aictl.data.looking.stats.lengths import Lengths
from aictl.data.looking.stats.pages import quantiles

_TASK = "measure"
_MEASURED = ("width", "height", "size_bytes")
_NAMES = {"size_bytes": "bytes"}


class Pictures:
    """What the pictures of one split measure. ``labels`` has None for those without one."""

    def __init__(self) -> None:
        self.count = self.bytes = 0
        self.lengths = {name: Lengths() for name in _MEASURED}
        self.labels: Counter[str | None] = Counter()
        self.formats: Counter[str] = Counter()
        self.modes: Counter[str] = Counter()

    def add(self, documents: list[dict[str, Any]]) -> None:
        self.count += len(documents)
        for name in _MEASURED:
            self.lengths[name].add(np.array([one.get(name, 0) for one in documents], np.int64))
        self.bytes += sum(one["size_bytes"] for one in documents)
        self.labels.update(one.get("label") for one in documents)
        self.formats.update(one["image"].rpartition(".")[2] for one in documents)
        self.modes.update(str(one.get("mode")) for one in documents)

    def merge(self, other: Pictures) -> None:
        self.count, self.bytes = self.count + other.count, self.bytes + other.bytes
        for name in _MEASURED:
            self.lengths[name].merge(other.lengths[name])
        for name in ("labels", "formats", "modes"):
            getattr(self, name).update(getattr(other, name))


def measure(dataset: Dataset, events: Events) -> dict[str, Pictures]:
    """Each split by its name. Only lines are read, no picture. Raises :class:`Damaged` at one that is no document."""
    found = {split: Pictures() for split in dataset.splits}
    done = 0
    events.started(_TASK, float(size_bytes(dataset)) or None, "bytes")
    for split, measures in found.items():
        for path in dataset.shards(split):
            for block in blocks(path):
                measures.add(records(block, dataset.format))
                done += len(block.data)
                events.advanced(_TASK, done)
        require_count(dataset, split, measures.count)
    events.finished(_TASK)
    return found


def facts(dataset: Dataset, splits: Mapping[str, Pictures], rows: int) -> dict[str, Any]:
    """As JSON values. Of labels there are ``rows``, in their order if the dataset has one."""
    whole = Pictures()
    for one in splits.values():
        whole.merge(one)
    ordered = [name for name in dataset.classes if name in whole.labels]
    others = [name for name, _ in whole.labels.most_common() if name is not None and name not in set(ordered)]
    names = [*ordered, *others]
    return {
        "dataset": dataset.label,
        "id": dataset.record.id if dataset.record else None,
        "format": dataset.format,
        "splits": {
            name: {"documents": one.count, "bytes": one.bytes, "shards": len(dataset.shards(name))}
            for name, one in splits.items()
        },
        "total": {"documents": whole.count, "bytes": whole.bytes},
        **{_NAMES.get(name, name): lengths.to_json() for name, lengths in whole.lengths.items()},
        "labels": {
            "different": len(names),
            "without": whole.labels[None],
            "rows": [
                {"label": name, "documents": whole.labels[name]}
                | {split: one.labels[name] for split, one in splits.items()}
                for name in names[:rows]
            ],
        },
        "formats": dict(whole.formats.most_common()),
        "modes": dict(whole.modes.most_common()),
    }


def sections(value: Mapping[str, Any]) -> Iterator[Section]:
    """The parts of the page, from ``facts``."""
    splits = value["splits"]
    rows = [[name, f"{one['documents']:,}", size(one["bytes"]), one["shards"]] for name, one in splits.items()]
    columns = ["split", "pictures", "bytes", "shards"]
    yield Section(f"Dataset '{value['dataset']}': {value['format']}", Table(columns, rows))
    measured = {name: value[name] for name in ("width", "height", "bytes") if value[name]}
    if measured:
        yield Section("How large a picture is", quantiles(measured))
    labels = value["labels"]
    if labels["rows"]:
        table = Table(
            ["label", "pictures", *splits],
            [[one["label"], f"{one['documents']:,}", *(f"{one[name]:,}" for name in splits)] for one in labels["rows"]],
        )
        yield Section("Labels", table)
        if left := labels["different"] - len(labels["rows"]):
            yield Section("", {"others": f"{left:,} more labels"})
    if labels["without"]:
        yield Section("", {"without a label": f"{labels['without']:,} pictures"})
    for name in ("formats", "modes"):
        yield Section(name.capitalize(), {key: f"{count:,} pictures" for key, count in value[name].items()})

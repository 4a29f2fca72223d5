"""The parts of the page that show what a dataset of pictures measures, and some of them.

A picture is shown as a small copy that is decoded and written anew, apart: no byte of its file comes onto the page.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aictl.artifacts import image_shards
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.quantity import percent, size
from aictl.core import extras
from aictl.data.documents import InputFile, Part, Unreadable
from aictl.data.looking.shards import Record, blocks, records
from aictl.data.looking.showing import about
from aictl.data.readers import apart
from aictl.pages.charts import Bar, bars
from aictl.pages.markup import Child, Markup, element
from aictl.pages.pieces import Part as Section
from aictl.pages.pieces import card, counted, paragraph, table

SIDE = 160  # pixels of a small copy
_BOUNDS = apart.Bounds(cpu_s=60)

Facts = Mapping[str, Any]


def figures(facts: Facts, read: int | None) -> Markup:
    """The numbers that one looks for first."""
    total, splits = facts["total"], facts["splits"]
    documents = total["documents"]
    held_out = documents - splits["train"]["documents"] if "train" in splits else 0
    without = facts["labels"]["without"]
    shown = [
        ("pictures", f"{documents:,}", f"{percent(documents / read)} of {read:,} read" if read else ""),
        ("files", size(total["bytes"]), f"{size(total['bytes'] // max(1, documents))} each, in the mean"),
        ("labels", f"{facts['labels']['different']:,}", f"{without:,} without one" if without else "on every picture"),
        ("held out", f"{held_out:,}", ", ".join(name for name in splits if name != "train") or "no other split"),
    ]
    cells = [
        element("div", element("dt", name), element("dd", value, element("small", more))) for name, value, more in shown
    ]
    return element("dl", cells, class_="facts")


def splits(facts: Facts) -> Section:
    rows = [[name, f"{one['documents']:,}", size(one["bytes"])] for name, one in facts["splits"].items()]
    return Section("splits", "Its splits", [table(["split", "pictures", "files"], rows, "figures")])


def labels(facts: Facts) -> Section | None:
    """How many pictures have each label, and how many of them stand on each side."""
    found = facts["labels"]
    if not found["rows"]:
        return None
    names, total = list(facts["splits"]), max(1, facts["total"]["documents"])
    shown = [Bar(one["label"], one["documents"], percent(one["documents"] / total)) for one in found["rows"]]
    rows = [[one["label"], *(f"{one[name]:,}" for name in names)] for one in found["rows"]]
    children: list[Child] = [bars(shown, "pictures by label"), table(["label", *names], rows, "figures")]
    if left := found["different"] - len(rows):
        children.append(paragraph(f"And {counted(left, 'other')}."))
    return Section("labels", "Labels", children)


def sizes(facts: Facts) -> Section | None:
    measured = {name: facts[name] for name in ("width", "height", "bytes") if facts[name]}
    if not measured:
        return None
    shares = list(next(iter(measured.values()))["quantiles"])
    rows = [
        [name, f"{one['min']:,}", *(f"{one['quantiles'][share]:,}" for share in shares), f"{one['max']:,}"]
        for name, one in measured.items()
    ]
    kinds = [[f"{what}: {name}", f"{count:,}"] for what in ("formats", "modes") for name, count in facts[what].items()]
    columns = ["in", "least", *(f"{share} %" for share in shares), "most"]
    tables = [table(columns, rows, "figures"), table(["kind", "pictures"], kinds, "figures")]
    return Section("sizes", "How large a picture is", tables)


def drawn(dataset: Dataset, split: str, count: int, seed: int) -> Section | None:
    """Some pictures drawn at random, as small copies."""
    extras.require("images")
    total = dataset.splits[split]
    numbers = set(random.Random(seed).sample(range(total), min(count, total)))
    cards = [card(one["source"], about(one), _copy(file)) for one, file in _found(dataset, split, numbers)]
    if not cards:
        return None
    said = paragraph(f"{counted(len(cards), 'picture')}, drawn at random.")
    return Section("documents", "What is in it", [said, *cards])


def _found(dataset: Dataset, split: str, numbers: set[int]) -> Iterator[tuple[Record, InputFile]]:
    """The documents of these numbers, each with where the file of its picture lies."""
    number = 0
    for shard in dataset.shards(split):
        documents = [one for block in blocks(shard) for one in records(block, dataset.format)]
        for one, place in zip(documents, image_shards.places(documents), strict=True):
            if number in numbers:
                archive = image_shards.archive_of(shard)
                part = Part(place.begin, place.begin + place.size_bytes, 1)
                yield one, InputFile(one["image"], archive, archive.stat().st_size, part=part)
            number += 1


def _copy(file: InputFile) -> Markup:
    call = apart.Call("aictl.data.readers.pictures", "small", file, SIDE, _BOUNDS)
    try:
        ((data, width, height),) = apart.values(call)
    except Unreadable as error:
        return paragraph(f"It cannot be decoded: {error.reason}.")
    box = f"0 0 {width} {height}"
    image = element("image", href=f"data:image/png;base64,{data}", width=width, height=height)
    picture = element("svg", image, width=width, height=height, viewBox=box, role="img", aria_label="a copy")
    return element("div", picture, class_="text")


def parts_of(facts: Facts) -> Sequence[Section | None]:
    """The parts that need no picture."""
    return splits(facts), labels(facts), sizes(facts)

"""The documents that went worst, as the page shows them."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadInput
from aictl.judging.task import Row
from aictl.pages.markup import Child, Markup, element, joined
from aictl.pages.pieces import Part, card, named, paragraph, side_by_side, text_box

SHOWN = 16
SIDE = 128  # pixels of a small copy


def worst(rows: Sequence[Row], dataset: Dataset | None, split: str) -> Part | None:
    """Those that a person should look at first, by what the task is about."""
    if dataset is None:
        return None
    if "label" in rows[0]:
        return _wrong(rows, dataset, split)
    if "chrf" in rows[0]:
        cards = [
            side_by_side(
                ("reference", row["reference"]), ("written", row["output"]), f"chrF {row['chrf']:.1f} · {row['input']}"
            )
            for row in sorted(rows, key=lambda row: row["chrf"])[:SHOWN]
        ]
        return _part("What was written furthest from its reference.", cards)
    if "rank" in rows[0]:
        found = [row for row in sorted(rows, key=lambda row: -row["rank"]) if row["rank"] > 1][:SHOWN]
        copies = _copies({row["number"] for row in found}, dataset, split) if dataset.format == "image" else {}
        cards = [
            card(
                row.get("input") or row["source"] or f"document {row['number']}",
                f"found at rank {row['rank']:,}",
                joined([copies.get(row["number"]), _pair(row["output"], row["found"])]),
            )
            for row in found
        ]
        return _part("On the left what belongs to the query above, on the right what was found first.", cards)
    if "loss" in rows[0]:
        found = sorted((row for row in rows if row["bytes"]), key=lambda row: -row["loss"] / row["bytes"])[:SHOWN]
        cards = [
            card(
                row["source"] or f"document {row['number']}",
                _bits(row),
                text_box(str(row.get("text", row.get("input", "")))),
            )
            for row in found
        ]
        return _part("Those that the model predicts worst.", cards)
    return None


def _bits(row: Row) -> str:
    return f"{row['loss'] / math.log(2) / row['bytes']:.3g} bits per byte"


def _part(said: str, cards: Sequence[Markup]) -> Part | None:
    return Part("worst", "Worst documents", [paragraph(said), *cards]) if cards else None


def _wrong(rows: Sequence[Row], dataset: Dataset, split: str) -> Part | None:
    wrong = sorted((row for row in rows if not row["right"]), key=lambda row: -row["probability"])[:SHOWN]
    copies = _copies({row["number"] for row in wrong}, dataset, split) if dataset.format == "image" else {}
    cards = []
    for row in wrong:
        about = f"{row['label']} taken for {row['predicted']} at {row['probability']:.1%}"
        content: Child = copies.get(row["number"]) if copies else text_box(row["text"])
        cards.append(card(row["source"] or f"document {row['number']}", about, content))
    shown = [element("div", cards, class_="shots")] if copies else cards
    return _part("Wrong, the surest first.", shown)


def _pair(one: str, other: str) -> Markup:
    sides = [element("div", named(text), class_=f"text {kind}") for text, kind in ((one, "was"), (other, "is"))]
    return element("div", sides, class_="pair")


def _copies(numbers: set[int], dataset: Dataset, split: str) -> dict[int, Markup]:
    """Small copies of some pictures."""
    found = {}
    for number, (_, data) in enumerate(dataset.pictures(split)):
        if number in numbers:
            found[number] = _copy(data)
            if len(found) == len(numbers):
                break
    return found


def _copy(data: bytes) -> Markup:
    from PIL import Image

    from aictl.inference.image_classifying import opened

    try:
        picture = opened(data, "the picture")
    except BadInput as error:
        return paragraph(error.message)
    picture.thumbnail((SIDE, SIDE))
    if max(picture.size) < SIDE // 2:  # a few pixels are seen when they are made large
        times = SIDE // max(picture.size)
        picture = picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
    file = io.BytesIO()
    picture.save(file, "PNG")
    href = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    width, height = picture.size
    image = element("image", href=href, width=width, height=height)
    drawn = element("svg", image, width=width, height=height, viewBox=f"0 0 {width} {height}", role="img")
    return element("div", drawn, class_="text")

"""What is said of pictures beside them: captions, labels, and what is where in them.

records     {"file_name": "1.png", "caption": "...", "label": "cat", "objects": {"bbox": [[x, y, width, height]],
            "categories": ["cat"]}}, as Hugging Face's imagefolder has them in metadata.jsonl and metadata.csv
            (https://huggingface.co/docs/datasets/image_dataset)
COCO        {"images": [...], "annotations": [...], "categories": [...]}, with boxes or captions
            (https://cocodataset.org/#format-data)

Both write a box as its left and upper edge, its width and its height; here it is left, top, right and bottom.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aictl.data import labels
from aictl.data.documents import Annotation, Box, Reading

LABEL, CAPTIONS = "label", ("caption", "text")  # fields of records, where no others are named
_CLASSES = ("categories", "category")
_DECIMALS = 3  # of a pixel


class Unfit(ValueError):
    """What is said of a picture cannot be so: the reason that is counted, and a detail."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


def of_record(record: Mapping[str, Any], reading: Reading) -> Annotation:
    """What a record says of its picture. Raises :class:`Unfit`."""
    label_field = reading.label_field or LABEL
    for field in (reading.label_field, reading.caption_field):
        if field is not None and field not in record:
            raise Unfit(f"no field '{field}'", f"found {', '.join(sorted(map(str, record))[:8])}")
    try:
        label = labels.named(record.get(label_field))
    except labels.NoLabel as error:
        raise Unfit("no label", str(error)) from None
    captions = CAPTIONS if reading.caption_field is None else (reading.caption_field,)
    caption = next((record[name] for name in captions if record.get(name) is not None), None)
    if caption is not None and not isinstance(caption, str):
        raise Unfit("not a string", f"the caption is of type {type(caption).__name__}")
    objects = record.get("objects")
    return Annotation(label, caption, None if objects is None else boxes_of(objects))


def boxes_of(objects: Any, names: Sequence[str] = ()) -> list[Box]:
    """The boxes of ``{"bbox": [...], "categories": [...]}``; ``names`` are what numbers stand for, if that is known.
    Raises :class:`Unfit`."""
    if objects is None:
        return []
    classes = next((objects[one] for one in _CLASSES if one in objects), None) if isinstance(objects, dict) else None
    boxes = objects.get("bbox") if isinstance(objects, dict) else None
    if not isinstance(boxes, list) or not isinstance(classes, list) or len(boxes) != len(classes):
        raise Unfit("no boxes", "objects has a list bbox, and a list categories that is as long")
    return [_box(box, label, names) for box, label in zip(boxes, classes, strict=True)]


def _box(box: Any, label: Any, names: Sequence[str] = ()) -> Box:
    try:
        named = labels.named(label, names)
    except labels.NoLabel as error:
        raise Unfit("no label", f"of a box: {error}") from None
    if named is None or not named.strip() or labels.unfit(named.strip()):
        raise Unfit("no label", f"a box is called {str(named)[:40]!r}")
    if not isinstance(box, list | tuple) or len(box) != 4 or not all(map(_is_number, box)):
        raise Unfit("no box", f"{str(box)[:80]} is no left, top, width and height")
    left, top, width, height = box
    if width <= 0 or height <= 0:
        raise Unfit("box without area", f"'{named}' is {width:g} x {height:g}")
    return named.strip(), tuple(map(_tidy, (left, top, left + width, top + height)))


def within(boxes: Sequence[Box], width: int, height: int) -> tuple[list[Box], int]:
    """Boxes as far as they lie in a picture of this size, and how many reached over its edge. Raises :class:`Unfit` for
    one that does not lie in it at all."""
    found: list[Box] = []
    clipped = 0
    for label, edges in boxes:
        left, top, right, bottom = edges
        inside = (max(0, left), max(0, top), min(width, right), min(height, bottom))
        if inside[0] >= inside[2] or inside[1] >= inside[3]:
            at = ", ".join(f"{edge:g}" for edge in edges)
            raise Unfit("box outside the picture", f"'{label}' at {at}, and it is {width:,} x {height:,}")
        clipped += inside != tuple(edges)
        found.append((label, inside))
    return found, clipped


def is_coco(value: Any) -> bool:
    return (
        isinstance(value, dict) and isinstance(value.get("images"), list) and isinstance(value.get("annotations"), list)
    )


def coco_classes(value: Mapping[str, Any]) -> list[str]:
    """The names of all categories in their order."""
    return list(dict.fromkeys(_categories(value).values()))


def of_coco(value: Mapping[str, Any]) -> Iterator[tuple[str, list[Annotation] | Unfit]]:
    """The name of every picture's file with what is said of it: several, where it has several captions. Boxes around
    crowds are none around a thing and are left out. Raises :class:`Unfit` where the lists do not belong together."""
    categories = _categories(value)
    said: dict[Any, list[Mapping[str, Any]]] = {}
    for number, one in enumerate(value["images"], 1):
        if not isinstance(one, dict) or not isinstance(one.get("file_name"), str) or not _is_id(one.get("id")):
            raise Unfit("broken COCO", f"image {number} has no id or no file_name")
        said[one["id"]] = []
    boxed = False
    for number, one in enumerate(value["annotations"], 1):
        if not isinstance(one, dict) or not _is_id(one.get("image_id")) or one["image_id"] not in said:
            raise Unfit("broken COCO", f"annotation {number} is of no image that is listed")
        boxed = boxed or "bbox" in one
        if "bbox" in one and not (_is_id(one.get("category_id")) and one["category_id"] in categories):
            raise Unfit("broken COCO", f"annotation {number} is of no category that is listed")
        said[one["image_id"]].append(one)
    boxed = boxed or bool(categories)
    for one in value["images"]:
        rows = said[one["id"]]
        captions = [row["caption"] for row in rows if isinstance(row.get("caption"), str)]
        try:
            things = [row for row in rows if "bbox" in row and not row.get("iscrowd")]
            boxes = [_box(row["bbox"], categories[row["category_id"]]) for row in things] if boxed else None
            yield one["file_name"], [Annotation(None, caption, boxes) for caption in captions or [None]]
        except Unfit as error:
            yield one["file_name"], error


def _categories(value: Mapping[str, Any]) -> dict[Any, str]:
    rows = value.get("categories") or []
    if not isinstance(rows, list):
        raise Unfit("broken COCO", "categories is no list")
    for number, one in enumerate(rows, 1):
        if not isinstance(one, dict) or not _is_id(one.get("id")) or not isinstance(one.get("name"), str):
            raise Unfit("broken COCO", f"category {number} has no id or no name")
    return {one["id"]: one["name"].strip() for one in rows}


def _is_id(value: Any) -> bool:
    return isinstance(value, int | str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _tidy(edge: float) -> float:
    return int(edge) if edge == int(edge) else round(edge, _DECIMALS)

"""Pictures and texts with something to learn, as datasets."""

from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from aictl.artifacts.dataset import LABELS, Dataset, DatasetWriter


def drawn(kind: int, generator: np.random.Generator, side: int = 16) -> Image.Image:
    """A noisy picture with a bright bar: upright, level, or both."""
    pixels = generator.integers(0, 80, (side, side), dtype=np.uint8)
    place = int(generator.integers(3, side - 5))
    if kind in (0, 2):
        pixels[:, place : place + 2] = 230
    if kind in (1, 2):
        pixels[place : place + 2] = 230
    return Image.fromarray(pixels)


def file_of(picture: Image.Image) -> bytes:
    held = io.BytesIO()
    picture.save(held, "PNG")
    return held.getvalue()


@pytest.fixture
def picture_dataset(tmp_path):
    """Writes a dataset of pictures: ``picture_dataset(name, {split: [(facts, file)]}, labels)``."""

    def write(name: str, splits: dict[str, list[tuple[dict[str, object], bytes]]], labels: list[str]) -> Dataset:
        folder = tmp_path / name
        folder.mkdir()
        with DatasetWriter(folder, "image") as writer:
            for split, rows in splits.items():
                for number, (facts, data) in enumerate(rows):
                    digest = hashlib.sha256(data).hexdigest()
                    known = {"width": 16, "height": 16, "mode": "L", "source": f"{split}/{number}.png"}
                    writer.add(split, {"image": f"{digest}.png", "size_bytes": len(data), **known, **facts}, data)
        if labels:
            (folder / LABELS).write_text(json.dumps({"labels": [{"name": label} for label in labels]}))
        return Dataset(folder)

    return write


@pytest.fixture
def bars(picture_dataset) -> Dataset:
    """Three classes of pictures, 90 to train on."""
    generator, labels = np.random.default_rng(0), ["upright", "level", "cross"]

    def some(count: int) -> list[tuple[dict[str, object], bytes]]:
        return [({"label": labels[n % 3]}, file_of(drawn(n % 3, generator))) for n in range(count)]

    return picture_dataset("bars", {"train": some(90), "validation": some(30)}, labels)


@pytest.fixture
def labelled_texts(tmp_path, write_dataset):
    """Writes a dataset of labelled texts: ``labelled_texts(name, {split: [(text, label)]}, labels)``."""

    def write(name: str, splits: dict[str, list[tuple[str, object]]], labels: list[str]) -> Dataset:
        rows = {
            split: [{"text": text, "label": label, "source": f"{n}"} for n, (text, label) in enumerate(pairs)]
            for split, pairs in splits.items()
        }
        made = write_dataset(name, "text", rows)
        (made.folder / LABELS).write_text(json.dumps({"labels": [{"name": label} for label in labels]}))
        return made

    return write


WORDS = {"weather": ("rain", "sun", "wind", "cloud"), "food": ("bread", "soup", "apple", "rice")}


@pytest.fixture
def topics(labelled_texts) -> Dataset:
    """Sentences about the weather and about food."""
    generator = np.random.default_rng(0)

    def some(count: int) -> list[tuple[str, object]]:
        rows: list[tuple[str, object]] = []
        for number in range(count):
            topic = ("weather", "food")[number % 2]
            words = generator.choice(WORDS[topic], 2)
            filler = generator.choice(["today there is", "we speak about", "they want to know of"])
            rows.append((f"{filler} {words[0]} and {words[1]}" + " again" * int(generator.integers(4)), topic))
        return rows

    return labelled_texts("topics", {"train": some(120), "validation": some(40)}, ["food", "weather"])


COLOURS = {"red": (220, 40, 40), "green": (40, 200, 60), "blue": (50, 60, 220)}
SIDE = 32


def scene(generator: np.random.Generator) -> tuple[Image.Image, str, list[float]]:
    """A square of a colour somewhere on dark ground, its colour, and its box in pixels."""
    colour = str(generator.choice(list(COLOURS)))
    size = int(generator.integers(9, 15))
    left, top = (int(one) for one in generator.integers(0, SIDE - size, 2))
    pixels = generator.integers(0, 30, (SIDE, SIDE, 3), dtype=np.uint8)
    pixels[top : top + size, left : left + size] = COLOURS[colour]
    return Image.fromarray(pixels), colour, [left, top, left + size, top + size]


@pytest.fixture
def shapes(picture_dataset) -> Dataset:
    """Coloured squares with their boxes and captions: one to find in each picture."""
    generator = np.random.default_rng(0)

    def some(count: int) -> list[tuple[dict[str, object], bytes]]:
        rows: list[tuple[dict[str, object], bytes]] = []
        for _ in range(count):
            picture, colour, box = scene(generator)
            facts = {"width": SIDE, "height": SIDE, "mode": "RGB", "caption": f"a {colour} square"}
            rows.append(({**facts, "boxes": [{"label": colour, "box": box}]}, file_of(picture)))
        return rows

    return picture_dataset("shapes", {"train": some(60), "validation": some(20)}, sorted(COLOURS))

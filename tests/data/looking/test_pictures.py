"""Looking at a dataset of pictures."""

from __future__ import annotations

import io
import re
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from aictl.artifacts.dataset import Dataset, DatasetWriter
from aictl.core.errors import Damaged, WrongKind
from aictl.core.events import silent
from aictl.data.looking.diff.diff import diff
from aictl.data.looking.find.find import find
from aictl.data.looking.head import head
from aictl.data.looking.report.report import report
from aictl.data.looking.sample import sample
from aictl.data.looking.spec import DiffSpec, FindSpec, HeadSpec, ReportSpec, SampleSpec, StatsSpec
from aictl.data.looking.stats.stats import stats


@pytest.fixture
def pictures(tmp_path):
    """``pictures({"train": [label, ...]})``: a dataset of pictures that hold their number."""
    numbers = iter(range(100))

    def make(splits):
        folder = tmp_path / f"pictures-{next(numbers)}"
        folder.mkdir()
        with DatasetWriter(folder, "image") as writer:
            for split, labels in splits.items():
                for number, label in enumerate(labels):
                    data = f"{label} {number}".encode()
                    size = {"width": 10 + number, "height": 20, "mode": "RGB"}
                    row = {"image": f"{data.hex()}.png", "size_bytes": len(data), "label": label, **size}
                    writer.add(split, row | {"source": f"{split}/{label}/{number}.png"}, data)
        return Dataset(folder)

    return make


def test_head_and_sample_show_label_size_and_path(pictures):
    dataset = pictures({"train": ["cats", None, "dogs"]})
    first, second, _ = head(dataset, HeadSpec()).items
    assert first.title == "train/cats/0.png"
    assert first.about == "label: cats · 10 x 20 pixels · RGB · 6 bytes"
    assert second.about == "11 x 20 pixels · RGB · 6 bytes"
    assert [one.text for one in first.passages] == [first.value["image"]]
    assert len(list(sample(dataset, SampleSpec(count=2)).items)) == 2


def test_stats_count_labels_and_sizes(pictures):
    dataset = pictures({"train": ["cats"] * 3 + ["dogs", None], "validation": ["cats"]})
    answer = stats(dataset, StatsSpec(rows=1), silent)
    value = answer.value
    assert value["total"] == {"documents": 6, "bytes": 6 * 6}
    assert value["splits"]["train"] == {"documents": 5, "bytes": 30, "shards": 1}
    assert value["labels"] == {
        "different": 2,
        "without": 1,
        "rows": [{"label": "cats", "documents": 4, "train": 3, "validation": 1}],
    }
    assert (value["width"]["min"], value["width"]["max"], value["height"]["max"]) == (10, 14, 20)
    assert (value["formats"], value["modes"]) == ({"png": 6}, {"RGB": 6})
    titles = [one.title for one in answer.sections]
    assert titles == ["Dataset 'pictures-0': image", "How large a picture is", "Labels", "", "", "Formats", "Modes"]
    assert stats(pictures({}), StatsSpec(), silent).value["total"]["documents"] == 0


def test_diff_tells_what_came_and_went(pictures):
    before, after = pictures({"train": ["cats", "dogs"]}), pictures({"train": ["cats", "owls"]})
    value = diff(before, after, DiffSpec(), silent).value
    assert {word: count for word, count in value["documents"].items() if count} == {"same": 1, "removed": 1, "added": 1}
    assert value["samples"]["added"][0]["source"] == "train/owls/1.png"


def test_a_page_shows_small_copies_and_no_byte_of_a_file(write, prep, tmp_path):
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (400, 200, 3), np.uint8))
    for number in range(8):
        image.putpixel((0, 0), (number, 0, 0))
        file = io.BytesIO()
        image.save(file, "PNG", pnginfo=hostile(), icc_profile=b"<script>alert(2)</script>")
        write(f"{('cats', '<b>dogs')[number % 2]}/{number}.png", file.getvalue())
    write("cats/broken.png", "no picture")
    dataset = prep(max_rejected=0.5)
    page = report(dataset, ReportSpec(documents=3), tmp_path, silent)
    text = page.page_path.read_text("utf-8")
    copies = [b64decode(one) for one in re.findall(r'href="data:image/png;base64,([^"]*)"', text)]
    assert [Image.open(io.BytesIO(one)).size for one in copies] == [(80, 160)] * 3
    assert {kind for one in copies for kind in re.findall(rb"IHDR|IDAT|IEND|tEXt|iCCP", one)} == {
        b"IHDR",
        b"IDAT",
        b"IEND",
    }
    for wanted in ("Labels", "How large a picture is", "no picture", "&lt;b&gt;dogs"):
        assert wanted in text
    assert "<b>dogs" not in text
    assert "img-src data:" in text


def test_a_page_of_pictures_that_cannot_be_decoded(pictures, tmp_path):
    page = report(pictures({"train": ["cats"]}), ReportSpec(), tmp_path, silent)
    assert "It cannot be decoded: damaged." in page.page_path.read_text("utf-8")
    empty = report(pictures({}), ReportSpec(), tmp_path, silent)
    assert "no pictures" in empty.page_path.read_text("utf-8")


def hostile():
    said = PngInfo()
    said.add_text("Comment", "<script>alert(1)</script>")
    return said


def test_a_line_that_is_no_picture_is_damage(pictures):
    dataset = pictures({"train": ["cats"]})
    dataset.shards("train")[0].write_text('{"text": "a", "source": "b"}\n')
    with pytest.raises(Damaged, match="line 1: no document of a image dataset"):
        stats(dataset, StatsSpec(), silent)


def test_what_is_about_texts_says_so(pictures, tmp_path):
    dataset = pictures({"train": ["cats"]})
    with pytest.raises(WrongKind, match="`aictl data find` looks at text, chat, pair and preference"):
        find(dataset, FindSpec(text="a"), silent)
    with pytest.raises(ValueError, match="is added with its file"), DatasetWriter(tmp_path, "image") as writer:
        writer.add("train", {"image": "a.png", "size_bytes": 1})

"""Pictures with labels to a dataset, as a whole: what comes in, what comes out, and what is refused."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import time
import zlib
from hashlib import sha256
from pathlib import Path

import matplotlib
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from aictl.artifacts import image_shards
from aictl.artifacts.dataset import Dataset, read_shard
from aictl.core import extras
from aictl.core.errors import BadInput, BadRequest, Damaged, ExtraMissing, WrongKind
from aictl.core.events import Events, Noted

SAMPLES = Path(matplotlib.get_data_path()) / "sample_data"


def picture(seed: int, size: int = 24, format: str = "PNG", mode: str = "RGB") -> bytes:
    """A picture that no other seed gives, of smooth blobs as photographs have them."""
    random = np.random.default_rng(seed)
    small = Image.fromarray(random.integers(0, 256, (6, 6, 3), np.uint8))
    file = io.BytesIO()
    small.resize((size, size), Image.Resampling.BICUBIC).convert(mode).save(file, format)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side: int) -> bytes:
    """A PNG that says that it is very large."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(10_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.fixture
def zoo(write):
    """``zoo(cats=10, dogs=20)`` writes so many different pictures into a folder per class."""

    def make(prefix="", start=0, **counts):
        for folder, count in counts.items():
            for number in range(count):
                write(f"{prefix}{folder}/{number}.png", picture(start + sum(map(ord, folder)) * 1000 + number))

    return make


def test_a_folder_per_class(zoo, write, prep, everything):
    zoo("train/", cats=10, dogs=20)
    dataset = prep(validation_fraction=0.2)
    assert dataset.format == "image"
    assert dict(dataset.splits) == {"train": 24, "validation": 6} == dataset.metrics["splits"]
    assert dataset.classes == ("cats", "dogs")
    assert dataset.metrics["labels"] == {"cats": 10, "dogs": 20}
    first = next(dataset.documents())
    data = picture(sum(map(ord, "cats")) * 1000)
    one = next(one for one in everything(dataset) if one["source"] == "train/cats/0.png")
    assert one["image"] == f"{sha256(data).hexdigest()}.png"
    assert (one["label"], one["width"], one["height"], one["mode"]) == ("cats", 24, 24, "RGB")
    assert one["size_bytes"] == len(data)
    assert list(first) == ["image", "size_bytes", "label", "width", "height", "mode", "pixels", "looks", "source"]


def test_the_files_lie_beside_the_lines_as_they_were(zoo, prep, tmp_path):
    zoo(cats=5, dogs=5)
    dataset = prep()
    taken = 0
    for split in dataset.splits:
        for one, data in dataset.pictures(split):
            assert data == (tmp_path / "raw" / one["source"]).read_bytes()
            taken += 1
    assert taken == 10
    (shard,) = dataset.shards("train")
    archive = image_shards.archive_of(shard)
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
        assert [one.name for one in members] == [one["image"] for one in dataset.documents()]
    # a picture can be taken out by what the lines say, without reading what is before it
    places = list(image_shards.places(read_shard(shard)))
    bytes_ = archive.read_bytes()
    for (one, data), place in zip(dataset.pictures(), places, strict=True):
        assert bytes_[place.begin : place.begin + place.size_bytes] == data, one["source"]


def test_real_photographs_keep_their_bytes(write, prep):
    photograph, drawing = SAMPLES / "grace_hopper.jpg", SAMPLES / "logo2.png"
    write("people/hopper.jpg", photograph.read_bytes())
    write("drawings/logo.png", drawing.read_bytes())
    dataset = prep(validation_fraction=0)
    found = {one["label"]: (one, data) for one, data in dataset.pictures()}
    assert found["people"][1] == photograph.read_bytes()
    with Image.open(photograph) as image:
        assert (found["people"][0]["width"], found["people"][0]["height"]) == image.size
    assert found["people"][0]["image"].endswith(".jpg")
    assert found["drawings"][0]["mode"] == "RGBA"


def test_what_is_no_picture_is_set_aside_with_the_reason(zoo, write, prep):
    zoo(cats=40)
    good = picture(1)
    write("bad/text.png", "a text that is called a picture")
    write("bad/drawing.png", '<svg xmlns="http://www.w3.org/2000/svg"/>')
    write("bad/page.jpg", "%!PS-Adobe-3.0 EPSF-3.0\n")
    write("bad/cut.png", good[: len(good) // 2])
    write("bad/empty.png", b"")
    write("bad/bomb.png", bomb(60_000))
    flipped = bytearray(picture(2, 200))
    flipped[len(flipped) // 2] ^= 0xFF
    write("bad/flipped.png", bytes(flipped))
    dataset = prep(max_rejected=0.5)
    rejected = {row["source"]: row["reason"] for row in map(json.loads, (dataset.folder / "rejected.jsonl").open())}
    assert rejected.pop("bad/flipped.png").startswith("damaged")
    assert rejected.pop("bad/cut.png").startswith("truncated")
    assert rejected == {
        "bad/text.png": "no picture: it begins with b'a text t'",
        "bad/drawing.png": "no picture: it is SVG",
        "bad/page.jpg": "no picture: it is PostScript",
        "bad/empty.png": "empty file",
        "bad/bomb.png": "too many pixels: 60,000 x 60,000; --max-pixels allows 67,108,864",
    }
    assert dataset.metrics["documents"]["rejected"] == 7
    assert dataset.metrics["documents"]["out"] == 40
    with pytest.raises(BadInput, match="leave out --strict|bad/") as caught:
        prep(strict=True)
    assert "--strict" in caught.value.cure


def test_a_bomb_within_the_bound_is_decoded_and_a_lower_bound_holds(zoo, write, prep):
    zoo(cats=10)
    write("cats/large.png", picture(7, 200))
    assert prep(max_rejected=0.5).metrics["documents"]["rejected"] == 0
    assert prep(max_rejected=0.5, max_pixels=199 * 200).metrics["rejected"] == {"too many pixels": 1}


def test_what_has_the_same_pixels_is_the_same(write, prep, everything):
    write("a/1.png", picture(1))
    image = Image.open(io.BytesIO(picture(1)))
    file = io.BytesIO()
    image.save(file, "BMP")
    write("a/2.bmp", file.getvalue())
    file = io.BytesIO()
    image.convert("RGBA").save(file, "PNG")  # that can be seen through, and is not, is another mode of pixels
    write("a/3.png", file.getvalue())
    write("a/4.png", picture(2))
    dataset = prep(validation_fraction=0)
    assert {one["source"] for one in everything(dataset)} >= {"a/1.png", "a/4.png"}
    assert "a/2.bmp" not in {one["source"] for one in everything(dataset)}
    (row, *_) = map(json.loads, (dataset.folder / "duplicates.jsonl").open())
    assert (row["source"], row["kept"], row["label"], row["kept_label"]) == ("a/2.bmp", "a/1.png", "a", "a")
    kept = prep(validation_fraction=0, exact_duplicates="keep")
    assert len(everything(kept)) == 4
    assert [data for one, data in kept.pictures() if one["source"] == "a/2.bmp"][0][:2] == b"BM"


def test_one_picture_under_two_labels_is_told(zoo, write, prep):
    zoo(cats=5, dogs=5)
    write("dogs/stray.png", picture(sum(map(ord, "cats")) * 1000))
    heard = []
    dataset = prep(events=listening(heard))
    assert dataset.metrics["contradictions"] == 1
    assert any("1 pictures were dropped for one with the same pixels and another label" in one for one in heard)


def listening(heard):
    """Events that note down what is said to people."""
    return Events(lambda event: heard.append(event.message) if isinstance(event, Noted) else None)


def test_what_looks_alike_is_found_and_what_does_not_is_left(zoo, write, prep, everything):
    zoo(cats=30)
    image = Image.open(io.BytesIO(picture(99, 200)))
    for name, version, options in (
        ("a", image, {"quality": 95}),
        ("b", image, {"quality": 40}),
        ("c", image.resize((150, 150)), {"quality": 90}),
    ):
        file = io.BytesIO()
        version.save(file, "JPEG", **options)
        write(f"dogs/{name}.jpg", file.getvalue())
    sources = {one["source"] for one in everything(prep(near_duplicates=0.9))}
    assert {one for one in sources if one.startswith("dogs")} == {"dogs/a.jpg"}
    assert len(sources) == 31
    assert len(everything(prep())) == 33
    dataset = prep(near_duplicates=0.9)
    rows = list(map(json.loads, (dataset.folder / "duplicates.jsonl").open()))
    assert {row["source"] for row in rows} == {"dogs/b.jpg", "dogs/c.jpg"}
    assert all(0.9 <= row["similarity"] <= 1 for row in rows)


def test_each_label_has_its_share_on_every_side(zoo, prep, everything):
    zoo(cats=40, dogs=20, owls=3, ants=1)
    dataset = prep(validation_fraction=0.1, test_fraction=0.2)
    sides = {
        split: {label: sum(one["label"] == label for one in dataset.documents(split)) for label in dataset.classes}
        for split in dataset.splits
    }
    assert sides == {
        "train": {"ants": 1, "cats": 28, "dogs": 14, "owls": 1},
        "validation": {"ants": 0, "cats": 4, "dogs": 2, "owls": 1},
        "test": {"ants": 0, "cats": 8, "dogs": 4, "owls": 1},
    }


def test_what_is_the_same_stands_on_one_side(zoo, write, prep):
    zoo(cats=30)
    for number in range(30):
        write(f"dogs/{number}.png", picture(sum(map(ord, "cats")) * 1000 + number))
    dataset = prep(exact_duplicates="keep", validation_fraction=0.3)
    pixels = [{one["pixels"] for one in dataset.documents(split)} for split in ("train", "validation")]
    assert not pixels[0] & pixels[1]
    assert sum(dataset.splits.values()) == 60


def test_a_share_and_weights_are_of_pictures_not_of_bytes(zoo, write, prep, tmp_path, everything):
    for number in range(60):
        write(f"large/a/{number}.png", picture(number, 100))
        write(f"small/b/{number}.png", picture(1000 + number, 10))
    dataset = prep(tmp_path / "raw/large", tmp_path / "raw/small", weights=[1, 2], validation_fraction=0)
    labels = [one["label"] for one in everything(dataset)]
    assert labels.count("b") == 60
    assert 15 <= labels.count("a") <= 45
    assert 20 <= len(everything(prep(tmp_path / "raw/large", sample=0.5, validation_fraction=0))) <= 40


def test_sources_with_the_same_names_keep_their_labels(write, prep, tmp_path, everything):
    for number in range(5):
        write(f"one/cats/{number}.png", picture(number))
        write(f"two/cats/{number}.png", picture(100 + number))
    dataset = prep(tmp_path / "raw/one", tmp_path / "raw/two")
    assert dataset.classes == ("cats",)
    assert {one["source"] for one in everything(dataset)} >= {"1:cats/0.png", "2:cats/0.png"}


def test_pictures_in_no_folder_have_no_label_which_is_told(write, prep, everything):
    for number in range(5):
        write(f"{number}.png", picture(number))
    heard = []
    dataset = prep(events=listening(heard))
    assert dataset.classes == ()
    assert [one["label"] for one in everything(dataset)] == [None] * 5
    assert any("no picture has a label" in one for one in heard)
    assert not (dataset.folder / "labels.json").exists()


def test_auto_takes_pictures_only_where_there_is_nothing_else(zoo, write, prep):
    zoo(cats=5)
    write("guide.md", "a text that is long enough to be kept by the default minimum of characters")
    assert prep(validation_fraction=0).format == "text"
    assert prep(format="image").format == "image"
    write("train-images-idx3-ubyte", struct.pack(">4I", 0x803, 0, 2, 2))
    with pytest.raises(BadRequest, match="holds text and .* pictures") as caught:
        prep()
    assert "--format text or --format image" in caught.value.cure


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"min_chars": 5}, "--min-chars is"),
        ({"text_field": "body", "pii": ["email"]}, "--text-field, --pii are"),
        ({"split_similarity": 0.9}, "--split-similarity is"),
        ({"languages": ["en"]}, "--languages is"),
    ],
)
def test_options_about_text_are_refused_by_name(zoo, prep, options, named):
    zoo(cats=5)
    with pytest.raises(BadRequest, match=f"{named} about text"):
        prep(**options)


def test_options_about_pictures_are_refused_with_text(write, prep):
    write("a.txt", "a text that is long enough to be kept by the default minimum of characters")
    with pytest.raises(BadRequest, match="--max-pixels, --caption-field are about pictures, and .* of text"):
        prep(caption_field="a", max_pixels=5)


def test_inputs_about_text_are_refused_by_name(zoo, write, prep, tmp_path):
    zoo(cats=5)
    words = tmp_path / "words.txt"
    words.write_text("bad\n")
    with pytest.raises(BadRequest, match="--block-words is about text"):
        prep(block_words=[words])


def mnist(write, count=20, *, suffix="", dot="-", prefix=""):
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (count, 28, 28), np.uint8)
    labels = (np.arange(count) % 10).astype(np.uint8)
    pack = gzip.compress if suffix else bytes
    files = (
        (f"{prefix}train-images{dot}idx3-ubyte{suffix}", struct.pack(">4I", 0x803, count, 28, 28) + images.tobytes()),
        (f"{prefix}train-labels{dot}idx1-ubyte{suffix}", struct.pack(">2I", 0x801, count) + labels.tobytes()),
    )
    for name, data in files:
        write(name, pack(data))
    return images, labels


@pytest.mark.parametrize(("suffix", "dot"), [("", "-"), (".gz", "-"), ("", ".")])
def test_idx_files_become_png(write, prep, suffix, dot):
    images, labels = mnist(write, suffix=suffix, dot=dot)
    heard = []
    dataset = prep(validation_fraction=0, events=listening(heard))
    assert dataset.format == "image"
    assert not [one for one in heard if "left out" in one]
    assert dataset.classes == tuple("0123456789")
    for number, (one, data) in enumerate(dataset.pictures()):
        assert one["source"] == f"train-images{dot}idx3-ubyte{suffix}:{number + 1}"
        assert one["label"] == str(labels[number])
        assert (np.asarray(Image.open(io.BytesIO(data))) == images[number]).all()


def test_idx_files_that_are_not_whole(write, prep, tmp_path):
    mnist(write)
    labels = tmp_path / "raw/train-labels-idx1-ubyte"
    whole = labels.read_bytes()
    labels.write_bytes(whole[:-5])
    with pytest.raises(BadInput, match="ends after 15 of 20 labels"):
        prep()
    labels.write_bytes(struct.pack(">2I", 0x801, 19) + whole[8:])
    with pytest.raises(BadInput, match="it holds 20 pictures, and train-labels-idx1-ubyte 19 labels"):
        prep()
    labels.unlink()
    with pytest.raises(BadInput, match="there is no train-labels-idx1-ubyte beside it"):
        prep()
    labels.write_bytes(whole)
    images = tmp_path / "raw/train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-1])
    dataset = prep(max_rejected=0.1)
    assert dataset.metrics["documents"]["out"] == 19
    assert dataset.metrics["rejected"] == {"truncated": 1}


def table(tmp_path, rows, *, names=None, label="label", image="image", kind=None, group=10):
    """A file as ``datasets`` writes it: ``rows`` are (bytes, label)."""
    images = [{"bytes": data, "path": f"{number}.png"} for number, (data, _) in enumerate(rows)]
    values = pa.array([value for _, value in rows], pa.int64() if names else kind)
    struct_of = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {image: pa.array(images, struct_of), label: values}
    made = pa.table(columns)
    if names:
        features = {image: {"_type": "Image"}, label: {"names": names, "_type": "ClassLabel"}}
        made = made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path = tmp_path / "raw" / "train-00000-of-00001.parquet"
    path.parent.mkdir(exist_ok=True)
    pq.write_table(made, path, row_group_size=group)
    return path


def test_parquet_of_hugging_face(tmp_path, prep, everything):
    names = ["zebra", "ant", "never seen"]
    table(tmp_path, [(picture(number), number % 2) for number in range(20)] + [(picture(50), -1)], names=names)
    dataset = prep()
    assert dataset.format == "image"
    assert dataset.classes == tuple(names)
    assert dataset.metrics["labels"] == {"zebra": 10, "ant": 10, "never seen": 0}
    assert dataset.metrics["without_label"] == 1
    one = next(one for one in everything(dataset) if one["source"].endswith(":3"))
    assert one["label"] == "zebra"
    assert one["image"] == f"{sha256(picture(2)).hexdigest()}.png"


def test_parquet_with_other_names_and_kinds(tmp_path, prep):
    rows = [(picture(number), number % 3) for number in range(12)]
    table(tmp_path, rows, names=["a", "b", "c"], image="img", label="fine_label")
    assert prep().classes == ("a", "b", "c")
    table(tmp_path, [(data, value + 8) for data, value in rows])
    assert prep().classes == ("8", "9", "10")
    table(tmp_path, [(data, f"class {value}") for data, value in rows])
    assert prep().classes == ("class 0", "class 1", "class 2")
    with pytest.raises(BadInput, match="no field 'kind': found image, label"):
        prep(label_field="kind")


def test_parquet_of_plain_bytes_and_rows_of_no_use(tmp_path, prep):
    path = tmp_path / "raw" / "a.parquet"
    path.parent.mkdir()
    data = [picture(number) for number in range(30)] + [None, b"no picture", picture(60), picture(61)]
    labels = ["a"] * 32 + ["x" * 300, "b\n"]
    pq.write_table(pa.table({"image": pa.array(data, pa.binary()), "label": labels}), path)
    dataset = prep(max_rejected=0.2)
    assert dataset.metrics["documents"]["out"] == 31
    rejected = {row["source"]: row["reason"] for row in map(json.loads, (dataset.folder / "rejected.jsonl").open())}
    assert rejected == {
        "a.parquet:31": "no bytes: there is nothing in the row",
        "a.parquet:32": "no picture: it begins with b'no pictu'",
        "a.parquet:33": "no label: one of 300 characters",
    }


def test_a_class_number_that_no_name_has_is_set_aside(tmp_path, prep):
    table(tmp_path, [(picture(number), number % 2) for number in range(20)] + [(picture(50), 7)], names=["a", "b"])
    assert prep(max_rejected=0.1).metrics["rejected"] == {"no label": 1}


def test_a_dataset_of_pictures_is_a_source_again(zoo, prep, tmp_path):
    zoo(cats=20, dogs=20)
    first = prep()
    again = prep(first, validation_fraction=0.2)
    assert dict(again.splits) == {"train": 32, "validation": 8}
    whole = {one["source"]: data for split in first.splits for one, data in first.pictures(split)}
    assert {one["source"]: data for split in again.splits for one, data in again.pictures(split)} == whole
    zoo(start=500, cats=25, dogs=20)
    (tmp_path / "raw/dogs/twin.png").write_bytes(next(iter(whole.values())))
    against = prep(against=[first])
    assert against.metrics["documents"]["duplicates"] == 1
    text = tmp_path / "a.txt"
    text.write_text("a text that is long enough to be kept by the default minimum of characters")
    with pytest.raises(WrongKind, match="is of format text, and image is needed"):
        prep(first, prep(text, validation_fraction=0))


def test_workers_make_no_difference(zoo, prep, monkeypatch):
    from aictl.data.prep import running, streams

    zoo(cats=30, dogs=30)
    alone = prep(workers=1)
    monkeypatch.setattr(running, "ALONE_BYTES", 0)
    monkeypatch.setattr(streams, "MOST_FILES", 7)
    several = prep(workers=2)
    assert files_of(alone) == files_of(several)
    assert alone.content({}) == several.content({})


def files_of(dataset):
    return {path.name: path.read_bytes() for path in dataset.folder.iterdir()}


def test_many_shards_are_one_dataset(zoo, prep, monkeypatch):
    zoo(cats=30, dogs=30)
    whole = prep()
    monkeypatch.setattr("aictl.artifacts.dataset.SHARD_BYTES", 20_000)
    parts = prep()
    assert len(parts.shards("train")) > 2
    assert parts.content({}) == whole.content({})
    assert list(parts.pictures()) == list(whole.pictures())


def test_damage_is_told(zoo, prep, tmp_path):
    zoo(cats=10)
    dataset = prep()
    archive = image_shards.archive_of(dataset.shards("train")[0])
    data = archive.read_bytes()
    archive.write_bytes(data[:2000])
    with pytest.raises(Damaged, match=r"train-00000\.tar: picture 2 is not that of line 2"):
        list(Dataset(dataset.folder).pictures())
    archive.unlink()
    with pytest.raises(Damaged, match=r"the pictures of train-00000\.jsonl are not there"):
        Dataset(dataset.folder).check()


def test_without_pillow_the_install_line_is_told(zoo, prep, monkeypatch):
    zoo(cats=5)
    monkeypatch.setitem(extras.EXTRAS, "images", ("no_such_module",))
    with pytest.raises(ExtraMissing) as caught:
        prep()
    assert caught.value.cure == "pip install 'aictl[images]'"


@pytest.mark.slow
def test_a_killed_run_goes_on_and_gives_the_same(write, tmp_path, project, aictl):
    """Of several hundred pictures in small chunks, the run is killed once some chunks are kept."""
    for number in range(60):
        write(f"{'ab'[number % 2]}/{number}.png", noise(number))
    raw, work = tmp_path / "raw", project.root
    command = [sys.executable, "-m", "aictl", "data", "prep", str(raw), "--name", "killed", "--workers", "1"]
    running = subprocess.Popen(command, cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(work.rglob("chunks/*.json")) and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert running.poll() is None, "it ended before it could be killed"
    running.send_signal(signal.SIGKILL)
    running.wait()
    kept = {path: path.stat().st_mtime_ns for path in work.rglob("chunks/*.json")}
    assert kept
    whole = aictl("data", "prep", raw, "--name", "killed", cwd=work)
    assert whole.returncode == 0, whole.stderr
    other = tmp_path / "other"
    shutil.copytree(raw, other / "raw")
    aictl("init", other / "ws", cwd=tmp_path)
    fresh = aictl("data", "prep", other / "raw", "--name", "killed", cwd=other / "ws")
    assert fresh.returncode == 0, fresh.stderr
    one, two = (os.path.realpath(done.stdout.strip()) for done in (whole, fresh))
    assert Dataset(Path(one)).content({}) == Dataset(Path(two)).content({})


def noise(seed):
    """Some 750 kB that nothing packs."""
    pixels = np.random.default_rng(seed).integers(0, 256, (500, 500, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=0)
    return file.getvalue()

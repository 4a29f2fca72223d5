"""One picture decoded: what is known of it, and what no spoiled file may do."""

from __future__ import annotations

import io
import random
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from aictl.data.documents import InputFile, Reading, Unreadable
from aictl.data.readers import format_of, reader_for
from aictl.data.readers.pictures import decoded

PHOTOGRAPH = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
MOST = 2**26


def saved(image, format="PNG", **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


@pytest.fixture
def photograph():
    with Image.open(PHOTOGRAPH) as image:
        return image.convert("RGB").resize((96, 120))


def alike(one, other):
    """The share of bits that two looks have in common."""
    ones = np.unpackbits(np.frombuffer(one.looks, np.uint8))
    return float((ones == np.unpackbits(np.frombuffer(other.looks, np.uint8))).mean())


@pytest.mark.parametrize(
    ("format", "suffix", "mode"),
    [
        ("PNG", "png", "RGB"),
        ("JPEG", "jpg", "RGB"),
        ("GIF", "gif", "RGB"),
        ("WEBP", "webp", "RGB"),
        ("BMP", "bmp", "RGB"),
        ("TIFF", "tif", "RGB"),
        ("PPM", "ppm", "RGB"),
        ("PNG", "png", "I;16"),
        ("TIFF", "tif", "F"),
        ("TIFF", "tif", "CMYK"),
        ("TIFF", "tif", "LAB"),
        ("PNG", "png", "1"),
        ("PNG", "png", "LA"),
        ("PNG", "png", "P"),
    ],
)
def test_every_format_and_kind_of_pixels(photograph, format, suffix, mode):
    if mode == "I;16":
        image = Image.fromarray(np.asarray(photograph.convert("L"), np.uint16) * 200)
    elif mode == "LAB":
        image = Image.frombytes("LAB", photograph.size, photograph.tobytes())
    else:
        image = photograph.convert(mode)
    data = saved(image, format)
    found = decoded(data, MOST)
    assert (found.data, found.suffix, found.width, found.height) == (data, suffix, 96, 120)
    assert len(found.pixels) == len(found.looks) == 16
    assert found.name.endswith(f".{suffix}")
    if mode not in ("1", "LAB"):
        assert alike(found, decoded(saved(photograph), MOST)) > 0.9


def test_pixels_tell_the_same_picture_and_only_it(photograph):
    first = decoded(saved(photograph), MOST)
    assert decoded(saved(photograph, "BMP"), MOST).pixels == first.pixels
    assert decoded(saved(photograph, compress_level=0), MOST).pixels == first.pixels
    grey = photograph.convert("L")
    assert decoded(saved(grey), MOST).pixels == decoded(saved(grey.convert("RGB")), MOST).pixels
    other = photograph.copy()
    other.putpixel((3, 4), (1, 2, 3))
    assert decoded(saved(other), MOST).pixels != first.pixels
    assert decoded(saved(photograph.resize((120, 96))), MOST).pixels != first.pixels
    turned = Image.Exif()
    turned[0x0112] = 6
    assert decoded(saved(photograph, exif=turned), MOST).pixels != first.pixels


def test_looks_are_alike_where_people_would_say_so(photograph):
    first = decoded(saved(photograph), MOST)
    assert alike(first, decoded(saved(photograph, "JPEG", quality=50), MOST)) > 0.95
    assert alike(first, decoded(saved(photograph.resize((300, 300))), MOST)) > 0.95
    assert alike(first, decoded(saved(photograph.transpose(Image.Transpose.FLIP_LEFT_RIGHT)), MOST)) < 0.8
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (120, 96, 3), np.uint8))
    assert alike(first, decoded(saved(noise), MOST)) < 0.8
    clear = Image.new("RGBA", photograph.size, (0, 0, 0, 0))
    assert alike(decoded(saved(clear), MOST), decoded(saved(Image.new("RGB", photograph.size, "white")), MOST)) == 1


def test_of_what_moves_only_the_same_file_is_the_same(photograph):
    frames = [photograph, photograph.transpose(Image.Transpose.ROTATE_180)]
    moving = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    other = saved(frames[0], "GIF", save_all=True, append_images=[*frames[1:], frames[0]])
    assert decoded(moving, MOST).pixels != decoded(other, MOST).pixels
    assert decoded(moving, MOST).pixels == decoded(moving, MOST).pixels


def test_formats_that_run_programs_are_not_opened():
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    with pytest.raises(Unreadable, match="no picture") as caught:
        decoded(program, MOST)
    assert caught.value.detail == "it is PostScript"


def test_a_picture_that_is_too_large_is_never_decoded():
    data = saved(Image.new("1", (20_000, 20_000)))
    assert len(data) < 100_000
    with pytest.raises(Unreadable, match="too many pixels") as caught:
        decoded(data, MOST)
    assert caught.value.detail == "20,000 x 20,000; --max-pixels allows 67,108,864"


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow, about what it skips
@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM"])
def test_whatever_is_spoiled_there_is_a_reason_or_a_picture(photograph, format):
    good = saved(photograph.resize((24, 30)), format)
    draw = random.Random(format)
    reasons = set()
    for _ in range(150):
        data = bytearray(good)
        for _ in range(draw.randint(1, 8)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        data = data[: draw.randint(0, len(data))] if draw.random() < 0.3 else data
        try:
            assert decoded(bytes(data), 2**20).width > 0
        except Unreadable as error:
            reasons.add(error.reason)
    assert reasons <= {"no picture", "damaged", "truncated", "too many pixels", "takes too much memory", "empty file"}
    assert reasons & {"damaged", "truncated", "no picture"}


def test_it_is_read_apart_and_labelled_by_its_folder(tmp_path):
    file = InputFile("people/hopper.JPG", PHOTOGRAPH, PHOTOGRAPH.stat().st_size)
    reader = reader_for(file, "image")
    (one,) = reader(file, Reading())
    assert one.source == "people/hopper.JPG"
    assert one.content.label == "people"
    assert one.content.data == PHOTOGRAPH.read_bytes()
    assert one.content.pixels == decoded(PHOTOGRAPH.read_bytes(), MOST).pixels
    assert format_of(file, Reading()) is None
    assert reader_for(file, "text") is None
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    file = InputFile("broken.png", broken, 8)
    with pytest.raises(Unreadable):
        list(reader_for(file, "image")(file, Reading()))


@pytest.mark.parametrize(
    ("name", "number", "folder"),
    [
        ("a.png", None, ""),
        ("x/cats/a.png", None, "cats"),
        ("2:cats/a.png", 2, "cats"),
        ("2:cats/a.png", None, "2:cats"),
    ],
)
def test_the_folder_of_a_file(name, number, folder):
    assert InputFile(name, Path(name), 0, number=number).folder == folder

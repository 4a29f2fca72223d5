"""A picture decoded in full, and what its pixels say.

This is run apart, see :mod:`aictl.data.readers.apart`: what decodes pictures is written in C.
"""

from __future__ import annotations

import hashlib
import io
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image as Pillow

from aictl.data.decode import whole_bytes
from aictl.data.documents import Document, Image, InputFile, Items, Reading, Unreadable

# What is decoded, and how its files end. Formats that run programs (EPS), or are of cameras and old machines, are not.
SUFFIX_OF = {
    "PNG": "png",
    "JPEG": "jpg",
    "MPO": "jpg",
    "GIF": "gif",
    "WEBP": "webp",
    "BMP": "bmp",
    "TIFF": "tif",
    "PPM": "ppm",
}
_OPENED = [name for name in SUFFIX_OF if name != "MPO"]  # which is a JPEG that holds several
_LOOKS_SIDE = 9  # pixels: 8 differences of neighbours in each direction
_OTHERS = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N", "LAB")  # modes that say more than a colour of 8 bits a channel
_ORIENTATION = 0x0112  # of EXIF 2.32
_MAGIC = {b"<svg": "SVG", b"<?xml": "XML", b"%!PS": "PostScript", b"8BPS": "PSD", b"%PDF": "PDF"}

Pillow.MAX_IMAGE_PIXELS = None  # its own bound warns first and raises at twice as much; ours is below


def read(file: InputFile, reading: Reading) -> Items:
    """Yield the picture that a file is. Raises :class:`Unreadable` for one that cannot be decoded."""
    yield Document(file.name, decoded(whole_bytes(file), reading.max_pixels))


def small(file: InputFile, side: int) -> Iterator[tuple[str, int, int]]:
    """A copy of a picture that fits into a square of ``side`` pixels: a PNG as base64, its width and its height. Raises
    :class:`Unreadable`."""
    try:
        with Pillow.open(io.BytesIO(whole_bytes(file)), formats=_OPENED) as image:
            if image.width * image.height > Reading().max_pixels:
                raise Unreadable("too many pixels")
            copy = _grey(image) if image.mode in _OTHERS else image.convert("RGBA")
        copy.thumbnail((side, side))
        png = io.BytesIO()
        # from its pixels alone: a profile of colours would be copied from the file as it stands there
        Pillow.frombytes(copy.mode, copy.size, copy.tobytes()).save(png, "PNG")
    except Exception as error:
        raise error if isinstance(error, Unreadable) else Unreadable("damaged") from None
    yield b64encode(png.getvalue()).decode(), copy.width, copy.height


def decoded(data: bytes, max_pixels: int) -> Image:
    """A picture without a label. Raises :class:`Unreadable` for what is none, cannot be decoded to its end, or has more
    pixels than ``max_pixels``, of which none is decoded then."""
    if not data:
        raise Unreadable("empty file")
    try:
        with Pillow.open(io.BytesIO(data), formats=_OPENED) as image:
            if image.width * image.height > max_pixels:
                detail = f"{image.width:,} x {image.height:,}; --max-pixels allows {max_pixels:,}"
                raise Unreadable("too many pixels", detail)
            image.load()
            return facts(image, data, SUFFIX_OF[str(image.format)], moves=getattr(image, "is_animated", False))
    except Unreadable:
        raise
    except Pillow.UnidentifiedImageError:
        raise Unreadable("no picture", _begins(data)) from None
    except MemoryError:
        raise Unreadable("takes too much memory") from None
    except Exception as error:  # over spoiled bytes its decoders raise whatever they come upon
        said = " ".join(str(error).split())[:200]
        reason = "truncated" if "truncated" in said else "damaged"
        raise Unreadable(reason, said or type(error).__name__) from None


def facts(image: Pillow.Image, data: bytes, suffix: str, *, moves: bool = False) -> Image:
    """What is known of a decoded picture that lies in a file of these bytes. Of one that moves, only the first frame is
    decoded, and only the same file is the same picture."""
    orientation = image.getexif().get(_ORIENTATION, 1) if "exif" in image.info else 1
    pixels = hashlib.sha256(data).digest() if moves else _digest(image, orientation)
    return Image(data, suffix, image.width, image.height, image.mode, pixels[:16], _looks(image))


def _digest(image: Pillow.Image, orientation: object) -> bytes:
    """The same for the same pixels, however they are stored: a grey picture is one of colours that are equal."""
    mode = image.mode
    if mode not in _OTHERS:
        mode = "RGBA" if image.has_transparency_data else "RGB"
        image = image if image.mode == mode else image.convert(mode)
    digest = hashlib.sha256(f"{mode} {image.width} {image.height} {orientation}".encode())
    digest.update(image.tobytes())
    return digest.digest()


def _looks(image: Pillow.Image) -> bytes:
    """128 bits, of which two pictures have the more in common the more they look alike: whether each of 8 x 8 places of
    a small grey copy is brighter than its neighbour to the left, and than the one above (the difference hash of
    N. Krawetz, "Kind of Like That", 2013, in both directions)."""
    if image.has_transparency_data:  # what is seen through is as good as white
        image = image.convert("RGBA")
        image = Pillow.alpha_composite(Pillow.new("RGBA", image.size, "white"), image)
    small = _grey(image).resize((_LOOKS_SIDE, _LOOKS_SIDE), Pillow.Resampling.BOX)
    grey: Any = np.asarray(small, np.int16)
    across = grey[:-1, 1:] > grey[:-1, :-1]
    down = grey[1:, :-1] > grey[:-1, :-1]
    return np.packbits(np.concatenate([across.ravel(), down.ravel()])).tobytes()


def _grey(image: Pillow.Image) -> Pillow.Image:
    """Of pixels that are measured, as in medicine or of heights, the least are black and the most white."""
    if image.mode not in _OTHERS:
        return image.convert("L")
    values: Any = np.nan_to_num(np.asarray(image.getchannel(0) if image.mode == "LAB" else image, np.float64))
    low, high = values.min(), values.max()
    return Pillow.fromarray(((values - low) * (255 / max(high - low, 1e-300))).astype(np.uint8))


def _begins(data: bytes) -> str:
    head = data[:64].lstrip().lower()
    what = next((name for magic, name in _MAGIC.items() if head.startswith(magic.lower())), None)
    return f"it is {what}" if what else f"it begins with {data[:8]!r}"

"""The pictures of a dataset as arrays of pixels: taken out of their archives where they lie, and kept decoded.

A picture is decoded by Pillow and cut to size by the model's own processor, in as many threads as there are cores.
Where all of them are small enough together, their pixels are kept in one file that is mapped, so that later epochs
only copy. Rescaling and normalising come last, when a batch goes to the model: bytes are a quarter of floats.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from PIL import Image

from aictl.artifacts import image_shards
from aictl.artifacts.dataset import Dataset, read_shard
from aictl.core.errors import BadRequest, Damaged
from aictl.core.events import Events
from aictl.training.batches import FieldBatch
from aictl.training.state import disk

KEPT_BYTES = 4 * 2**30  # pixels of a split that are kept decoded, at most
THREADS = min(8, os.cpu_count() or 1)
PATCHES_A_SIDE = 16  # of a network whose configuration names none
_AT_ONCE = 512  # pictures that are decoded before progress is told
_TOLERANCE = 0.02  # of a normalised pixel: half a step of 1/255 at a deviation of 0.1


class Entry(NamedTuple):
    """Where the file of a picture lies, and what its document is called."""

    archive: Path
    begin: int
    size_bytes: int
    called: str


class PictureReader:
    """Cuts pictures to size as a model's processor does, and says how their pixels are then normalised: ``factor``
    and ``offset``, float32 for each channel."""

    def __init__(self, processor: Any) -> None:
        """Raises :class:`BadRequest` for a processor that does more than cut, rescale and normalise, or that lets
        pictures differ in size."""
        self.processor = processor
        scale = processor.rescale_factor if getattr(processor, "do_rescale", True) else 1.0
        normalises = getattr(processor, "do_normalize", True)
        mean, deviation = (processor.image_mean, processor.image_std) if normalises else (0.0, 1.0)
        self.factor = np.broadcast_to(np.float32(scale) / np.asarray(deviation, np.float32), (3,))
        self.offset = np.broadcast_to(-np.asarray(mean, np.float32) / np.asarray(deviation, np.float32), (3,))
        self.height, self.width = self._probe()

    def read(self, data: bytes, *, grey: bool = False) -> np.ndarray:
        """uint8 of shape (height, width, channels) from a picture's file, of one channel where it is ``grey``. Raises
        ``OSError``, ``ValueError`` or ``SyntaxError`` for what is no whole picture."""
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            try:
                with Image.open(io.BytesIO(data)) as opened:
                    picture = opened.convert("RGB")
            except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
                raise ValueError(str(error)) from error
        pixels = self.cut(picture)
        return pixels[:, :, :1] if grey else pixels

    def cut(self, picture: Image.Image) -> np.ndarray:
        """uint8 of shape (height, width, 3)."""
        found = self.processor(images=picture, do_rescale=False, do_normalize=False, return_tensors="np")
        pixels = np.asarray(found["pixel_values"][0])
        if pixels.dtype != np.uint8:
            pixels = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
        return pixels.transpose(1, 2, 0)

    def _probe(self) -> tuple[int, int]:
        """The size that pictures of two shapes are cut to, having compared what comes out with the processor's own."""
        generator = np.random.default_rng(0)
        sizes = set()
        for shape in ((40, 64, 3), (64, 48, 3)):
            picture = Image.fromarray(generator.integers(0, 256, shape, dtype=np.uint8))
            pixels = self.cut(picture)
            theirs = np.asarray(self.processor(images=picture, return_tensors="np")["pixel_values"][0])
            ours = (pixels * self.factor + self.offset).transpose(2, 0, 1)
            if ours.shape != theirs.shape or np.abs(ours - theirs).max() > _TOLERANCE:
                raise BadRequest(
                    f"the model's {type(self.processor).__name__} prepares pictures in a way not known here"
                )
            sizes.add(pixels.shape[:2])
        if len(sizes) > 1:
            raise BadRequest("the model's processor lets pictures differ in size, and a batch needs them equal")
        return sizes.pop()


@dataclass(frozen=True)
class PictureBatch(FieldBatch):
    """Rows whose ``pixel_values`` are uint8 of shape (rows, height, width, 1 or 3) until they go to the model, which
    gets them as float32 of shape (rows, 3, height, width): ``factor`` times the byte and ``offset``."""

    factor: torch.Tensor | None = None
    offset: torch.Tensor | None = None

    def to(self, device: torch.device) -> Self:
        moved = super().to(device)
        pixels = moved.fields["pixel_values"]
        assert isinstance(pixels, torch.Tensor)
        if self.factor is None or self.offset is None or pixels.dtype != torch.uint8:
            return moved
        # Channels come last in memory, as convolutions like them, and one that is shared becomes three here.
        values = torch.addcmul(self.offset.to(device), pixels.float(), self.factor.to(device)).permute(0, 3, 1, 2)
        return replace(moved, fields={**moved.fields, "pixel_values": values})


class Pictures:
    """The pictures of one split by their row, uint8 of shape (height, width, channels)."""

    def __init__(self, dataset: Dataset, split: str, reader: PictureReader, scratch: Path, events: Events) -> None:
        """Decodes all of them where there is room to keep them. Raises :class:`Damaged` for a picture that cannot be
        read, named by its document."""
        self._reader = reader
        self._entries, self._grey = _entries(dataset, split)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="pictures")
        self._handles: dict[Path, int] = {}
        self._kept: np.ndarray | None = None
        shape = (len(self._entries), reader.height, reader.width, 1 if self._grey else 3)
        if len(self._entries) and np.prod(shape, dtype=np.int64) <= KEPT_BYTES:
            self._kept = self._keep(scratch / f"{split}.pixels.npy", shape, split, events)

    def __len__(self) -> int:
        return len(self._entries)

    def __del__(self) -> None:
        for handle in getattr(self, "_handles", {}).values():
            os.close(handle)

    def called(self, row: int) -> str:
        return self._entries[row].called

    def stack(self, rows: Sequence[int]) -> np.ndarray:
        """uint8 of shape (rows, height, width, channels), nobody else's to change."""
        if self._kept is not None:
            return np.array(self._kept[list(rows)])
        return np.stack(list(self._pool.map(self._read, rows)))

    def batch_fields(self, pixels: np.ndarray) -> dict[str, Any]:
        """What a :class:`PictureBatch` of such pixels is made with besides what belongs to the task."""
        return {
            "pixels": torch.from_numpy(np.ascontiguousarray(pixels)),
            "factor": torch.from_numpy(self._reader.factor.copy()),
            "offset": torch.from_numpy(self._reader.offset.copy()),
        }

    def _keep(self, path: Path, shape: tuple[int, ...], split: str, events: Events) -> np.ndarray:
        if not path.exists():
            task = f"decode {split}"
            events.started(task, shape[0], "pictures")
            partial = path.with_suffix(".partial")
            with disk(path):
                kept = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
                for start in range(0, shape[0], _AT_ONCE):
                    rows = range(start, min(start + _AT_ONCE, shape[0]))
                    for row, pixels in zip(rows, self._pool.map(self._read, rows), strict=True):
                        kept[row] = pixels
                    events.advanced(task, rows.stop)
                kept.flush()
            partial.replace(path)
            events.finished(task)
        return np.load(path, mmap_mode="r", allow_pickle=False)

    def _read(self, row: int) -> np.ndarray:
        entry = self._entries[row]
        try:
            data = os.pread(self._handle(entry.archive), entry.size_bytes, entry.begin)
            return self._reader.read(data, grey=self._grey)
        except (OSError, ValueError, SyntaxError) as error:
            raise Damaged(
                f"the picture of {entry.called} in {entry.archive} cannot be read: {error}",
                cure="prepare the data anew without it",
            ) from error

    def _handle(self, archive: Path) -> int:
        if archive not in self._handles:
            self._handles[archive] = os.open(archive, os.O_RDONLY)
        return self._handles[archive]


def _entries(dataset: Dataset, split: str) -> tuple[list[Entry], bool]:
    """Every picture of a split, and whether all of them are grey."""
    found: list[Entry] = []
    grey = True
    for shard in dataset.shards(split):
        archive = image_shards.archive_of(shard)
        documents = list(read_shard(shard))
        try:
            for one, place in zip(documents, image_shards.places(documents), strict=True):
                called = f"document {len(found) + 1} of the {split} split ({one.get('source', one['image'])})"
                found.append(Entry(archive, place.begin, place.size_bytes, called))
                grey = grey and one.get("mode") in ("L", "1")
        except (KeyError, TypeError) as error:
            raise Damaged(f"{shard}: document {len(found) + 1} names no picture: {error}") from error
    return found, grey


def sizes(dataset: Dataset, split: str, most: int) -> Iterator[int]:
    """The longer sides in pixels of the first ``most`` pictures, as their documents have them."""
    for number, one in enumerate(dataset.documents(split)):
        if number == most:
            return
        yield max(int(one.get("width") or 0), int(one.get("height") or 0))


def compares_rows(model: torch.nn.Module) -> bool:
    """Whether the rows of a batch are normalised by one another, so that a part of it would give another result."""
    return any(isinstance(module, torch.nn.modules.batchnorm._BatchNorm) for module in model.modules())


def patches_of(model: Any) -> int:
    """The positions that a picture is to a network: its patches, or those of the map that convolutions begin with."""
    side, patch = (getattr(model.config, name, None) for name in ("image_size", "patch_size"))
    if isinstance(side, int) and isinstance(patch, int):
        return max(1, side // patch) ** 2
    return PATCHES_A_SIDE**2

"""Which of TensorFlow's forms a source is in, told by names and by what cannot be harmful to read."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from aictl.core.artifact import Source
from aictl.core.errors import BadInput, BadRequest

SAVED_MODEL = "saved_model.pb"
_AS_KERAS = "load it where it was made, and save it again: keras.models.load_model(FILE).save('model.keras')"
_AS_SAVED = "load it where it was made, and save it again: tf.saved_model.save(model, 'FOLDER')"
_OTHERS = {
    ".h5": ("HDF5 is Keras' form of before 2023, in which layers may hold code", _AS_KERAS),
    ".hdf5": ("HDF5 is Keras' form of before 2023, in which layers may hold code", _AS_KERAS),
    ".tflite": ("TensorFlow Lite has left out what a graph is rebuilt from", "give the model that it was made from"),
    ".pb": ("a frozen graph does not say what it takes and gives", _AS_SAVED),
    ".ckpt": ("a training checkpoint holds weights without a network", _AS_SAVED),
    ".pkl": ("a pickle can run code when it is read", _AS_KERAS),
}
MOST_CONFIG = 64 * 2**20  # bytes of a .keras file's config.json; large networks have one of a few MB
# Where classes of Keras' own come from; any other module is code that would have to come with the model.
_OWN_MODULES = ("keras", "builtins")


class Found(NamedTuple):
    """A model in a form that is read here."""

    format: Literal["savedmodel", "keras"]
    path: Path


def recognise(source: Source) -> Found:
    """The one model in a source. Raises :class:`BadInput` for none that can be taken and :class:`BadRequest` for
    several."""
    path = source.path
    if path.is_file():
        if path.suffix == ".keras":
            require_no_code(path)
            return Found("keras", path)
        why, cure = _OTHERS.get(path.suffix.lower(), ("it is neither a .keras file nor a SavedModel's folder", None))
        raise BadInput(f"{source.uri} cannot be taken: {why}", cure=cure or "give one of the two")
    found = [Found("savedmodel", one.parent) for one in sorted(path.rglob(SAVED_MODEL))]
    found += [Found("keras", one) for one in sorted(path.rglob("*.keras"))]
    if not found:
        other = next((one for one in sorted(path.rglob("*")) if one.suffix.lower() in _OTHERS), None)
        if other is not None:
            why, cure = _OTHERS[other.suffix.lower()]
            raise BadInput(f"{source.uri} holds {other.name}, which cannot be taken: {why}", cure=cure)
        raise BadInput(f"{source.uri} holds no {SAVED_MODEL}", cure="give a SavedModel's folder or a .keras file")
    if len(found) > 1:
        names = ", ".join(one.path.relative_to(path).as_posix() or "." for one in found[:10])
        raise BadRequest(f"{source.uri} holds {len(found)} models: {names}", cure="give the path of one of them")
    if found[0].format == "keras":
        require_no_code(found[0].path)
    return found[0]


def require_no_code(path: Path) -> None:
    """Raise :class:`BadInput` for a .keras file with layers that are code, or of classes that Keras has not itself.
    Keras refuses them too, in its safe mode; they are told here by name and before anything is read."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = archive.getinfo("config.json").file_size
            if size > MOST_CONFIG:
                raise BadInput(f"{path}: config.json has {size:,} bytes, and at most {MOST_CONFIG:,} are read")
            config = json.loads(archive.read("config.json"))
    except (OSError, KeyError, ValueError, RecursionError, zipfile.BadZipFile, NotImplementedError) as error:
        raise BadInput(
            f"{path} is no whole .keras file: {error}", cure="download it again, or save it again"
        ) from error
    for one in _classes(config):
        name, module = one.get("class_name"), one.get("module")
        if name in ("Lambda", "__lambda__"):
            raise BadInput(
                f"{path}: the layer '{_called(one)}' holds code (Lambda), which is never run",
                cure="write that layer with Keras' own layers or operations, and save the model again",
            )
        if isinstance(module, str) and module.partition(".")[0] not in _OWN_MODULES:
            raise BadInput(
                f"{path}: the class {module}.{name} is none of Keras' own, and foreign code is never run",
                cure="export the model where that code is, and give the folder: model.export('FOLDER')",
            )


def _classes(config: Any) -> Iterator[dict[str, Any]]:
    """Every object of a configuration that names a class, however deep."""
    waiting = [config]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if "class_name" in one:
                yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _called(layer: dict[str, Any]) -> str:
    inner = layer.get("config")
    return str(inner.get("name", layer["class_name"])) if isinstance(inner, dict) else str(layer["class_name"])

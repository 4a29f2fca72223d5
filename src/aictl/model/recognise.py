"""Which models a source holds, told by their files' names alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from aictl.core.artifact import Source
from aictl.core.errors import BadInput, BadRequest, NotFound
from aictl.core.walk import Found, regular_files

Format = Literal["folder", "gguf", "onnx", "adapter"]

ADAPTER, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PICKLES = (".bin", ".pth", ".pt", ".ckpt", ".pkl", ".pickle")


@dataclass(frozen=True)
class Candidate:
    """One model: its format, where it lies, and its name inside the source."""

    format: Format
    path: Path
    name: str


def choose(source: Source, wanted: str | None) -> Candidate:
    """The one model to take.

    Raises :class:`BadInput` if the source holds none that can be taken, :class:`BadRequest` if it
    holds several and ``wanted`` does not say which, :class:`NotFound` if it is not among them.
    """
    files = _files(source)
    found = list(_candidates(source.path, files))
    if not found:
        raise _none(source, files)
    if wanted is not None:
        asked = PurePosixPath(wanted)
        named = [one for one in found if asked == PurePosixPath(one.name) or _inside(asked, one)]
        if not named:
            raise NotFound(f"--file {wanted}: {source.uri} holds no such model", cure=f"--file {found[0].name}")
        return named[0]
    # A repository often carries one model in several formats: the one nearest to training is taken.
    best = [one for one in found if one.format == found[0].format]
    if len(best) > 1:
        names = ", ".join(one.name for one in best[:10])
        raise BadRequest(f"{source.uri} holds {len(best)} models: {names}", cure=f"--file {best[0].name}")
    return best[0]


def _files(source: Source) -> list[Found]:
    if source.path.is_file():
        return [Found(source.path.name, source.path)]
    return list(regular_files(source.path, lambda name, reason: None))


def _candidates(root: Path, files: list[Found]) -> list[Candidate]:
    """Every model, those in safetensors first, then GGUF, then ONNX, then what is one only on top of another."""
    beside: dict[Path, set[str]] = {}
    for file in files:
        beside.setdefault(file.path.parent, set()).add(file.path.name)
    if root.is_file():
        beside = {}
    models = {at: names - {ADAPTER_WEIGHTS} for at, names in beside.items()}
    whole = [at for at, names in models.items() if "config.json" in names and _any(names, ".safetensors")]
    sentence = {at for at in whole if "modules.json" in beside[at]}
    folders = {
        # What lies below a sentence-transformers model, such as 2_Dense, is a step of it and no model.
        "folder": [at for at in whole if not sentence & set(at.parents)],
        "onnx": [at for at, names in beside.items() if "genai_config.json" in names and _any(names, ".onnx")],
        "adapter": [at for at, names in beside.items() if {ADAPTER, ADAPTER_WEIGHTS} <= names],
    }
    ggufs = [file for file in files if file.path.suffix.lower() == ".gguf"]
    return [
        *(Candidate("folder", at, at.relative_to(root).as_posix()) for at in sorted(folders["folder"])),
        *(Candidate("gguf", file.path, file.relative) for file in ggufs),
        *(Candidate("onnx", at, at.relative_to(root).as_posix()) for at in sorted(folders["onnx"])),
        *(Candidate("adapter", at, at.relative_to(root).as_posix()) for at in sorted(folders["adapter"])),
    ]


def _inside(asked: PurePosixPath, candidate: Candidate) -> bool:
    """Whether a file of the candidate's own folder was named, such as its weights."""
    return (
        candidate.path.is_dir()
        and asked.parent == PurePosixPath(candidate.name)
        and (candidate.path / asked.name).is_file()
    )


def _any(names: set[str], suffix: str) -> bool:
    return any(name.endswith(suffix) for name in names)


def _none(source: Source, files: list[Found]) -> BadInput:
    """Say what is there instead of a model."""
    names = {file.path.name for file in files}
    what = f"{source.uri} holds no model that can be taken"
    if ADAPTER in names:
        return BadInput(
            f"{what}: it is an adapter, and {ADAPTER_WEIGHTS} is not beside its {ADAPTER}",
            cure="give the whole folder, with its weights as safetensors",
        )
    if _any(names, ".safetensors"):
        return BadInput(
            f"{what}: there are safetensors but no config.json beside them",
            cure="give the whole folder: config.json, weights, tokenizer.json",
        )
    if any(name.endswith(PICKLES) for name in names):
        return BadInput(
            f"{what}: its weights are pickles, which can run code when they are read",
            cure="give a safetensors or GGUF version; most model pages have one, and its authors can convert it",
        )
    if _any(names, ".onnx"):
        return BadInput(
            f"{what}: there is an ONNX graph but no genai_config.json that says how to drive it",
            cure="add the model as safetensors, then `aictl export onnx`",
        )
    return BadInput(
        what,
        cure="give a folder with config.json and safetensors, a .gguf file, or an ONNX model with genai_config.json",
    )

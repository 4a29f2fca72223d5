"""Which options a format has: what is asked for and has no meaning for it is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aictl.artifacts.dataset import Format
from aictl.core.errors import BadRequest
from aictl.core.spec import Spec
from aictl.data.documents import InputFile
from aictl.data.prep.intake import CALLED
from aictl.data.prep.spec import FilterSpec, PrepSpec
from aictl.data.readers import idx_names, parallel_lines


class _Group(NamedTuple):
    """Options by the part of the spec that they are in, what they are about, and which formats have them."""

    about: str
    formats: Sequence[Format]
    options: Mapping[str, Sequence[str]]


_LENGTHS_AND_RULES = ("min_chars", "max_chars", "quality")
_GROUPS = (
    _Group("text", ("text", "chat"), {"files": ("text_field",), "filters": _LENGTHS_AND_RULES}),
    _Group(
        "text",
        ("text", "chat", "pair", "preference"),
        {
            "files": ("url_field", "unknown_encoding"),
            "filters": tuple(name for name in FilterSpec.model_fields if name not in _LENGTHS_AND_RULES),
            "duplicates": ("contamination_words",),
            "split": ("split_similarity",),
        },
    ),
    _Group("pictures", ("image",), {"files": ("image_field", "max_pixels", "caption_field")}),
    _Group("labels of texts and pictures", ("text", "image"), {"files": ("label_field",)}),
    _Group("labels of texts", ("text",), {"files": ("label_from",)}),
    _Group("pairs", ("pair",), {"files": ("input_field", "output_field")}),
)


def spec_for(spec: PrepSpec, format: Format, given: Mapping[str, object]) -> PrepSpec:
    """The spec as it holds for a format. ``given`` are inputs that are about text, by the names of their options.

    Raises :class:`BadRequest` if anything is asked for that only others have."""
    wrong: dict[str, list[str]] = {}
    for group in _GROUPS:
        if format not in group.formats:
            names = [one for part, names in group.options.items() for one in _set(getattr(spec, part), names)]
            wrong.setdefault(group.about, []).extend(names)
    if format == "image":
        wrong["text"] += [name for name, value in given.items() if value]
    for about, names in wrong.items():
        _refuse(names, about, format)
    if spec.files.label_from == "folder" and spec.files.label_field is not None:
        raise BadRequest("--label-field names a field, and --label-from folder takes no field", cure="give one of them")
    if format != "image":
        return spec
    # What looks alike is not of one origin: only what is the same, or was asked for, is kept on one side.
    return spec.model_copy(update={"split": spec.split.model_copy(update={"split_similarity": 1.0})})


def _set(group: Spec, names: Sequence[str]) -> list[str]:
    """Which of a group's options are not as they are without being given."""
    fields = type(group).model_fields
    return [name for name in names if getattr(group, name) != fields[name].get_default(call_default_factory=True)]


def _refuse(names: Sequence[str], about: str, format: Format) -> None:
    if names:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in names)
        are, them = ("is", "it") if len(names) == 1 else ("are", "them")
        said = f"{options} {are} about {about}, and this is a dataset of {CALLED[format]}"
        raise BadRequest(said, cure=f"leave {them} out")


def without_second_halves(
    files: Sequence[tuple[int, InputFile]], format: Format, spec: PrepSpec
) -> list[tuple[int, InputFile]]:
    """All files but those that lie beside what they belong to, labels beside pictures or translations beside sentences:
    who reads the ones reads the others."""
    reading = spec.reading
    if format == "pair":
        owners = {
            (number, name)
            for number, file in files
            if parallel_lines.is_input(file.name, reading)
            for name in parallel_lines.output_names(file.name, reading)
        }
        return [pair for pair in files if (pair[0], pair[1].name) not in owners]
    if format != "image":
        return list(files)
    owners = {
        (number, idx_names.labels_name(file.name).removesuffix(".gz"))
        for number, file in files
        if idx_names.is_images(file.name)
    }
    return [pair for pair in files if (pair[0], pair[1].name.removesuffix(".gz")) not in owners]

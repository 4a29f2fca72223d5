"""A model card: put together, and written where it is wanted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import ModelCard

from aictl.artifacts.model import Model
from aictl.core.answer import Document
from aictl.core.artifact import Artifact
from aictl.core.errors import BadInput, BadRequest, MachineLacks, NotFound
from aictl.model.card import history
from aictl.model.card.figures import figures
from aictl.model.card.metadata import metadata
from aictl.model.card.text import text

MOST_DESCRIPTION = 1_000_000  # bytes of Markdown: more is no description


def card(
    model: Model,
    evaluations: Sequence[Artifact],
    *,
    license: str | None = None,
    languages: Sequence[str] = (),
    description: Path | None = None,
    title: str | None = None,
    out: Path | None = None,
    overwrite: bool = False,
) -> Document:
    """The card of ``model``, with what ``evaluations`` measured of it; written into ``out`` if that is given.

    Raises :class:`NotFound` and :class:`BadInput` for a description that is not there or no text,
    :class:`BadRequest` for a language that is none and for an ``out`` that holds something else.
    """
    steps = history.steps(model)
    title = title or model.label
    license = license or history.license_of(steps)
    own = list(figures(model.metrics))
    measured = history.evaluated(evaluations)
    facts = metadata(
        model, steps, [*history.held_out(steps, own), *measured], title=title, license=license, languages=languages
    )
    body = text(
        model,
        steps,
        own,
        measured,
        title=title,
        description=None if description is None else _read(description),
        license=license,
        languages=languages,
    )
    whole = ModelCard(
        f"---\n{facts.to_yaml()}\n---\n\n{body}"
    )  # it reads what it is given, and refuses what is no card
    written = str(whole).rstrip() + "\n"
    value = {"metadata": whole.data.to_dict(), "card": written}
    if out is None:
        return Document(value, text=written)
    _write(out, written, overwrite=overwrite)
    return Document({"path": str(out), **value}, text=str(out))


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_DESCRIPTION:
            raise BadInput(f"--description {path} has more than {MOST_DESCRIPTION:,} bytes")
        content = path.read_text("utf-8")
    except FileNotFoundError:
        raise NotFound(f"--description {path} is not there") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"--description {path} cannot be read: {error}") from error
    if content.lstrip().startswith("---"):
        raise BadInput(f"--description {path} begins with front matter", cure="leave that out: the card has its own")
    return content


def _write(path: Path, content: str, *, overwrite: bool) -> None:
    """Write the file whole or not at all. What somebody has written there by hand is not lost unasked."""
    try:
        if path.exists() and not overwrite and path.read_bytes() != content.encode():
            raise BadRequest(
                f"--out {path} is there already and says something else", cure="give another name, or --overwrite"
            )
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            partial.write_text(content, "utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise MachineLacks(f"--out {path} cannot be written: {error.strerror or error}") from error

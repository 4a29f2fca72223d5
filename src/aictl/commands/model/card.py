"""Write the model's card for the Hugging Face hub, from what is recorded of it.

What it was trained from and on with its digests, with which options and library versions, what was measured and
how sure that is, and how to use it. What nobody has recorded is said to be unknown. The card is the answer;
--out writes it into a file.

  aictl model card support --license apache-2.0 --language en --out README.md
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from aictl.core.answer import Document
from aictl.core.command import Command, Work
from aictl.core.spec import Spec, comma_separated, option


class CardSpec(Spec):
    """Which model, and what its records cannot say."""

    ref: str = option(positional=True, ref=True, help="the model")
    license: str | None = option(
        None, min_length=1, help="its licence, such as apache-2.0; else that which came with it or its base"
    )
    language: Annotated[list[str], BeforeValidator(comma_separated)] = option(
        [], help="the languages that it knows, as ISO 639 codes: en,de"
    )
    description: Path | None = option(None, help="a Markdown file that says what it is, to stand first in the card")
    title: str | None = option(None, min_length=1, help="what the card calls it; its name unless given")
    out: Path | None = option(None, help="write the card into this file")
    overwrite: bool = option(False, help="replace a file of that name that says something else")


def run(work: Work[CardSpec]) -> Document:
    from aictl.model.card.card import card
    from aictl.workspace.models import evaluations_of, find_model

    assert work.workspace
    found = find_model(work.workspace, work.spec.ref, work.events)
    evaluations = evaluations_of(work.workspace, found.model)
    spec = work.spec
    return card(
        found.model,
        evaluations,
        license=spec.license,
        languages=spec.language,
        description=spec.description,
        title=spec.title,
        out=spec.out,
        overwrite=spec.overwrite,
    )


command = Command(run=run, spec=CardSpec, extra="hub")

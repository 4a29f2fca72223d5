"""The options of ``model add``."""

from __future__ import annotations

from aictl.core.spec import Spec, option


class AddSpec(Spec):
    """Which of a source's models to take."""

    file: str | None = option(
        None,
        min_length=1,
        help="the model to take where the source holds several: its file or folder inside the source",
    )

"""page: something to read in a browser. File: ``index.html``, which needs no other file and no network."""

from __future__ import annotations

from pathlib import Path

from aictl.core.artifact import Artifact
from aictl.core.errors import Damaged

_BEGINNING = b"<!doctype html>"


class Page(Artifact):
    """One HTML file that holds all that it shows."""

    kind = "page"
    about = "a page to read in a browser"

    @property
    def page_path(self) -> Path:
        return self.folder / "index.html"

    def check(self) -> None:
        try:
            with self.page_path.open("rb") as file:
                is_page = file.read(len(_BEGINNING)).lower() == _BEGINNING
        except OSError as error:
            raise Damaged(f"{self.page_path}: {error.strerror}") from error
        if not is_page:
            raise Damaged(f"{self.page_path} is no page")

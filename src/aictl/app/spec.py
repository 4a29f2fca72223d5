"""The settings of app scaffold."""

from __future__ import annotations

import re

from pydantic import field_validator

from aictl.core.spec import Spec, option

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MAX_NAME = 64
_RESERVED = ("artifacts",)


class ScaffoldSpec(Spec):
    """Which template, and what it is told."""

    template: str = option(positional=True, help="a template's name, or a folder with a copier.yml")
    name: str = option(
        positional=True, help="name of the app, and of its folder in the workspace, which is yours to edit"
    )
    title: str | None = option(None, min_length=1, max_length=200, help="what the app calls itself; from its name")
    answer: list[str] = option([], help="another answer to the template, as KEY=VALUE; may be given several times")

    @field_validator("template")
    @classmethod
    def _pinned(cls, text: str) -> str:
        """The template's digest is part of the option, so that an edited template is another one."""
        from aictl.app.templates import find

        return find(text).pinned

    @field_validator("name")
    @classmethod
    def _inside(cls, name: str) -> str:
        if not _NAME.fullmatch(name) or len(name) > _MAX_NAME or name in _RESERVED:
            raise ValueError(
                "must name a folder right inside the workspace: letters, digits and . _ - after a letter or digit"
            )
        return name

    @field_validator("answer")
    @classmethod
    def _pairs(cls, answers: list[str]) -> list[str]:
        for one in answers:
            if not one.partition("=")[0].isidentifier() or "=" not in one:
                raise ValueError(f"{one!r} is not KEY=VALUE")
        return answers

    def answers(self) -> dict[str, str]:
        """What the template is told beside the inputs."""
        title = self.title or re.sub(r"[-_.]+", " ", self.name).strip().title()
        return {**dict(one.split("=", 1) for one in self.answer), "name": self.name, "title": title}

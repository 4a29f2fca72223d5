"""The settings of app scaffold."""

from __future__ import annotations

import re

from pydantic import ValidationInfo, field_validator

from aictl.core.spec import Spec, option

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MAX_NAME = 64
_RESERVED = ("artifacts",)


class ScaffoldSpec(Spec):
    """Which template, and what it is told."""

    template: str = option(
        positional=True, affects_result=False, help="a template's name, or a folder with a copier.yml"
    )
    name: str = option(
        positional=True, help="name of the app, and of its folder in the workspace, which is yours to edit"
    )
    title: str | None = option(None, min_length=1, max_length=200, help="what the app calls itself; from its name")
    answer: list[str] = option([], help="another answer to the template, as KEY=VALUE; may be given several times")
    template_sha256: str | None = option(
        None,
        validate_default=True,
        pattern="^[0-9a-f]{64}$",
        help="the digest that the template has to have; that of its files now if unset",
    )

    @field_validator("template_sha256")
    @classmethod
    def _found(cls, wanted: str | None, settled: ValidationInfo) -> str | None:
        """What a template is to the app is its files, wherever they lie: an edited one is another,
        and a copy is the same."""
        from aictl.app.templates import find

        return find(settled.data["template"], wanted).digest if "template" in settled.data else wanted

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

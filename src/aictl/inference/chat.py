"""A model's own chat template, rendered in a sandbox without transformers.

The template language, its filters and its globals are those that transformers documents
(https://huggingface.co/docs/transformers/chat_templating_writing), so that a prompt is the same
byte for byte whether torch is installed or not.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import jinja2.utils
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from aictl.artifacts.tokenizer import special_tokens
from aictl.core.errors import BadRequest, Damaged


class ChatTemplate:
    """Turns a conversation into the text that the model was trained to continue."""

    def __init__(self, source: str, special: dict[str, str]) -> None:
        self._special = special
        try:
            self._template = _environment().from_string(source)
        except jinja2.TemplateError as error:
            raise Damaged(f"the chat template cannot be read: {error}") from error

    @classmethod
    def read(cls, folder: Path) -> ChatTemplate | None:
        """The template of a model folder; None if it has none."""
        config = _tokenizer_config(folder)
        source = template_source(folder)
        return cls(source, special_tokens(config)) if source else None

    def render(self, messages: Sequence[dict[str, str]]) -> str:
        """The prompt up to where the assistant's next words begin.

        Raises :class:`BadRequest` if the template refuses the conversation.
        """
        try:
            return self._template.render(messages=list(messages), add_generation_prompt=True, **self._special)
        except (jinja2.TemplateError, TypeError, KeyError) as error:
            raise BadRequest(f"the model's chat template does not take this conversation: {error}") from error


def template_source(folder: Path) -> str | None:
    """The template of a model folder as it is written: ``chat_template.jinja``, or that in
    ``tokenizer_config.json``; None if it has neither."""
    beside = folder / "chat_template.jinja"
    source = beside.read_text("utf-8") if beside.exists() else _tokenizer_config(folder).get("chat_template")
    if isinstance(source, list):  # several by name; "default" is the one for plain conversations
        source = next((row["template"] for row in source if row.get("name") == "default"), None)
    return source


def _tokenizer_config(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    try:
        return json.loads(path.read_text("utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise Damaged(f"{path}: {error}") from error


class _Generation(Extension):
    """``{% generation %}`` marks the assistant's words for training; in a prompt it is no more
    than what it encloses, with a scope of its own."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


class _Namespace(jinja2.utils.Namespace):
    """jinja's ``namespace`` without names that begin with an underscore: a template is untrusted,
    and such names lead to Python's internals."""

    def __init__(*args: Any, **kwargs: Any) -> None:  # like jinja's: namespace(self=...) must work
        self, values = args[0], dict(*args[1:], **kwargs)
        for name in values:
            _refuse_private(name)
        jinja2.utils.Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _refuse_private(name)
        super().__setitem__(name, value)


def _refuse_private(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise jinja2.exceptions.SecurityError(f"a chat template may not store {name!r} in a namespace")


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["dict"] = _dict
    environment.globals["namespace"] = _Namespace
    environment.globals["strftime_now"] = lambda form: datetime.datetime.now().strftime(form)
    return environment


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """jinja's own filter would escape HTML, which a prompt is not."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _dict(*args: Any, **kwargs: Any) -> dict[Any, Any]:
    """A function and not the class, whose other methods a template must not reach."""
    return dict(*args, **kwargs)


def _raise(message: str) -> None:
    raise jinja2.TemplateError(message)

"""HTML that nothing can break out of: what is no :class:`Markup` is escaped wherever it is put.

Only this module makes Markup out of text. Names of elements and attributes are ours, never data; no data is put into
a script, a style or an address, of which a page has none but its own.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from pathlib import Path

# Control characters but tab and line break, what turns the direction of text round, and what is no character.
_UNSHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")

Child = object  # Markup, an iterable of children, None for nothing, or anything else for its text


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escaped(value: object) -> Markup:
    """Anything as text, also within quotes. What would not be seen, or steer what stands beside it, is U+FFFD."""
    return Markup(html.escape(_UNSHOWN.sub("\ufffd", str(value))))


def joined(children: Iterable[Child]) -> Markup:
    """Children one after the other."""
    return Markup("".join(map(_rendered, children)))


def element(name: str, *children: Child, **attributes: object) -> Markup:
    """``<name attributes>children</name>``. Of an attribute's name a last ``_`` is left out, so that there can be
    ``class_``, and others are hyphens; an attribute that is None is left out."""
    pairs = [
        f' {key.removesuffix("_").replace("_", "-")}="{escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    ]
    return Markup(f"<{name}{''.join(pairs)}>{joined(children)}</{name}>")


def document(title: str, style: str, *body: Child) -> Markup:
    """A whole page that loads nothing and runs nothing, whatever stands in it. ``style`` is ours."""
    head = (
        '<meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"{element('title', title)}<style>{style}</style>"
    )
    return Markup(f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{joined(body)}</body></html>\n')


def style() -> str:
    """The style sheet of every page, for day and night, for screens and paper."""
    return Path(__file__).with_name("style.css").read_text("utf-8")


def _rendered(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return escaped(child)
    if isinstance(child, Iterable):
        return joined(child)
    return escaped(child)

"""What the sections of a page are put together from: tables, texts in boxes, two texts side by side."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from aictl.pages.markup import Child, Markup, element

SHOWN_CHARACTERS = 700  # of a text
NAME_CHARACTERS = 300  # of what it is called
_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")


class Part(NamedTuple):
    """A section of the page: what it is called, here and in the address, and what stands in it."""

    name: str
    title: str
    children: Sequence[Child]


def section(part: Part) -> Markup:
    return element("section", element("h2", part.title), *part.children, id=part.name)


def paragraph(*said: Child) -> Markup:
    return element("p", *said, class_="said")


def named(name: object, **attributes: object) -> Markup:
    """Where something is from, or what it is called, as others chose it: of whatever length, and in any direction."""
    return element("bdi", shortened(str(name), NAME_CHARACTERS), **attributes)


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + " …"


def table(columns: Sequence[str], rows: Sequence[Sequence[Child]], kind: str | None = None) -> Markup:
    """``kind`` is ``figures`` where all columns but the first are numbers."""
    head = element("tr", [element("th", name, scope="col") for name in columns])
    body = [element("tr", [element("td", cell) for cell in row]) for row in rows]
    return element(
        "div", element("table", element("thead", head), element("tbody", body), class_=kind), class_="scroll"
    )


def text_box(text: str) -> Markup:
    """A text as it stands, in the direction that it is written in; of a long one its beginning."""
    return element("div", shortened(text, SHOWN_CHARACTERS), class_="text", dir="auto")


def card(source: str, about: str, *children: Child) -> Markup:
    top = element("div", named(source, class_="from"), named(about, class_="about"), class_="top")
    return element("article", top, *children, class_="card")


def turns(messages: Sequence[tuple[str, str]]) -> list[Markup]:
    """What is said in a conversation, as ``(role, text)``; of a long one the first turns."""
    shown, room = [], SHOWN_CHARACTERS
    for role, text in messages:
        if room <= 0:
            break
        shown.append(element("div", element("b", named(role)), text_box(text[:room]), class_="turn"))
        room -= len(text)
    return shown


def side_by_side(one: tuple[str, str], other: tuple[str, str], about: str) -> Markup:
    """Two texts, each ``(source, text)``, with the words marked in which they differ."""
    left, right = differing(one[1][:SHOWN_CHARACTERS], other[1][:SHOWN_CHARACTERS])
    columns = [
        element(
            "div",
            named(source, class_="from"),
            element("div", children, class_="text", dir="auto"),
            class_=kind,
        )
        for source, children, kind in ((one[0], left, "was"), (other[0], right, "is"))
    ]
    top = element("div", named(about, class_="about"), class_="top")
    return element("article", top, element("div", columns, class_="pair"), class_="card")


def differing(one: str, other: str) -> tuple[list[Child], list[Child]]:
    """Two texts as pieces; those that are only in one of them are marked."""
    ones, others = _TOKEN.findall(one), _TOKEN.findall(other)
    sides: tuple[list[Child], list[Child]] = ([], [])
    for word, low, high, other_low, other_high in SequenceMatcher(None, ones, others, autojunk=False).get_opcodes():
        for side, text in zip(sides, ("".join(ones[low:high]), "".join(others[other_low:other_high])), strict=True):
            if text:
                side.append(text if word == "equal" or text.isspace() else element("mark", text))
    return sides


def opened_by(name: str, count: str, *children: Child) -> Markup:
    """Something that is there when it is asked for."""
    return element("details", element("summary", element("b", named(name)), element("span", count)), *children)


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number and its noun: ``1 document``, ``2,000 documents``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"

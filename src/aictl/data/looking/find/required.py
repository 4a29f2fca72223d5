"""The text that whatever matches a regular expression must contain.

Looking for that text first is many times as fast as trying the expression everywhere. What cannot be said for sure
is not said: then there is none.
"""

from __future__ import annotations

import re
import string

FEWEST_LETTERS = 3  # of a text that rules out enough to be worth looking for
_REPEATED = re.compile(r"\{(\d+)(,\d*)?\}")
_CLASSES = "bBdDsSwWAzntrfv"  # letters that stand, after a backslash, for no letter of their own
_PLAIN_GROUP = re.compile(r"\((?!\?)|\(\?:|\(\?P?<\w+>")


def required(expression: str) -> str | None:
    """The longest text that stands in every match of an expression in RE2's syntax; None where that is not sure, or
    too short to help."""
    try:
        longest = max(_runs(expression), key=len, default="")
    except _NotSure:
        return None
    return longest if len(longest) >= FEWEST_LETTERS else None


class _NotSure(Exception):
    """Something stands in the expression that is not followed here."""


def _runs(expression: str) -> list[str]:
    """The literal texts, outside of groups, of an expression without alternatives."""
    runs: list[str] = []
    letters = ""
    place = 0
    while place < len(expression):
        letter = expression[place]
        after = place + 1
        literal = ""
        if letter == "|":
            raise _NotSure
        if letter == "(":
            after = _group_end(expression, place)
        elif letter == "[":
            after = _set_end(expression, place)
        elif letter == "\\":
            after += 1
            literal = _escaped(expression[place + 1 : after])
        elif letter in "*?":
            letters = letters[:-1]  # what it follows may be absent
        elif letter == "{":
            repeated = _REPEATED.match(expression, place)
            if not repeated:
                raise _NotSure
            after = repeated.end()
            if int(repeated[1]) == 0:
                letters = letters[:-1]
        elif letter not in "^$.+":
            literal = letter
        if literal:
            letters += literal
        else:
            runs.append(letters)
            letters = ""
        place = after
    return [*runs, letters]


def _escaped(letter: str) -> str:
    """What stands for itself after a backslash; nothing for a class of characters."""
    if letter in string.punctuation or letter == " ":
        return letter
    if letter and letter in _CLASSES:
        return ""
    raise _NotSure


def _set_end(expression: str, place: int) -> int:
    """The place after a set in square brackets."""
    place += 1
    if expression[place : place + 1] == "^":
        place += 1
    if expression[place : place + 1] == "]":
        place += 1
    while place < len(expression):
        if expression[place] == "\\":
            place += 2
        elif expression.startswith("[:", place):
            place = expression.find(":]", place) + 2
            if place == 1:
                raise _NotSure
        elif expression[place] == "]":
            return place + 1
        else:
            place += 1
    raise _NotSure


def _group_end(expression: str, place: int) -> int:
    """The place after a group. One that sets flags, as ``(?i)`` does, changes what follows."""
    if not _PLAIN_GROUP.match(expression, place):
        raise _NotSure
    place += 1
    while place < len(expression):
        if expression[place] == "\\":
            if expression[place + 1 : place + 2] == "Q":  # up to \E nothing has a meaning
                raise _NotSure
            place += 2
        elif expression[place] == "[":
            place = _set_end(expression, place)
        elif expression[place] == "(":
            place = _group_end(expression, place)
        elif expression[place] == ")":
            return place + 1
        else:
            place += 1
    raise _NotSure

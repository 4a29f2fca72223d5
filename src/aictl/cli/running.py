"""How the errors of the command that runs now are to be shown, since they come up through Typer."""

from __future__ import annotations

from collections.abc import Sequence


class Running:
    """``events`` and ``debug`` as on the command line; ``makes`` whether an artifact is at stake; ``words`` are what
    was typed. ``follows`` is the rank of a process that stands behind another, which is the one to tell."""

    events: str = "auto"
    debug: bool = False
    makes: bool = False
    words: Sequence[str] = ()
    follows: int | None = None

    def begin(self, words: Sequence[str]) -> None:
        """Before the words are parsed, so that an error in them is shown as they ask for."""
        self.debug, self.makes, self.events = "--debug" in words, False, "auto"
        self.words, self.follows = list(words), None
        for word, following in zip(words, [*words[1:], ""], strict=False):
            if word == "--":
                break
            if word in ("--events", "--events=jsonl"):
                self.events = following if word == "--events" else "jsonl"


running = Running()

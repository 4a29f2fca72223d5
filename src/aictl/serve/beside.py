"""A program that runs beside the server and finds it in its environment."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence

from aictl.core.errors import BadRequest, NotFound

NO_KEY = "not-needed"  # OpenAI's clients refuse to start without a key, also where none is asked for


def command_line(words: Sequence[str]) -> list[str]:
    """The program's arguments; a single word is a line for the shell, which ``sh`` runs.

    Raises :class:`NotFound` for a program that is not there, so that no model is loaded for nothing.
    """
    if len(words) == 1:
        return ["sh", "-c", words[0]]
    if shutil.which(words[0]) is None:
        raise NotFound(f"--run: there is no program '{words[0]}' on the PATH that can be run")
    return list(words)


class Beside:
    """The running program."""

    def __init__(self, arguments: Sequence[str], url: str, api_key: str | None) -> None:
        """Starts it. It shares this process's terminal, and its output is its own."""
        environment = {**os.environ, "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": api_key or NO_KEY}
        try:
            self._process = subprocess.Popen(arguments, env=environment)
        except OSError as error:
            raise BadRequest(f"--run: {arguments[0]} cannot be started: {error.strerror}") from error

    def pass_on(self, number: int) -> None:
        """Give a signal to the program, unless the terminal has given it one already. Safe in a
        signal handler."""
        if number != signal.SIGINT or not _terminal_is_ours():
            self._process.send_signal(number)

    def wait(self) -> int:
        """The program's exit code; 128 plus the signal's number if a signal ended it."""
        code = self._process.wait()
        return 128 - code if code < 0 else code

    def end(self) -> None:
        """Do not leave it behind."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def _terminal_is_ours() -> bool:
    """Whether Ctrl-C on a terminal reaches this process and its children alike."""
    for stream in (sys.__stdin__, sys.__stderr__):
        try:
            if stream is not None and os.tcgetpgrp(stream.fileno()) == os.getpgrp():
                return True
        except (OSError, ValueError):
            continue
    return False

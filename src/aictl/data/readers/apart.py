"""Readers in a process of their own, for formats whose libraries a hostile file can kill, or whose memory it can fill.

PDFium and Arrow are written in C++. Of some spoiled files they end the process that reads, where one of ours would
raise; a bound on memory ends it too. So that it costs no more than the file, a process apart does the reading
(:mod:`aictl.data.readers.apart_program`), and this one takes documents from it as they come. It is kept for the next
file; if it dies of one that was not its first, a new one tries again, so that what becomes of a file depends on nothing
that was read before it.
"""

from __future__ import annotations

import atexit
import json
import shutil
import signal
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple

import orjson

from aictl.data.documents import (
    Document,
    HoldsNoDocuments,
    Image,
    InputFile,
    Items,
    Pair,
    Part,
    Preference,
    Reading,
    Rejected,
    Unreadable,
)

_COPY_BYTES = 8 * 2**20
BYTES_OF_IMAGES = ("data", "pixels", "looks")  # fields that go as base64


class Bounds(NamedTuple):
    """What a call may take: ``memory_bytes`` more than its process has, counted in addresses, and ``cpu_s`` of a
    processor's time, or 0 for as much as it needs."""

    memory_bytes: int = 4 * 2**30
    cpu_s: int = 0


class Call(NamedTuple):
    """What is done apart: a function of a module takes a file, and how it is read or in parts of how many bytes, and
    gives an iterator."""

    module: str
    function: str
    file: InputFile
    how: Reading | int
    bounds: Bounds = Bounds()

    def to_line(self) -> bytes:
        """As a line of JSON, which knows paths of any bytes."""
        file = (
            self.file.name,
            str(self.file.path),
            self.file.size_bytes,
            self.file.named,
            self.file.lost,
            self.file.part,
        )
        return json.dumps((self.module, self.function, file, self.how, self.bounds)).encode() + b"\n"

    @classmethod
    def of_line(cls, line: bytes) -> Call:
        module, function, (name, path, size_bytes, named, lost, part), how, bounds = json.loads(line)
        file = InputFile(name, Path(path), size_bytes, named, lost, part and Part(*part))
        return cls(module, function, file, how if isinstance(how, int) else Reading(*how), Bounds(*bounds))


@contextmanager
def _at_hand(file: InputFile) -> Iterator[InputFile]:
    """The file as one that lies on a disk: what is in a store is copied for as long as it is read."""
    if file.opens is None:
        yield file
        return
    with NamedTemporaryFile(prefix="aictl-") as copy:
        with file.opens() as stream:
            shutil.copyfileobj(stream, copy, _COPY_BYTES)
        copy.flush()
        yield replace(file, path=Path(copy.name), opens=None)


def items(module: str, function: str, file: InputFile, reading: Reading, bounds: Bounds) -> Items:
    """What this reader yields. Raises as it does, and :class:`Unreadable` where its process dies or takes too long."""
    for item in values(Call(module, function, file, reading, bounds)):
        what, *fields = item
        yield _READ_BACK[what](*fields)


def _image(source: str, url: str, image: dict[str, Any]) -> Document:
    for name in BYTES_OF_IMAGES:
        image[name] = b64decode(image[name])
    return Document(source, Image(**image), url)


_READ_BACK: dict[str, Callable[..., Document | Rejected]] = {
    "image": _image,
    "document": Document,
    "pair": lambda source, content, *rest: Document(source, Pair(*content), *rest),
    "preference": lambda source, content, *rest: Document(source, Preference(*content), *rest),
    "rejected": Rejected,
}


def values(call: Call) -> Iterator[Any]:
    """What the call yields, as JSON knows it. Raises :class:`Unreadable` like :func:`items`."""
    with _at_hand(call.file) as file:
        yield from _values(call._replace(file=file))


def _values(call: Call) -> Iterator[Any]:
    taken = 0
    while True:
        fresh = not _idle
        process = _Process() if fresh else _idle.pop()
        whole = False  # until it has given everything, nobody else may ask it
        try:
            for number, item in enumerate(process.answers(call)):
                if number >= taken:
                    taken += 1
                    yield item
            whole = True
            return
        except (Unreadable, HoldsNoDocuments):
            whole = True
            raise
        except _Died as died:
            if fresh:
                raise Unreadable(*_how(died.code, call)) from None
        finally:
            if whole:
                _idle.append(process)
            else:
                process.close()


class _Died(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def _how(code: int, call: Call) -> tuple[str, str]:
    if code == -signal.SIGXCPU:
        return "takes too long", f"more than {call.bounds.cpu_s} s"
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return "damaged", f"the library that reads it died of it ({name})"


class _Process:
    def __init__(self) -> None:
        # -P: the folder that a user is in is no place to import from
        command = [sys.executable, "-P", "-m", "aictl.data.readers.apart_program"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        atexit.register(self.close)

    @property
    def number(self) -> int:
        return self._process.pid

    def answers(self, call: Call) -> Iterator[Any]:
        """Raises :class:`Unreadable`, :class:`HoldsNoDocuments`, and :class:`_Died`."""
        requests, answers = self._process.stdin, self._process.stdout
        assert requests and answers
        with suppress(BrokenPipeError):
            requests.write(call.to_line())
            requests.flush()
        while (line := answers.readline()).endswith(b"\n"):
            answer = orjson.loads(line)
            yield from answer["items"]
            if "unreadable" in answer:
                raise Unreadable(*answer["unreadable"])
            if "nothing" in answer:
                raise HoldsNoDocuments
            if answer["last"]:
                return
        raise _Died(self._process.wait())

    def close(self) -> None:
        atexit.unregister(self.close)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            with suppress(BrokenPipeError):
                pipe.close()


_idle: list[_Process] = []

"""One object of the web, read over HTTP with nothing but the standard library.

What a server says is not trusted: where it leads (``guard``), how long it is, whether it sends what was asked
for. A server that gives neither an ETag nor a date of change is read once to have a digest that later
readings must match.
"""

from __future__ import annotations

import hashlib
import http.client
import ssl
from collections.abc import Iterator
from email.message import Message
from typing import NamedTuple

from aictl.core.errors import AictlError, BadInput, BadRequest, MachineLacks, NotFound
from aictl.stores.backend import Backend, Entry, Reader, changed, usual_meaning
from aictl.stores.patience import first_line
from aictl.stores.web_request import Answer, get

# What a server that does not say how much it will send may send.
MAX_UNANNOUNCED_BYTES = 8 * 2**30
_BLOCK_BYTES = 2**20
_BY_TYPE = {
    "text/html": ".html",
    "text/plain": ".txt",
    "text/markdown": ".md",
    "application/json": ".json",
    "application/jsonl": ".jsonl",
    "application/x-ndjson": ".jsonl",
    "application/pdf": ".pdf",
    "text/csv": ".csv",
}


class Seen(NamedTuple):
    """What one look at an object told: the entry, and the suffix that its kind of content has."""

    entry: Entry
    suffix: str


class Web(Backend):
    """One host. A path is what follows it in a URL, with the query."""

    def entry(self, path: str) -> Entry | None:
        found = self.look(path)
        return found.entry if found else None

    def look(self, path: str) -> Seen | None:
        """What is at a path, or None if nothing is."""
        return self.ask("read", path, lambda: self._look(path))

    def entries(self, folder: str) -> Iterator[Entry]:
        return iter(())  # the web has no listings

    def reader(self, entry: Entry) -> Reader:
        return _Reader(self, entry)

    def url(self, path: str) -> str:
        return f"{self.root.scheme}://{self.root.place}/{path}"

    def _look(self, path: str) -> Seen | None:
        with get(self.url(path)) as answer:
            if answer.status in (404, 410):
                return None
            _require_answer(answer, self.root.at(path).shown)
            mark = _mark(answer.headers)
            size_bytes = answer.length
            if not mark or size_bytes is None:
                size_bytes, sha256 = _read_through(answer, self.root.at(path).shown)
                mark = mark or f"sha256:{sha256}"
            suffix = _BY_TYPE.get(answer.headers.get_content_type(), "")
            return Seen(Entry(path, size_bytes, mark), suffix)

    def _judge(self, error: Exception, verb: str, where: str) -> AictlError | None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return MachineLacks(
                f"{where}: its certificate is not valid here: {error.verify_message}",
                cure="SSL_CERT_FILE names the certificates that are trusted",
            )
        if isinstance(error, UnicodeError | http.client.InvalidURL):
            return BadRequest(f"'{where}' is no address: {first_line(error)}")
        if isinstance(error, http.client.HTTPException | ssl.SSLError | _Busy):
            return None
        return usual_meaning(error, verb, where)


class _Reader(Reader):
    """Reads on from one answer for as long as the ranges follow each other."""

    def __init__(self, web: Web, entry: Entry) -> None:
        self._web, self._entry = web, entry
        self._where = web.root.at(entry.path).shown
        self._answer: Answer | None = None
        self._at = 0
        self._digest = hashlib.sha256()
        self._hashed = 0

    def read(self, start: int, end: int) -> bytes:
        return self._web.ask("read", self._entry.path, lambda: self._read(start, end))

    def _read(self, start: int, end: int) -> bytes:
        try:
            if self._answer is None or self._at != start:
                self._open(start)
            assert self._answer
            data = self._answer.read(end - start)
            if len(data) < end - start:
                raise ConnectionError(f"it ended at byte {start + len(data)} of {self._entry.size_bytes}")
        except BaseException:
            self.close()
            raise
        self._at = end
        self._hash(start, data)
        return data

    def _open(self, start: int) -> None:
        self.close()
        self._answer = answer = get(self._web.url(self._entry.path), start)
        if answer.status in (404, 410, 416):
            raise changed(self._where)
        _require_answer(answer, self._where)
        mark = _mark(answer.headers)
        if mark and not self._entry.mark.startswith("sha256:") and mark != self._entry.mark:
            raise changed(self._where)
        skip = start if answer.status == 200 else 0  # a server that knows no ranges sends all of it
        whole = answer.length is None or answer.length == self._entry.size_bytes - start + skip
        if not whole:
            raise changed(self._where)
        while skip:
            block = answer.read(min(skip, _BLOCK_BYTES))
            if not block:
                raise ConnectionError(f"it ended before byte {start}")
            skip -= len(block)
        self._at = start

    def _hash(self, start: int, data: bytes) -> None:
        """Follow an object that has no other mark than its bytes."""
        if not self._entry.mark.startswith("sha256:"):
            return
        if start == 0:
            self._digest, self._hashed = hashlib.sha256(), 0
        if start == self._hashed:
            self._digest.update(data)
            self._hashed += len(data)
            if self._hashed == self._entry.size_bytes and self._entry.mark != f"sha256:{self._digest.hexdigest()}":
                raise changed(self._where)

    def close(self) -> None:
        if self._answer is not None:
            self._answer.close()
            self._answer = None


class _Busy(Exception):
    """The server answered that it cannot now."""


def _require_answer(answer: Answer, where: str) -> None:
    """Raises what an answer means that is not the object."""
    status = answer.status
    if status in (200, 206):
        if answer.headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
            raise BadInput(
                f"{where} is sent as {answer.headers['Content-Encoding']}, and was asked for as it is",
                cure="download it, and give the file",
            )
        return
    said = f"{where}: {status} {answer.reason}"
    if status in (408, 425, 429) or status >= 500:
        raise _Busy(said)
    if status in (404, 410):
        raise NotFound(said, cure="check the spelling")
    if status in (401, 403, 407):
        raise MachineLacks(
            said, cure="give the URL with its signature, or https://NAME:PASSWORD@HOST/; neither is written down"
        )
    raise BadRequest(said)


def _read_through(answer: Answer, where: str) -> tuple[int, str]:
    """Size and sha256 of everything that is sent."""
    digest, size_bytes = hashlib.sha256(), 0
    while block := answer.read(_BLOCK_BYTES):
        size_bytes += len(block)
        if size_bytes > MAX_UNANNOUNCED_BYTES:
            raise BadInput(
                f"{where} says of no size, and does not end after {MAX_UNANNOUNCED_BYTES // 2**30} GiB",
                cure="download it, and give the file",
            )
        digest.update(block)
    if answer.length is not None and size_bytes != answer.length:
        raise ConnectionError(f"it ended at byte {size_bytes} of {answer.length}")
    return size_bytes, digest.hexdigest()


def _mark(headers: Message) -> str:
    if etag := headers.get("ETag"):
        return f"etag:{etag.strip()}"
    date = headers.get("Last-Modified")
    return f"date:{date.strip()}" if date else ""

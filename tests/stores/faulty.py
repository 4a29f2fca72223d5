"""A connection that breaks when a test wants it to: a proxy on the loopback before a real server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

_BLOCK_BYTES = 2**14


class Faulty:
    """Passes bytes between its port and another, as long as it is in order.

    ``cut_after`` is how many bytes of an answer a connection carries before it is cut off; ``cuts`` how many
    connections are still to be cut (for ever, if it is negative). ``refuses`` closes all of them at once, and comes
    true by itself when the requests have had ``refuse_after`` bytes. ``sent`` and ``carried`` count the bytes of
    all requests and of all answers.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cut_after: int | None = None
        self.cuts = -1
        self.refuses = False
        self.refuse_after: int | None = None
        self.connections = 0
        self.sent = self.carried = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                if self.refuses:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._target))
                threading.Thread(target=self._pass, args=(client, server), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while block := source.recv(_BLOCK_BYTES):
                if self.refuses:
                    break
                target.sendall(block)
                self.sent += len(block)
                if self.refuse_after is not None and self.sent > self.refuse_after:
                    self.refuses = True
        _end(source)
        _end(target)

    def _answer(self, source: socket.socket, target: socket.socket) -> None:
        carried = 0
        with suppress(OSError):
            while block := source.recv(_BLOCK_BYTES):
                if self.refuses or (self.cut_after is not None and self.cuts and carried + len(block) > self.cut_after):
                    self.cuts -= 1
                    break
                target.sendall(block)
                carried += len(block)
                self.carried += len(block)
        _end(source)
        _end(target)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@pytest.fixture
def faulty(moto, monkeypatch) -> Iterator[Faulty]:
    """A proxy before moto, which the environment leads to."""
    proxy = Faulty(int(moto.endpoint.rpartition(":")[2]))
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
    yield proxy
    proxy.close()

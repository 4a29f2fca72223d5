"""An ASGI application on a socket: uvicorn in a thread of its own, so that the main thread is free
for signals and for whatever the server is run for."""

from __future__ import annotations

import errno
import ipaddress
import socket
import threading
from typing import Any

import uvicorn

from aictl.core.errors import BadRequest, MachineLacks

_SILENT = "critical"  # uvicorn's loggers; what matters is told through events and metrics
_HEADER_BYTES = 32 * 2**10


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises :class:`MachineLacks` for a port that is taken or not allowed, :class:`BadRequest` for an
    address that is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise MachineLacks(
                f"port {port} of {host} is in use", cure="pass another --port, or --port 0 for a free one"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise MachineLacks(f"this user may not listen on port {port}", cure="pass a --port above 1023") from error
        raise BadRequest(
            f"--host {host}: {error.strerror or error}", cure="name an address of this machine, such as 127.0.0.1"
        ) from error
    # Connections inherit it; asyncio would set it only on sockets it made itself. Without it the kernel holds the
    # second of two small writes back, such as a token of a stream, until the client acknowledges the first: 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def url(listening: socket.socket) -> str:
    """Where a client on this machine reaches the socket; every interface includes loopback."""
    host, port = listening.getsockname()[:2]
    if ipaddress.ip_address(host.partition("%")[0]).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(listening: socket.socket) -> bool:
    return ipaddress.ip_address(listening.getsockname()[0].partition("%")[0]).is_loopback


class Listener:
    """Serves from :meth:`start` until :meth:`stop` was asked for and what was running has ended."""

    def __init__(self, app: Any, listening: socket.socket, drain_timeout_s: float) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level=_SILENT,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            h11_max_incomplete_event_size=_HEADER_BYTES,
            timeout_graceful_shutdown=drain_timeout_s,
        )
        self._server = uvicorn.Server(config)
        self._socket = listening
        # A daemon: a program that ends without having stopped the server does not hang on it.
        self._thread = threading.Thread(target=self._server.run, args=([listening],), name="serve", daemon=True)

    def start(self) -> None:
        """Returns once connections are accepted."""
        self._thread.start()
        while self._thread.is_alive() and not self._server.started:
            self._thread.join(0.01)

    def stop(self) -> None:
        """Ask for the end: no new connections, and those at work may finish. Asked a second time,
        they may not. Safe in a signal handler."""
        self._server.force_exit = self._server.should_exit
        self._server.should_exit = True

    @property
    def stopping(self) -> bool:
        return bool(self._server.should_exit)

    def ended(self, wait_s: float) -> bool:
        """Whether the server has ended, waiting at most so long for it. A signal handler may run
        meanwhile."""
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    def close(self) -> None:
        """Stop, and wait for the end."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join()
        self._socket.close()

"""One GET request: through the guard, through a proxy if there is one, and along redirects."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import urllib.request
from collections.abc import Mapping
from types import TracebackType
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from aictl import __version__
from aictl.core.errors import BadRequest
from aictl.core.redaction import redacted
from aictl.stores.guard import connect, require_public

TIMEOUT_S = 60.0  # without a single byte
MOST_REDIRECTS = 5
_SAFE = "!#$%&'()*+,/:;=?@[]~"


class Answer:
    """What a server answers: its status and headers, and the bytes that follow."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._connection, self._response = connection, response
        self.status, self.reason, self.headers = response.status, response.reason, response.headers

    @property
    def length(self) -> int | None:
        """How many bytes follow, if the server says so."""
        text = self.headers.get("Content-Length", "")
        chunked = "Transfer-Encoding" in self.headers
        return int(text) if text.isascii() and text.isdigit() and not chunked else None

    def read(self, size: int) -> bytes:
        return self._response.read(size)

    def close(self) -> None:
        self._response.close()
        self._connection.close()

    def __enter__(self) -> Answer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def get(url: str, start: int = 0) -> Answer:
    """Ask for a URL, from a byte on. Raises :class:`BadRequest` where a redirect leads to what is
    refused, and ``OSError`` or ``HTTPException`` where the network fails."""
    origin, seen = _origin(urlsplit(url)), 0
    credentials = _credentials(urlsplit(url))
    while True:
        parts = urlsplit(url)
        headers = {"User-Agent": f"aictl/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        if credentials and _origin(parts) == origin:  # and never for whoever it redirects to
            headers["Authorization"] = credentials
        answer = _ask(parts, headers)
        if answer.status not in (301, 302, 303, 307, 308) or "Location" not in answer.headers:
            return answer
        answer.close()
        following = urljoin(url, answer.headers["Location"])
        seen += 1
        if seen > MOST_REDIRECTS:
            raise BadRequest(f"{redacted(url)} redirects for ever")
        scheme = urlsplit(following).scheme
        if scheme not in ("http", "https") or (parts.scheme == "https" and scheme == "http"):
            raise BadRequest(
                f"{redacted(url)} redirects to {redacted(following)}, which is refused",
                cure="give that address itself if you trust it",
            )
        url = following


def _ask(parts: SplitResult, headers: dict[str, str]) -> Answer:
    connection = _connection(parts)
    try:
        target = _target(parts)
        if isinstance(connection, _Proxied):
            target = f"http://{_host(parts)}{target}"
            headers = {**headers, **connection.credentials}
        connection.request("GET", target, headers={"Host": _host(parts), **headers})
        return Answer(connection, connection.getresponse())
    except BaseException:
        connection.close()
        raise


def _connection(parts: SplitResult) -> http.client.HTTPConnection:
    host, port = parts.hostname or "", _port(parts)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(f"{host}:{port}"):
        return _through(proxy, parts, host, port)
    if parts.scheme == "https":
        return _Secure(host, port, timeout=TIMEOUT_S, context=ssl.create_default_context())
    return _Plain(host, port, timeout=TIMEOUT_S)


class _Plain(http.client.HTTPConnection):
    """A connection to a host that the guard lets pass."""

    def connect(self) -> None:
        self.sock = connect(self.host, self.port, TIMEOUT_S)


class _Secure(http.client.HTTPSConnection):
    """The same, encrypted."""

    def __init__(self, *args: Any, context: ssl.SSLContext, **more: Any) -> None:
        super().__init__(*args, context=context, **more)
        self._tls = context

    def connect(self) -> None:
        self.sock = self._tls.wrap_socket(connect(self.host, self.port, TIMEOUT_S), server_hostname=self.host)


class _Proxied(http.client.HTTPConnection):
    """A connection to a proxy, which is told the whole URL."""

    credentials: Mapping[str, str] = {}


def _through(proxy: str, parts: SplitResult, host: str, port: int) -> http.client.HTTPConnection:
    """The environment's proxy is trusted, and reaches hosts that are not resolved here; those that are
    resolved here have to be public all the same."""
    try:
        for *_, found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            require_public(host, str(found[0]))
    except socket.gaierror:
        pass
    at = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    credentials = {"Proxy-Authorization": given} if (given := _credentials(at)) else {}
    place, proxy_port = at.hostname or "", at.port or 3128
    if parts.scheme == "https":
        tunnel = http.client.HTTPSConnection(place, proxy_port, timeout=TIMEOUT_S)
        tunnel.set_tunnel(host, port, headers=credentials)
        return tunnel
    plain = _Proxied(place, proxy_port, timeout=TIMEOUT_S)
    plain.credentials = credentials
    return plain


def _target(parts: SplitResult) -> str:
    """Path and query, escaped where somebody typed them as they are read."""
    path = quote(parts.path or "/", safe=_SAFE)
    return f"{path}?{quote(parts.query, safe=_SAFE)}" if parts.query else path


def _host(parts: SplitResult) -> str:
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else (parts.hostname or "").encode("idna").decode()
    return f"{name}:{parts.port}" if parts.port else name


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _origin(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, _port(parts)


def _credentials(parts: SplitResult) -> str:
    """The header's value for what stands before the host (RFC 7617), or nothing."""
    if parts.username is None:
        return ""
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()

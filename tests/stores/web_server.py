"""A web server on the loopback whose manners a test decides."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Page:
    """What is at one path, and how it is served."""

    def __init__(self, data: bytes, **headers: str) -> None:
        self.data = data
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.status = 200
        self.ranges = True
        self.announces = True
        self.cut_at: int | None = None
        self.cuts = 0
        self.endless = False
        self.busy = 0
        self.login: str | None = None


class Site(ThreadingHTTPServer):
    """The pages by path; ``asked`` has the path, the range and the authorisation of every request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: dict[str, Page] = {}
        self.asked: list[tuple[str, str | None, str | None]] = []

    def url(self, path: str = "", host: str = "localhost", login: str = "") -> str:
        return f"http://{login}{host}:{self.server_address[1]}/{path}"

    def serve(self, path: str, data: bytes, **headers: str) -> Page:
        page = self.pages[f"/{path}"] = Page(data, **headers)
        return page

    def redirect(self, path: str, target: str) -> None:
        page = self.serve(path, b"", Location=target)
        page.status = 302


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Site

    def do_GET(self) -> None:
        wanted, login = self.headers.get("Range"), self.headers.get("Authorization")
        self.server.asked.append((self.path, wanted, login))
        self.close_connection = True
        page = self.server.pages.get(self.path)
        if page is None:
            self._answer(404, {}, b"")
        elif page.login and login != page.login:
            self._answer(401, {}, b"")
        elif page.busy:
            page.busy -= 1
            self._answer(503, {}, b"later")
        else:
            self._send(page, wanted if page.ranges else None)

    def _send(self, page: Page, wanted: str | None) -> None:
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        data = page.data[start:]
        if wanted and not data:
            self._answer(416, {}, b"")
            return
        self.send_response(206 if wanted else page.status)
        for name, value in page.headers.items():
            self.send_header(name, value)
        if page.announces:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if page.endless:
            try:
                while True:
                    self.wfile.write(bytes(2**16))
            except OSError:
                return
        if page.cuts and page.cut_at is not None and start < page.cut_at:
            page.cuts -= 1
            data = data[: page.cut_at - start]
        self.wfile.write(data)

    def _answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site that may be asked by the name ``localhost``, although that is a private address; by its number it may
    not."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AICTL_PRIVATE_HOSTS", "localhost")
    server = Site()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()

"""The settings of a server."""

from __future__ import annotations

from typing import Literal

from pydantic import SecretStr

from aictl.core.spec import Spec, option


class ServeSpec(Spec):
    """Where a model is served, to whom, and within which bounds."""

    host: str = option("127.0.0.1", min_length=1, help="address to listen on; 0.0.0.0 is every interface")
    port: int = option(8000, ge=0, le=65535, help="port to listen on; 0 takes a free one")
    api_key: SecretStr | None = option(
        None,
        help="let in only requests with this key; better set as AICTL_SERVE_API_KEY, for other users of the machine "
        "can read a command line",
    )
    run: list[str] = option(
        [],
        rest=True,
        help="run a program against the server, with OPENAI_BASE_URL and OPENAI_API_KEY set, then stop and return "
        "its exit code; a single word is a line for the shell",
    )
    max_concurrency: int = option(4, ge=1, le=1024, help="generations that run at the same time")
    max_queue: int = option(32, ge=0, le=100_000, help="requests that may wait for their turn; more are refused (429)")
    max_body_bytes: int = option(2**20, ge=64, help="largest request body; a larger one is refused (413)")
    request_timeout_s: float = option(300, gt=0, le=86_400, help="longest time for one request, waiting included (408)")
    drain_timeout_s: float = option(
        30, ge=0, le=86_400, help="how long what is running may take to finish after SIGTERM"
    )
    default_max_tokens: int = option(512, ge=1, help="longest chat answer where a request sets no max_tokens")
    threads: int | None = option(None, ge=1, le=1024, help="CPU threads of one generation; the runtime's own if unset")
    device: Literal["auto", "cpu", "cuda"] = option("auto", help="where the model runs")

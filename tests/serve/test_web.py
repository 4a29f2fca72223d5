"""Routes, the API key, and what is said where there is nothing."""

from __future__ import annotations

import socket

import httpx
import pytest


def test_the_served_model_is_listed(http):
    (model,) = http.get("/v1/models").json()["data"]
    assert (model["id"], model["object"]) == ("tiny", "model")
    assert http.get("/v1/models/tiny").json() == model
    unknown = http.get("/v1/models/other/one")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")


def test_health_and_readiness(http):
    assert http.get("/healthz").status_code == 200
    assert http.get("/readyz").status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/v1/completions", 405)])
def test_where_there_is_nothing_the_error_has_openais_shape(http, method, path, status):
    reply = http.request(method, path)
    assert reply.status_code == status
    assert set(reply.json()["error"]) == {"message", "type", "param", "code"}


def test_a_key_guards_what_the_model_does(start, ask):
    url = start(api_key="s3cret")
    wrong = [{}, {"Authorization": "Bearer s3cre"}, {"Authorization": "s3cret"}, {"Authorization": b"Bearer \xff"}]
    for headers in wrong:
        for method, path in (("GET", "/v1/models"), ("POST", "/v1/chat/completions"), ("GET", "/v1/nowhere")):
            reply = httpx.request(method, url + path, headers=headers)
            assert (reply.status_code, reply.json()["error"]["code"]) == (401, "invalid_api_key")
    right = {"Authorization": "Bearer s3cret"}
    assert httpx.get(f"{url}/v1/models", headers=right).status_code == 200
    assert httpx.post(f"{url}/v1/chat/completions", headers=right, json=ask()).status_code == 200
    assert all(httpx.get(f"{url}/{path}").status_code == 200 for path in ("healthz", "readyz", "metrics"))


def test_the_key_shows_in_no_record():
    from aictl.core.spec import flat_values
    from aictl.serve.spec import ServeSpec

    spec = ServeSpec(api_key="s3cret")
    assert "s3cret" not in f"{spec} {spec!r} {flat_values(spec)} {spec.model_dump_json()}"


def test_what_is_no_http_is_refused_and_harms_nothing(url):
    address = httpx.URL(url)
    for junk in (b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 100_000):
        with socket.create_connection((address.host, address.port), timeout=5) as client:
            client.sendall(junk + b"\r\n\r\n")
            assert client.recv(100).startswith((b"HTTP/1.1 400", b""))
    assert httpx.get(f"{url}/healthz").status_code == 200

"""A web address leads to the Internet at large, or to a host that was allowed by name."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from aictl.core.errors import BadRequest
from aictl.stores.guard import connect, is_public, require_public

PRIVATE = [
    "127.0.0.1",
    "127.255.0.9",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",  # where clouds keep their machines' credentials
    "100.64.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",  # 127.0.0.1 through a translator
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",  # and in a tunnel
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "64:ff9b::101:101"])
def test_public_addresses(address):
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.1", "[::1]"])
def test_however_it_is_written_it_is_resolved_first(host):
    with pytest.raises(BadRequest, match="no public address") as refused:
        connect(host.strip("[]"), 80, 1)
    assert "AICTL_PRIVATE_HOSTS" in str(refused.value.cure)


@pytest.mark.parametrize("allowed", ["*", "files.example", "10.0.0.0/8", "other, files.example", "10.1.2.3"])
def test_a_host_or_a_network_can_be_allowed(monkeypatch, allowed):
    monkeypatch.setenv("AICTL_PRIVATE_HOSTS", allowed)
    require_public("files.example", "10.1.2.3")


@pytest.mark.parametrize("allowed", ["", "example", "10.2.0.0/16", "files.example.org"])
def test_what_is_not_allowed_stays_refused(monkeypatch, allowed):
    monkeypatch.setenv("AICTL_PRIVATE_HOSTS", allowed)
    with pytest.raises(BadRequest):
        require_public("files.example", "10.1.2.3")


def test_an_allowed_host_is_connected_to(monkeypatch):
    monkeypatch.setenv("AICTL_PRIVATE_HOSTS", "localhost")
    with socket.create_server(("127.0.0.1", 0)) as server, connect("localhost", server.getsockname()[1], 5) as opened:
        assert opened.getpeername() == server.getsockname()


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch):
    """What a name resolves to is the answer of whoever owns it."""
    rows = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 80)) for one in ("93.184.216.34", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: rows)
    with pytest.raises(BadRequest, match=r"127\.0\.0\.1"):
        connect("rebinding.example", 80, 1)

"""Sockets: where a server listens, and what is said where it cannot."""

from __future__ import annotations

import socket

import pytest

from aictl.core.errors import BadRequest, MachineLacks
from aictl.serve.listener import bind, is_loopback, url


def test_a_taken_port_is_named():
    with bind("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        assert url(first) == f"http://127.0.0.1:{port}"
        with pytest.raises(MachineLacks, match=str(port)):
            bind("127.0.0.1", port)


@pytest.mark.parametrize("host", ["203.0.113.1", "no.such.host.invalid"])
def test_an_address_of_another_machine_is_refused(host):
    with pytest.raises(BadRequest, match="--host"):
        bind(host, 0)


def test_every_interface_is_reached_over_loopback():
    with bind("0.0.0.0", 0) as listening:
        assert url(listening).startswith("http://127.0.0.1:")
        assert not is_loopback(listening)


def test_other_machines_are_warned_of(start, notes):
    start(host="0.0.0.0")
    assert any("no API key" in note for note in notes)


def test_small_writes_are_sent_at_once():
    with bind("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

"""Which hosts a web address may lead to.

A URL in a list of sources may have been written by a stranger, and what it leads to may answer with a
redirect. Without a guard both could make this machine read what only this machine can reach: a cloud's
metadata service, a printer, a database's admin page. So a connection is made to the very address that was
looked at, and not to a name that may resolve to another one a moment later.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator

from aictl.core.errors import BadRequest

ALLOWING = "AICTL_PRIVATE_HOSTS"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# An IPv4 address inside an IPv6 one, by which a translator reaches it: RFC 6052, section 2.1.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def connect(host: str, port: int, timeout_s: float) -> socket.socket:
    """A connection to a public host, or to one that ``AICTL_PRIVATE_HOSTS`` allows: names and networks,
    separated by commas, or ``*``.

    Raises :class:`BadRequest` if any address of the host is private, loopback, link-local, multicast or
    reserved, and ``OSError`` if it cannot be resolved or reached.
    """
    rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for _, _, _, _, place in rows:
        require_public(host, str(place[0]))
    failure: OSError | None = None
    for family, kind, protocol, _, place in rows:
        opened = socket.socket(family, kind, protocol)
        try:
            opened.settimeout(timeout_s)
            opened.connect(place)
            return opened
        except OSError as error:
            opened.close()
            failure = error
    raise failure or OSError(f"{host} has no address")


def require_public(host: str, address: str) -> None:
    """Raises :class:`BadRequest` unless an address of a host is public or was allowed."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if is_public(found) or _is_allowed(host, found):
        return
    raise BadRequest(
        f"'{host}' is at {address}, which is no public address: it is refused, because whoever wrote the URL "
        "may mean to reach what only this machine can",
        cure=f"if you trust it: {ALLOWING}={host}",
    )


def is_public(address: Address) -> bool:
    """Whether an address is one of the Internet at large, whatever it is wrapped in."""
    return all(one.is_global and not (one.is_multicast or one.is_reserved) for one in _unwrapped(address))


def _unwrapped(address: Address) -> Iterator[Address]:
    if isinstance(address, ipaddress.IPv4Address):
        yield address
        return
    inner: list[ipaddress.IPv4Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    found = [one for one in inner if one is not None]
    yield from found
    if not found:
        yield address


def _is_allowed(host: str, address: Address) -> bool:
    for word in filter(None, (one.strip() for one in os.environ.get(ALLOWING, "").split(","))):
        if word == "*" or word.lower() == host.lower():
            return True
        try:
            if address in ipaddress.ip_network(word, strict=False):
                return True
        except ValueError:  # a name
            continue
    return False

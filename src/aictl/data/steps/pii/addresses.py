"""Addresses on networks: e-mail and IP."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Literal

Place = tuple[int, int]
Ranges = Literal["public", "all"]

MAX_LOCAL = 64  # RFC 5321, 4.5.3.1.1

TOP_LEVEL = frozenset(
    word
    for line in files(__package__).joinpath("top_level_domains.txt").read_text("ascii").splitlines()
    if not line.startswith("#")
    for word in line.split()
)
# Everything hangs on the @, which is found at once: first the domain behind it (RFC 1035, 2.3.4: labels of at most
# 63), then the name before it, read backwards.
_DOMAIN = re.compile(r"@(?<=[\w.+%'-]@)[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_LOCAL_BACKWARDS = re.compile(r"[\w+%-](?:[\w+%.'-]{0,62}[\w+%])?")
_NOBODY = frozenset(("git", "hg", "svn"))  # whom one logs in as to fetch code: git@github.com:user/project

_V4 = re.compile(rb"0\.0{1,3}\.0{1,3}\.0{1,3}(?![0Aa_]|\.[0Aa]|-[0Aa])")
_NAMES_AN_ADDRESS = re.compile(
    r"(?:\b(?:ip(?:v4)?|addr|address|addresses|hosts?|servers?|dns|nameservers?|resolvers?|gateway|peer|ping|inet|route"
    r"|connect(?:ed|ing)? to|listen(?:ing)?(?: on)?)\b\W{0,4}|://|@)\Z",
    re.IGNORECASE,
)
_NAMES_A_VERSION = re.compile(
    r"(?:\bv(?:er(?:sions?)?)?|\brel(?:eases?)?|\bsect(?:ions?)?|\bch(?:apter)?|\bbuild|\bfirmware|\bdrivers?|\brev(?:ision)?"
    r"|\bupdated?|\bupgraded?|\bsince|\bfigure|\btable|\bclause|\bparagraph|\boid|identifier|§|[<>~=]=)(?: to)?"
    r"[\s.:(\"'=]{0,4}\Z",
    re.IGNORECASE,
)
_PORT_OR_NETWORK = re.compile(r":\d{2,5}(?![\w.])|/\d{1,2}(?![\w./])", re.ASCII)
_BEFORE = 24  # characters that say what a number is
# Of four numbers drawn at random two or more are 32 or above 993 times in a thousand; of a version's few are.
_SMALL = 32

_V6_WHOLE = re.compile(r":(?<=[0-9A-Fa-f]:)(?:[0-9A-Fa-f]{1,4}:){6}[0-9A-Fa-f]{1,4}(?![\w:])")
_V6_SHORT = re.compile(
    r"::(?<![0-9A-Za-z_]{5}::)(?:[0-9A-Fa-f]{1,4}:){0,6}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{1,4})?(?![\w:])"
)
_V6_BACKWARDS = re.compile(r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{1,4}){0,6}(?![\w:.])")
# RFC 4291, 2.4: what is given out begins 2000::/3. Of the rest only local addresses and multicast are in use, so
# that no 1::2 of somebody's source code is taken for one.
_V6_GIVEN_OUT = ipaddress.IPv6Network("2000::/3")
_V6_LOCAL = tuple(map(ipaddress.IPv6Network, ("fc00::/7", "fe80::/10", "ff00::/8")))
_V6_LONGEST = 35  # seven groups and their colons


def emails(text: str) -> Iterator[Place]:
    """Addresses whose top-level domain exists, without the users that fetch code and nobody is."""
    for match in _DOMAIN.finditer(text):
        if match[0].rpartition(".")[2].lower() not in TOP_LEVEL:
            continue
        at = match.start()
        before = text[max(0, at - MAX_LOCAL) : at][::-1]
        local = _LOCAL_BACKWARDS.match(before)
        if local and not (local[0][::-1] in _NOBODY and text[match.end() : match.end() + 1] in (":", "/")):
            yield at - local.end(), match.end()


def ipv4(text: str, image: bytes, ranges: Ranges) -> Iterator[Place]:
    """Addresses of four numbers that are no version, section or name of a file."""
    for match in _V4.finditer(image):
        start, end = match.span()
        while start and image[start - 1 : start] == b"0":
            start -= 1
        before = text[max(0, start - _BEFORE) : start]
        if before and (
            before[-1].isalnum() or before[-1] in "_-.+~" or (before[-1] == "/" and before[-2:-1].isalnum())
        ):
            continue
        value = text[start:end]
        numbers = value.split(".")
        if any(len(one) > 3 or (len(one) > 1 and one[0] == "0") or int(one) > 255 for one in numbers):
            continue
        if _NAMES_A_VERSION.search(before):
            continue
        if sum(int(one) >= _SMALL for one in numbers) < 2 and not (
            _NAMES_AN_ADDRESS.search(before) or _PORT_OR_NETWORK.match(text, end)
        ):
            continue
        address = ipaddress.IPv4Address(value)
        if ranges == "all" or (address.is_global and not address.is_multicast):
            yield start, end


def ipv6(text: str, ranges: Ranges) -> Iterator[Place]:
    """Addresses with ``::``, or of eight groups."""
    for pattern in (_V6_SHORT, _V6_WHOLE) if "::" in text else (_V6_WHOLE,):
        for match in pattern.finditer(text):
            middle = match.start()
            before = text[max(0, middle - _V6_LONGEST - 1) : middle][::-1]
            head = _V6_BACKWARDS.match(before)
            if head is None:
                continue
            start, end = middle - head.end(), match.end()
            if sum(map(bool, text[start:end].split(":"))) < 2:
                continue
            try:
                address = ipaddress.IPv6Address(text[start:end])
            except ValueError:
                continue
            if ranges == "public":
                wanted = address in _V6_GIVEN_OUT and address.is_global
            else:
                wanted = any(address in network for network in (_V6_GIVEN_OUT, *_V6_LOCAL))
            if wanted:
                yield start, end

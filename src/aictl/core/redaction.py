"""URLs as they may be written down: without the credentials that people and programs put into them.

A URL carries them before the host (``https://name:password@host/``) or in its query (a signature that
S3, Google or Azure gave, a token). Which values of a query are secret nobody can know, so none is
written down; the names stay, because they say what kind of URL it was.
"""

from __future__ import annotations

import re
from typing import Any

HIDDEN = "***"

# Compiled when the first URL is met: every command imports this, and few meet one.
_URL = r"([A-Za-z][A-Za-z0-9+.-]*)://([^\s\"'`<>]+)"
_END_OF_SENTENCE = r"[).,;:!\]}]*$"
_HEX_DIGEST = r"sha256=[0-9A-Fa-f]{64}"
# Where a name before the host is part of the address and opens nothing by itself: the container of
# Azure's abfs://CONTAINER@ACCOUNT, the user of HDFS.
_NAMED = frozenset(
    {"abfs", "abfss", "az", "wasb", "wasbs", "hdfs", "viewfs", "webhdfs", "swebhdfs", "ssh", "sftp", "git+ssh"}
)


def redacted(text: str) -> str:
    """The text with ``***`` in place of what every URL in it keeps secret."""
    return re.sub(_URL, _url, text) if "://" in text else text


def in_values(value: Any) -> Any:
    """JSON values, every text in them redacted."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {redacted(str(key)): in_values(inner) for key, inner in value.items()}
    return [in_values(inner) for inner in value] if isinstance(value, list | tuple) else value


def _url(found: re.Match[str]) -> str:
    scheme, rest = found[1], found[2]
    end = re.search(_END_OF_SENTENCE, rest)
    tail = end[0] if end else ""
    rest = rest[: len(rest) - len(tail)]
    rest, hash_mark, fragment = rest.partition("#")
    place, question_mark, query = rest.partition("?")
    if hash_mark and not re.fullmatch(_HEX_DIGEST, fragment):
        fragment = _pairs(fragment)
    return f"{scheme}://{_place(scheme.lower(), place)}{question_mark}{_pairs(query)}{hash_mark}{fragment}{tail}"


def _place(scheme: str, place: str) -> str:
    """Host and path, without what stands before the host."""
    authority, slash, path = place.partition("/")
    name, at, host = authority.rpartition("@")
    if not at and ":" in authority and not authority.rpartition(":")[2].isdecimal() and "@" in path:
        # A password with a slash in it, which nobody escaped.
        name, at, host, slash, path = authority, "@", path.partition("@")[2], "", ""
    if not at:
        return place
    user, colon, _ = name.partition(":")
    kept = user if scheme in _NAMED else HIDDEN
    return f"{kept}{':' + HIDDEN if colon and scheme in _NAMED else ''}@{host}{slash}{path}"


def _pairs(query: str) -> str:
    """``name=***`` for every part of a query; a part without a name is a value too."""
    parts = [part.partition("=") for part in query.split("&")] if query else []
    return "&".join(f"{name}={HIDDEN}" if equals else HIDDEN for name, equals, _ in parts)

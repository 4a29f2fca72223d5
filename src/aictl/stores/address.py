"""What a person types for a place in a store, taken apart.

s3://BUCKET/KEY                           Amazon, or whatever AWS_ENDPOINT_URL names (Ceph, MinIO)
gs://BUCKET/KEY                           Google
az://CONTAINER/KEY, abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/KEY      Azure
hdfs://HOST:PORT/PATH, hdfs:///PATH       HDFS, the name node from HADOOP_CONF_DIR if none is given
webhdfs://HOST:PORT/PATH                  HDFS over HTTP
https://HOST/PATH, http://HOST/PATH       one object of the web, to read
FOLDER, file:///FOLDER                    a folder that may be shared
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from aictl.core.errors import BadRequest
from aictl.core.redaction import redacted
from aictl.core.walk import shown

_KINDS = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gs",
    "gcs": "gs",
    "az": "az",
    "abfs": "az",
    "abfss": "az",
    "hdfs": "hdfs",
    "webhdfs": "webhdfs",
    "http": "web",
    "https": "web",
    "file": "folder",
}
_NAMES_USER = ("az", "hdfs", "webhdfs")  # there a name before the host is part of the address
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING",
    "hdfs": "a Kerberos ticket (kinit)",
    "webhdfs": "FSSPEC_WEBHDFS_PASSWORD or FSSPEC_WEBHDFS_TOKEN",
}


class Address(NamedTuple):
    """A place in a store.

    ``kind`` is that of the store; ``scheme`` what was typed for it; ``place`` the bucket, container or
    host, or the folder of this machine; ``path`` the object or folder there, without a slash before it, and
    with one behind it where a folder was meant.
    """

    kind: str
    scheme: str
    place: str
    path: str
    query: str = ""

    @property
    def url(self) -> str:
        """The whole address, with whatever it keeps secret."""
        if self.kind == "folder":
            return f"{self.place}/{self.path}" if self.path else self.place
        return f"{self.scheme}://{self.place}/{self.path}{self.query}"

    @property
    def shown(self) -> str:
        """The address as it may be told and written down."""
        return shown(redacted(self.url))

    @property
    def name(self) -> str:
        """The last part of the path: what the object is called."""
        return self.path.rstrip("/").rpartition("/")[2]

    def at(self, path: str) -> Address:
        """Another path of the same place."""
        return self._replace(path=path, query="")


def is_url(text: str) -> bool:
    """Whether a word names a place in a store by its scheme, and no file or folder of this machine."""
    scheme, separator, _ = text.partition("://")
    return bool(separator) and _KINDS.get(scheme.lower(), "folder") != "folder"


def parse(text: str) -> Address:
    """Take an address apart. Raises :class:`BadRequest` for a scheme that is not taken, for what is no
    address, and for credentials where they would be written down."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        return Address("folder", "file", str(Path(text).expanduser().absolute()), "")
    scheme = scheme.lower()
    kind = _KINDS.get(scheme)
    if kind is None:
        raise BadRequest(
            f"'{shown(text)}': the scheme '{scheme}://' is not taken",
            cure=f"there are {', '.join(f'{one}://' for one in _KINDS)}, and plain folders",
        )
    if not rest.isprintable() or "\\" in rest.partition("/")[0]:
        raise BadRequest(f"'{shown(text)}' is no address: it has control characters or a backslash in it")
    if kind == "folder":
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost"):
            raise BadRequest(f"'{shown(text)}': a folder of another host cannot be reached by file://")
        return Address("folder", "file", str(Path(unquote(parts.path)).absolute()), "")
    return _web(text, scheme) if kind == "web" else _stored(text, kind, scheme, rest)


def _web(text: str, scheme: str) -> Address:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  (raises for one that is no number)
    except ValueError as error:
        raise BadRequest(f"'{shown(text)}' is no address: {error}") from None
    if not parts.hostname:
        raise BadRequest(f"'{shown(text)}' names no host", cure=f"{scheme}://HOST/PATH")
    query = f"?{parts.query}" if parts.query else ""  # a fragment never leaves the browser
    return Address("web", scheme, parts.netloc, parts.path.removeprefix("/"), query)


def _stored(text: str, kind: str, scheme: str, rest: str) -> Address:
    # A key may hold any character, so that nothing of it is a query, and nothing is unescaped.
    place, _, path = rest.partition("/")
    name, at, _ = place.rpartition("@")
    if at and (kind not in _NAMES_USER or ":" in name):
        raise BadRequest(
            f"'{shown(text)}' has credentials in it, which would be written down",
            cure=f"leave them out, and give them as {_CREDENTIALS[kind]}",
        )
    if not place and kind not in ("hdfs",):
        raise BadRequest(f"'{shown(text)}' names no {'host' if kind == 'webhdfs' else 'bucket'}")
    return Address(kind, scheme, place, path.lstrip("/") if kind in ("hdfs", "webhdfs") else path)

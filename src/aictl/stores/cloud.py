"""Google's and Azure's stores, through gcsfs and adlfs.

They sign in as their own tools do: ``GOOGLE_APPLICATION_CREDENTIALS``, ``gcloud auth``, the machine's account;
``AZURE_STORAGE_*``, ``az login``, a managed identity. Objects appear whole or not at all, and the stores
check what is sent to them by its MD5.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import fsspec
from fsspec.callbacks import Callback

from aictl.core.errors import AictlError, BadRequest, Damaged, MachineLacks, NotFound
from aictl.stores.address import Address
from aictl.stores.backend import Backend, Entry, Reader, changed, require_all, usual_meaning
from aictl.stores.crew import Crew
from aictl.stores.digests import md5_of_file
from aictl.stores.patience import first_line

_SIGN_IN = {
    "gs": "gcloud auth application-default login, or GOOGLE_APPLICATION_CREDENTIALS; FSSPEC_GS_TOKEN=anon needs none",
    "az": "az login, or AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN",
}
_NOT_SIGNED_IN = {"GoogleAuthError", "ClientAuthenticationError", "CredentialUnavailableError"}
_PASSING = {"ClientError", "ServiceRequestError", "ServiceResponseError"}  # of aiohttp, and of Azure's library


class Cloud(Backend):
    """One bucket or container."""

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        container, _, account = address.place.partition("@")
        self._container = container
        self._options: dict[str, Any] = {"use_listings_cache": False}
        if address.kind == "az":
            self._options["account_name"] = account.partition(".")[0] or os.environ.get("AZURE_STORAGE_ACCOUNT_NAME")

    @property
    def _fs(self) -> Any:
        return fsspec.filesystem(self.root.kind, **self._options)

    def _at(self, path: str) -> str:
        return f"{self._container}/{path}" if path else self._container

    def entry(self, path: str) -> Entry | None:
        def look() -> Entry | None:
            try:
                found = self._fs.info(self._at(path))
            except FileNotFoundError:
                return None
            return _entry(path, found) if found["type"] == "file" else None

        return self.ask("read", path, look) if path else None

    def entries(self, folder: str) -> Iterator[Entry]:
        top = self._at(folder)
        found = self.ask("list", folder, lambda: self._fs.find(top, detail=True))
        for path, info in found.items():
            if path.startswith(f"{top}/") and info["type"] == "file":
                yield _entry(path.removeprefix(f"{self._container}/"), info)

    def reader(self, entry: Entry) -> Reader:
        return _Reader(self, entry)

    def range(self, entry: Entry, start: int, end: int) -> bytes:
        """The bytes of a range, of whatever version is there."""

        def read() -> bytes:
            try:
                data: bytes = self._fs.cat_file(self._at(entry.path), start=start, end=end)
            except FileNotFoundError as error:
                raise changed(self.root.at(entry.path).shown) from error
            return require_all(data, start, end)

        return self.ask("read", entry.path, read)

    def write(self, path: str, data: bytes, *, draft: str, anew: bool = False) -> bool:
        def attempt() -> bool:
            try:
                self._fs.pipe_file(self._at(path), data, mode="create" if anew else "overwrite")
            except FileExistsError:
                return False
            except Exception as error:
                if anew and _status(error) in (409, 412):
                    return False
                raise
            return True

        return self.ask("write", path, attempt)

    def upload(self, source: Path, path: str, *, sha256: str, draft: str, crew: Crew) -> None:
        checked = {"validate_content": True} if self.root.kind == "az" else {"consistency": "md5"}

        def send() -> None:
            self._fs.put_file(str(source), self._at(path), callback=_Telling(crew), **checked)

        self.ask("write", path, send)
        made = self.entry(path)
        sent = f"md5:{md5_of_file(source)}"
        if made is None or made.size_bytes != source.stat().st_size or not made.mark.startswith(("etag:", sent)):
            raise Damaged(f"{self.root.at(path).shown} is not what was sent: {made}", cure="run it again with --force")

    def remove(self, path: str) -> None:
        def attempt() -> None:
            with suppress(FileNotFoundError):
                self._fs.rm_file(self._at(path))

        self.ask("remove", path, attempt)

    def _judge(self, error: Exception, verb: str, where: str) -> AictlError | None:
        said, status, names = first_line(error), _status(error), {kind.__name__ for kind in type(error).__mro__}
        sign_in = _SIGN_IN[self.root.kind]
        if status in (401, 403) or isinstance(error, PermissionError):
            return MachineLacks(f"these credentials may not {verb} {where}: {said}", cure=sign_in)
        # adlfs says with a ValueError that it has neither an account nor credentials.
        if names & _NOT_SIGNED_IN or (isinstance(error, ValueError) and self.root.kind == "az"):
            return MachineLacks(f"no credentials to {verb} {where}: {said}", cure=sign_in)
        if status in (408, 429) or status >= 500 or names & _PASSING:
            return None
        if status == 404:
            return NotFound(f"{where} does not exist: {said}", cure="check the spelling, and that the bucket is there")
        return BadRequest(f"the store will not {verb} {where}: {said}") if status else usual_meaning(error, verb, where)


class _Reader(Reader):
    """Reads an object and then looks whether it still is the one that was listed."""

    def __init__(self, cloud: Cloud, entry: Entry) -> None:
        self._cloud, self._entry = cloud, entry
        self._looked = False

    def read(self, start: int, end: int) -> bytes:
        data = self._cloud.range(self._entry, start, end) if end > start else b""
        if not self._looked or end == self._entry.size_bytes:
            if self._cloud.entry(self._entry.path) != self._entry:
                raise changed(self._cloud.root.at(self._entry.path).shown)
            self._looked = True
        return data


class _Telling(Callback):  # type: ignore[misc]
    """Passes on how far an upload has come."""

    def __init__(self, crew: Crew) -> None:
        super().__init__()
        self._crew, self._told = crew, 0

    def call(self, hook_name: str | None = None, **kwargs: Any) -> None:
        self._crew.moved(max(0, self.value - self._told))
        self._told = max(self.value, self._told)


def _entry(path: str, info: dict[str, Any]) -> Entry:
    """The MD5 where the store has one; an object of several parts may have none."""
    md5 = info.get("md5Hash") or dict(info.get("content_settings") or {}).get("content_md5")
    if isinstance(md5, str):
        md5 = base64.b64decode(md5)
    mark = f"md5:{bytes(md5).hex()}" if md5 else f"etag:{str(info['etag']).strip(chr(34))}"
    return Entry(path, int(info["size"]), mark)


def _status(error: BaseException) -> int:
    """The HTTP status that an exception stands for, or 0."""
    for one in (error, error.__cause__):
        for name in ("status_code", "status", "code"):
            text = str(getattr(one, name, ""))
            if text.isdigit():
                return int(text)
    return 0

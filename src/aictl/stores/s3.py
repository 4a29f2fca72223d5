"""S3: Amazon's, and that of Ceph, MinIO and whoever else speaks it (``AWS_ENDPOINT_URL``).

s3fs brings the session: credentials, profiles, roles, regions, and the settings of fsspec
(``FSSPEC_S3_ANON=true`` reads public buckets). The requests are made one by one, because what matters
here lies in their headers: an object is read only as it was listed (``If-Match``), every part is sent
with its MD5, which the server checks, and an upload that was cut off goes on with the parts that are
there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec.config
from fsspec.asyn import sync
from s3fs import S3FileSystem

from aictl.core.errors import AictlError
from aictl.stores.backend import Backend, Entry, Reader, changed, require_all
from aictl.stores.crew import Crew
from aictl.stores.digests import md5_base64
from aictl.stores.s3_meaning import code_of, meaning
from aictl.stores.s3_upload import Upload, put

_TIMEOUTS_S = {"connect_timeout": 10, "read_timeout": 60}


class S3(Backend):
    """One bucket."""

    def call(self, operation: str, **request: Any) -> Any:
        return self._filesystem().call_s3(operation, Bucket=self.root.place, **request)

    def _filesystem(self) -> S3FileSystem:
        theirs = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
        # Trying again is our part, and so are the digests: those that botocore adds of its own accord are
        # not understood by every server.
        ours = {
            **_TIMEOUTS_S,
            "retries": {"total_max_attempts": 1},
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
        }
        # fsspec keeps the instances of a process apart, and one for the same arguments.
        made = S3FileSystem(use_listings_cache=False, config_kwargs={**ours, **theirs})
        made.retries = 1
        # What fails is raised where it is waited for; the loop would tell it a second time, on stderr.
        made.loop.set_exception_handler(lambda loop, context: None)
        return made

    def entry(self, path: str) -> Entry | None:
        def head() -> Entry | None:
            try:
                found = self.call("head_object", Key=path)
            except FileNotFoundError as error:
                if code_of(error) == "NoSuchBucket":
                    raise
                return None
            return Entry(path, found["ContentLength"], _mark(found["ETag"]))

        # HEAD of an object in no bucket says 404 as well; listing tells them apart.
        return self.ask("read", path, head) if path else None

    def entries(self, folder: str) -> Iterator[Entry]:
        request = {"Prefix": f"{folder}/"} if folder else {}
        while True:
            page = self.ask("list", folder, lambda: self.call("list_objects_v2", **request))
            for row in page.get("Contents", ()):
                yield Entry(row["Key"], row["Size"], _mark(row["ETag"]))
            if not page.get("IsTruncated"):
                return
            request["ContinuationToken"] = page["NextContinuationToken"]

    def reader(self, entry: Entry) -> Reader:
        return _Reader(self, entry)

    def range(self, entry: Entry, start: int, end: int) -> bytes:
        """The bytes of a range of an object, as long as it is the one that was listed."""

        def get() -> bytes:
            try:
                answer = self.call(
                    "get_object",
                    Key=entry.path,
                    Range=f"bytes={start}-{end - 1}",
                    IfMatch=f'"{entry.mark.removeprefix("etag:")}"',
                )
                data: bytes = sync(self._filesystem().loop, answer["Body"].read)
            except OSError as error:
                if code_of(error) in ("PreconditionFailed", "412", "NoSuchKey", "404", "InvalidRange", "416"):
                    raise changed(self.root.at(entry.path).shown) from error
                raise
            return require_all(data, start, end)

        return self.ask("read", entry.path, get)

    def write(self, path: str, data: bytes, *, draft: str, anew: bool = False) -> bool:
        condition = {"IfNoneMatch": "*"} if anew else {}

        def attempt() -> bool:
            try:
                self.call("put_object", Key=path, Body=data, ContentMD5=md5_base64(data), **condition)
            except FileExistsError:
                return False
            except OSError as error:
                if anew and code_of(error) in ("PreconditionFailed", "412"):
                    return False
                if anew and code_of(error) in ("NotImplemented", "501"):
                    return self._write_if_absent(path, data, draft)
                raise
            return True

        return self.ask("write", path, attempt)

    def _write_if_absent(self, path: str, data: bytes, draft: str) -> bool:
        """For servers that know no conditions: whoever writes between the question and the answer is
        overwritten."""
        return self.entry(path) is None and self.write(path, data, draft=draft)

    def upload(self, source: Path, path: str, *, sha256: str, draft: str, crew: Crew) -> None:
        if source.stat().st_size <= Upload.part_bytes:
            self.ask("write", path, lambda: put(self.call, source, path, crew))
        else:
            Upload(self, source, path, crew).run()

    def remove(self, path: str) -> None:
        self.ask("remove", path, lambda: self.call("delete_object", Key=path))

    def _judge(self, error: Exception, verb: str, where: str) -> AictlError | None:
        return meaning(error, verb, where, self.root)


class _Reader(Reader):
    def __init__(self, bucket: S3, entry: Entry) -> None:
        self._bucket, self._entry = bucket, entry

    def read(self, start: int, end: int) -> bytes:
        return self._bucket.range(self._entry, start, end) if end > start else b""


def _mark(etag: str) -> str:
    return f"etag:{etag.strip(chr(34))}"

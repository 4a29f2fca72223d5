"""Sending a file to S3: at once, or in parts that a later run need not send again.

S3 keeps the parts of an upload that was begun until it is completed or aborted, so a run that was killed leaves
them there, unseen by readers, and the next one asks which they are. A part that is there counts as
sent if it has the size and the MD5 of its place in the file. Two that send the same file at once send the
same parts, and whoever completes it first has done it for both.

A bucket that many uploads are cut off in wants a lifecycle rule (``AbortIncompleteMultipartUpload``).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from aictl.core.errors import AictlError, Damaged, TryLater
from aictl.stores.backend import PART_BYTES
from aictl.stores.crew import Crew, closing_after
from aictl.stores.digests import md5, md5_base64
from aictl.stores.s3_meaning import code_of

if TYPE_CHECKING:
    from aictl.stores.s3 import S3

MOST_PARTS = 10_000  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
_MIB = 2**20
_BEGUN_ANEW = 3  # times, while others complete or abort what was begun


def put(call: Callable[..., Any], source: Path, path: str, crew: Crew) -> None:
    """Send a small file in one request; the server refuses it unless its MD5 is right."""
    data = source.read_bytes()
    call("put_object", Key=path, Body=data, ContentMD5=md5_base64(data))
    crew.moved(len(data))


class Upload:
    """One large file on its way to one key."""

    part_bytes: ClassVar[int] = PART_BYTES

    def __init__(self, bucket: S3, source: Path, path: str, crew: Crew) -> None:
        self._bucket, self._source, self._path, self._crew = bucket, source, path, crew
        self._where = bucket.root.at(path).shown
        self._size_bytes = source.stat().st_size
        least = math.ceil(self._size_bytes / MOST_PARTS / _MIB) * _MIB
        self._part_bytes = max(self.part_bytes, least)
        self._count = math.ceil(self._size_bytes / self._part_bytes)

    def run(self) -> None:
        """Send what is missing and complete the upload. Raises :class:`Damaged` if the server put
        together something else than was sent."""
        for _ in range(_BEGUN_ANEW):
            upload, there = self._begun() or (self._begin(), {})
            try:
                sent = self._send(upload, there)
                self._complete(upload, sent)
                return
            except TryLater as error:
                # Somebody who sent the same may have completed it, which not every server says so plainly; or
                # whoever clears away has ended it.
                if self._is_there():
                    return
                if not isinstance(error, _Ended):
                    raise
        raise TryLater(f"{self._where}: the upload was aborted by somebody else, again and again")

    def _is_there(self) -> bool:
        try:
            found = self._bucket.entry(self._path)
        except TryLater:
            return False
        return found is not None and found.size_bytes == self._size_bytes

    def _begin(self) -> str:
        made = self._ask(lambda: self._call("create_multipart_upload"))
        return str(made["UploadId"])

    def _begun(self) -> tuple[str, dict[int, tuple[int, str]]] | None:
        """The newest upload of this file that was not completed, with its parts: ``{number: (size,
        ETag)}``. None if there is none, or if these credentials may not look."""
        try:
            answer = self._ask(lambda: self._bucket.call("list_multipart_uploads", Prefix=self._path))
            found = [row for row in answer.get("Uploads", ()) if row["Key"] == self._path]
            for row in sorted(found, key=lambda row: row["Initiated"], reverse=True):
                parts = self._parts(row["UploadId"])
                # One that was begun with other parts is another program's, and left alone.
                if all(size == self._length(number) for number, (size, _) in parts.items()):
                    return str(row["UploadId"]), parts
        except TryLater as error:
            if not isinstance(error, _Ended):
                raise
        except AictlError:
            pass
        return None

    def _parts(self, upload: str) -> dict[int, tuple[int, str]]:
        parts: dict[int, tuple[int, str]] = {}
        marker: dict[str, Any] = {}
        while True:
            page = self._ask(partial(self._call, "list_parts", UploadId=upload, **marker))
            for row in page.get("Parts", ()):
                parts[row["PartNumber"]] = (row["Size"], row["ETag"])
            if not page.get("IsTruncated"):
                return parts
            marker = {"PartNumberMarker": page["NextPartNumberMarker"]}

    def _send(self, upload: str, there: dict[int, tuple[int, str]]) -> list[tuple[str, bytes]]:
        """Send every part that is not there. Returns each part's ETag and MD5, in order."""
        sent: list[tuple[str, bytes]] = [("", b"")] * self._count
        descriptor = os.open(self._source, os.O_RDONLY)

        def send(number: int) -> None:
            data = os.pread(descriptor, self._length(number), (number - 1) * self._part_bytes)
            digest = md5(data)
            etag = there.get(number, (0, ""))[1]
            if etag.strip('"') != digest.hex():
                etag = self._ask(partial(self._send_part, upload, number, data))
            sent[number - 1] = (etag, digest)
            self._crew.moved(len(data))

        with closing_after(descriptor):
            self._crew.run(partial(send, number) for number in range(1, self._count + 1))
        return sent

    def _send_part(self, upload: str, number: int, data: bytes) -> str:
        answer = self._call("upload_part", UploadId=upload, PartNumber=number, Body=data, ContentMD5=md5_base64(data))
        return str(answer["ETag"])

    def _complete(self, upload: str, sent: list[tuple[str, bytes]]) -> None:
        parts = [{"PartNumber": number, "ETag": etag} for number, (etag, _) in enumerate(sent, 1)]
        self._ask(lambda: self._call("complete_multipart_upload", UploadId=upload, MultipartUpload={"Parts": parts}))
        made = self._bucket.entry(self._path)
        wrong = made is None or made.size_bytes != self._size_bytes
        # The ETag of the whole is the MD5 of the parts' MD5s, where a part's is its MD5: not with keys of
        # KMS, and not with every server.
        if made and all(etag.strip('"') == digest.hex() for etag, digest in sent):
            whole = md5(b"".join(digest for _, digest in sent)).hex()
            wrong = wrong or made.mark not in (f"etag:{whole}-{self._count}", f"etag:{whole}")
        if wrong:
            raise Damaged(f"{self._where} is not what was sent: {made}", cure="run it again with --force")

    def _length(self, number: int) -> int:
        return min(self._part_bytes, self._size_bytes - (number - 1) * self._part_bytes)

    def _call(self, operation: str, **request: Any) -> Any:
        try:
            return self._bucket.call(operation, Key=self._path, **request)
        except OSError as error:
            if code_of(error) == "NoSuchUpload":
                raise _Ended(self._where) from error
            raise

    def _ask(self, work: Callable[[], Any]) -> Any:
        return self._bucket.ask("write", self._path, work)


class _Ended(TryLater):
    """The upload is no longer there: somebody completed or aborted it."""

"""An S3 server to test against: where it is, who may use it, and moto's as a fixture."""

from __future__ import annotations

import importlib.util
import sys
import uuid
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import pytest

from tests.stores.running import Running, free_ports, listens

START_S = 60


class S3Server(NamedTuple):
    """An endpoint and the credentials of somebody who may do everything there."""

    endpoint: str
    access_key: str
    secret_key: str

    @property
    def environment(self) -> dict[str, str]:
        """What makes every program that knows S3 use this server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @cache  # noqa: B019  (making one takes longer than most tests)
    def client(self):
        """A client of another make than the one that is tested."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            config=Config(request_checksum_calculation="when_required", s3={"addressing_style": "path"}),
        )


class Bucket:
    """A bucket of a test's own, filled and looked at with the other client."""

    def __init__(self, server: S3Server) -> None:
        self.server = server
        self.client = server.client()
        self.name = f"test-{uuid.uuid4().hex[:12]}"
        self.client.create_bucket(Bucket=self.name)

    def url(self, key: str = "") -> str:
        return f"s3://{self.name}/{key}"

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=data)

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def remove(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [row["Key"] for page in pages for row in page.get("Contents", [])]

    def uploads(self) -> list[str]:
        """The keys of uploads that were begun and not ended."""
        return [row["Key"] for row in self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", [])]


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """moto's server in a process of its own, for as long as the tests run."""
    if importlib.util.find_spec("moto") is None or importlib.util.find_spec("s3fs") is None:
        pytest.skip("moto or s3fs is not installed: pip install 'aictl[test]'")
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = Running("moto", command, tmp_path_factory.mktemp("moto"))
    try:
        server.wait_until(lambda: listens(port), START_S)
        yield S3Server(f"http://127.0.0.1:{port}", "test", "test-secret")
    finally:
        server.stop()


@pytest.fixture
def bucket(moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket of moto's, which the environment leads to."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    return Bucket(moto)

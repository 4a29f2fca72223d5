"""Addresses are taken apart as people mean them, and refused where they would give a secret away."""

from __future__ import annotations

import pytest

from aictl.core.errors import BadRequest
from aictl.stores.address import is_url, parse


@pytest.mark.parametrize(
    ("text", "kind", "place", "path", "url"),
    [
        ("s3://bucket/a/b.txt", "s3", "bucket", "a/b.txt", "s3://bucket/a/b.txt"),
        ("S3://bucket", "s3", "bucket", "", "s3://bucket/"),
        ("s3a://bucket/a/", "s3", "bucket", "a/", "s3a://bucket/a/"),
        ("s3://bucket/what?#%41 +.txt", "s3", "bucket", "what?#%41 +.txt", "s3://bucket/what?#%41 +.txt"),
        ("gs://bucket/x", "gs", "bucket", "x", "gs://bucket/x"),
        ("az://container/x", "az", "container", "x", "az://container/x"),
        (
            "abfs://c@a.dfs.core.windows.net/x",
            "az",
            "c@a.dfs.core.windows.net",
            "x",
            "abfs://c@a.dfs.core.windows.net/x",
        ),
        ("hdfs://nn:8020/a/b", "hdfs", "nn:8020", "a/b", "hdfs://nn:8020/a/b"),
        ("hdfs:///a", "hdfs", "", "a", "hdfs:///a"),
        ("webhdfs://me@nn:9870/a", "webhdfs", "me@nn:9870", "a", "webhdfs://me@nn:9870/a"),
        ("https://h/a/b.txt?x=1#part", "web", "h", "a/b.txt", "https://h/a/b.txt?x=1"),
        ("http://h:8080", "web", "h:8080", "", "http://h:8080/"),
        ("/tmp/store", "folder", "/tmp/store", "", "/tmp/store"),
        ("file:///tmp/a%20b", "folder", "/tmp/a b", "", "/tmp/a b"),
    ],
)
def test_addresses(text, kind, place, path, url):
    address = parse(text)
    assert (address.kind, address.place, address.path, address.url) == (kind, place, path, url)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ftp://host/x", "not taken"),
        ("s3://KEY:hunter2@bucket/x", "credentials"),
        ("s3://hunter2@bucket/x", "credentials"),
        ("webhdfs://me:hunter2@nn/x", "credentials"),
        ("abfs://c:hunter2@a.dfs.core.windows.net/x", "credentials"),
        ("s3:///x", "no bucket"),
        ("https:///x", "no host"),
        ("https://h:port/x", "no address"),
        ("https://good\\@127.0.0.1/x", "backslash"),
        ("s3://bucket/a\nb", "control"),
        ("file://host/x", "another host"),
    ],
)
def test_what_is_refused(text, said):
    with pytest.raises(BadRequest, match=said) as refused:
        parse(text)
    assert "hunter2" not in f"{refused.value} {refused.value.cure}"


def test_a_web_address_is_shown_without_its_secrets():
    address = parse("https://me:hunter2@h/x.txt?sig=hunter2")
    assert address.shown == "https://***@h/x.txt?sig=***"
    assert address.url == "https://me:hunter2@h/x.txt?sig=hunter2"


@pytest.mark.parametrize("text", ["s3://b/k", "HTTPS://h/x", "webhdfs://h/x", "az://c/x"])
def test_urls(text):
    assert is_url(text)


@pytest.mark.parametrize("text", ["notes", "pkg:a==1", "hf:org/name", "file:///x", "ftp://h/x", "a/b://c"])
def test_no_urls(text):
    assert not is_url(text)

"""Objects of the web, from a server that may be slow of mind, broken or malicious."""

from __future__ import annotations

import base64
import hashlib
import os

import pytest

from aictl.core.errors import AictlError, BadInput, BadRequest, MachineLacks, NotFound, TryLater
from aictl.stores import web
from aictl.stores.address import parse
from aictl.stores.objects import StoredObject, list_objects

DATA = os.urandom(3 * 2**20 + 17)


def listed(url: str) -> StoredObject:
    listing = list_objects(parse(url))
    assert listing.single
    (found,) = listing.objects
    return found


def test_an_object_is_listed_and_read(site):
    site.serve("a/data.bin", DATA, ETag='"v1"')
    found = listed(site.url("a/data.bin"))
    assert (found.name, found.size_bytes, found.mark) == ("data.bin", len(DATA), 'etag:"v1"')
    with found.open() as stream:
        assert stream.read(10) == DATA[:10]
        stream.seek(-5, os.SEEK_END)
        assert stream.read() == DATA[-5:]
        stream.seek(0)
        assert stream.read() == DATA


@pytest.mark.parametrize(
    ("path", "content_type", "name"),
    [
        ("a.jsonl", "text/plain", "a.jsonl"),
        ("download?id=5", "application/json; charset=utf-8", "download.json"),
        ("", "text/html", "localhost.html"),
        ("page", "application/octet-stream", "page"),
        ("caf%C3%A9.txt", "text/plain", "café.txt"),
        ("a%2F..%2Fb.txt", "text/plain", "a%2F..%2Fb.txt"),
    ],
)
def test_its_name_says_what_it_is(site, path, content_type, name):
    site.serve(path, b"x", ETag='"1"', Content_Type=content_type)
    assert listed(site.url(path)).name == name


def test_reading_goes_on_where_it_was_cut_off(site):
    page = site.serve("x.bin", DATA, ETag='"v1"')
    found = listed(site.url("x.bin"))
    page.cut_at, page.cuts = 2**20 + 1234, 3
    with found.open() as stream:
        assert stream.read() == DATA
    assert page.cuts < 3
    assert any(wanted for _, wanted, _ in site.asked)


def test_a_server_without_ranges_is_read_from_the_beginning_again(site):
    page = site.serve("x.bin", DATA, ETag='"v1"')
    page.ranges = False
    found = listed(site.url("x.bin"))
    page.cut_at, page.cuts = 2 * 2**20, 1
    with found.open() as stream:
        assert stream.read() == DATA


def test_when_patience_ends_it_says_how_far_it_came(site):
    page = site.serve("x.bin", DATA, ETag='"v1"')
    found = listed(site.url("x.bin"))
    page.cut_at, page.cuts = 2**20 + 5, 1000
    with found.open() as stream, pytest.raises(TryLater, match=r"stopped at byte 1,048,576 of 3,145,745"):
        stream.read()


def test_one_that_is_busy_is_asked_again(site):
    page = site.serve("x", b"hello", ETag='"v1"')
    page.busy = 1
    assert listed(site.url("x")).size_bytes == 5


@pytest.mark.parametrize("change", ["etag", "size", "gone"])
def test_an_object_that_changed_is_not_read(site, change):
    page = site.serve("x", b"hello", ETag='"v1"')
    found = listed(site.url("x"))
    if change == "etag":
        page.headers["ETag"] = '"v2"'
    elif change == "size":
        page.data = b"hello, you"
    else:
        del site.pages["/x"]
    with found.open() as stream, pytest.raises(TryLater, match="changed after it was listed"):
        stream.read()


def test_without_any_mark_its_bytes_are_the_mark(site):
    page = site.serve("x", DATA)
    found = listed(site.url("x"))
    assert found.mark == f"sha256:{hashlib.sha256(DATA).hexdigest()}"
    with found.open() as stream:
        assert stream.read() == DATA
        stream.seek(0)
        assert stream.read() == DATA
    page.data = bytes([DATA[0] ^ 1]) + DATA[1:]
    with found.open() as stream, pytest.raises(TryLater, match="changed"):
        stream.read()


def test_one_that_never_ends_is_stopped(site, monkeypatch):
    monkeypatch.setattr(web, "MAX_UNANNOUNCED_BYTES", 5 * 2**20)
    page = site.serve("x", b"")
    page.announces, page.endless = False, True
    with pytest.raises(BadInput, match="does not end"):
        listed(site.url("x"))


def test_one_that_sends_more_than_it_said_is_cut(site):
    page = site.serve("x", b"hello", ETag='"1"')
    found = listed(site.url("x"))
    page.announces, page.endless = False, True
    with found.open() as stream:
        assert stream.read() == bytes(5)


def test_a_packed_answer_is_refused(site):
    site.serve("x", b"\x1f\x8b", ETag='"1"', Content_Encoding="gzip")
    with pytest.raises(BadInput, match="gzip"):
        listed(site.url("x"))


@pytest.mark.parametrize(
    ("status", "error"), [(404, NotFound), (410, NotFound), (401, MachineLacks), (403, MachineLacks), (400, BadRequest)]
)
def test_refusals(site, status, error):
    site.serve("x", b"").status = status
    with pytest.raises(error):
        listed(site.url("x"))


def test_a_host_of_this_machine_is_refused_by_any_other_name(site):
    site.serve("x", b"secret")
    with pytest.raises(BadRequest, match="no public address"):
        listed(site.url("x", host="127.0.0.1"))
    assert site.asked == []


def test_a_redirect_is_followed_and_looked_at(site):
    site.serve("b.txt", b"hello", ETag='"1"')
    site.redirect("a.txt", "/b.txt")
    site.redirect("evil", site.url("b.txt", host="127.0.0.1"))
    site.redirect("metadata", "http://169.254.169.254/latest/meta-data/")
    site.redirect("file", "file:///etc/passwd")
    site.redirect("round", "/round")
    assert listed(site.url("a.txt")).size_bytes == 5
    for path in ("evil", "metadata"):
        with pytest.raises(BadRequest, match="no public address"):
            listed(site.url(path))
    with pytest.raises(BadRequest, match="refused"):
        listed(site.url("file"))
    with pytest.raises(BadRequest, match="for ever"):
        listed(site.url("round"))


def test_credentials_are_sent_where_they_were_meant_and_never_told(site, monkeypatch):
    monkeypatch.setenv("AICTL_PRIVATE_HOSTS", "127.0.0.1,localhost")
    basic = "Basic " + base64.b64encode(b"me:hunter2 %").decode()
    site.serve("x.txt", b"hello", ETag='"1"').login = basic
    site.serve("open.txt", b"hello", ETag='"1"')
    url = site.url("x.txt?sig=hunter2", login="me:hunter2%20%25@")
    site.pages["/x.txt?sig=hunter2"] = site.pages["/x.txt"]
    found = listed(url)
    assert found.open().read() == b"hello"
    site.redirect("elsewhere", site.url("open.txt", host="127.0.0.1"))
    site.asked.clear()
    listed(site.url("elsewhere", login="me:hunter2@"))
    assert [login is not None for _, _, login in site.asked] == [True, False]
    site.pages["/x.txt?sig=hunter2"].login = "nobody"
    said = repr(found)
    with pytest.raises(AictlError) as refused:
        found.open().read()
    said += f"{refused.value} {refused.value.cure}"
    assert "hunter2" not in said


def test_nobody_there(site):
    port = site.server_address[1]
    site.shutdown()
    site.server_close()
    with pytest.raises(TryLater, match="2 times"):
        listed(f"http://localhost:{port}/x")


def test_a_proxy_of_the_environment_is_used(site, monkeypatch):
    """The proxy resolves what cannot be resolved here, and what can be has to be public."""
    site.pages["http://files.invalid/x"] = site.serve("x", b"hello", ETag='"1"')
    monkeypatch.setenv("http_proxy", site.url(login="me:hunter2@"))
    assert listed("http://files.invalid/x").open().read() == b"hello"
    with pytest.raises(BadRequest, match="no public address"):
        listed("http://127.0.0.1/x")
    assert all(path.startswith("http://files.invalid/") for path, _, _ in site.asked)


def test_nothing_is_written_to_the_web():
    from aictl.stores.backend import open_place

    with pytest.raises(BadRequest, match="read and not written"):
        open_place(parse("https://h/x")).write("x", b"", draft="")

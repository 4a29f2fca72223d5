"""S3 as Ceph's gateway speaks it: sources, conditions, parts, refusals, push and pull."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aictl.core.errors import MachineLacks, NotFound, TryLater
from aictl.stores.address import parse
from aictl.stores.backend import open_place
from aictl.stores.crew import Crew
from aictl.stores.objects import list_objects
from aictl.stores.s3_upload import Upload
from tests.stores.conftest import forget
from tests.stores.faulty import Faulty
from tests.stores.s3_server import Bucket

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MIB = 2**20


@pytest.fixture
def here(ceph, monkeypatch) -> Bucket:
    for name, value in ceph.environment.items():
        monkeypatch.setenv(name, value)
    forget()
    return Bucket(ceph)


@pytest.fixture
def proxy(ceph, monkeypatch):
    made = Faulty(int(ceph.endpoint.rpartition(":")[2]))
    monkeypatch.setenv("AWS_ENDPOINT_URL", made.endpoint)
    forget()
    yield made
    made.close()


def send(bucket, path):
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    open_place(parse(bucket.url())).upload(path, "big", sha256=sha256, draft="", crew=Crew())


def test_objects_are_listed_and_read_as_they_were_listed(here):
    for name in ("a.txt", "b/ü ?#%41+.txt", "A.txt", "x/../evil.txt"):
        here.put(f"docs/{name}", name.encode())
    listing = list_objects(parse(here.url("docs")))
    assert [one.name for one in listing.objects] == ["A.txt", "a.txt", "b/ü ?#%41+.txt"]
    assert [one.open().read().decode() for one in listing.objects] == [one.name for one in listing.objects]
    assert list(listing.left_out) == ["x/../evil.txt"]
    here.put("docs/a.txt", b"other")
    with listing.objects[1].open() as stream, pytest.raises(TryLater, match="changed after it was listed"):
        stream.read()


def test_a_connection_that_breaks_in_mid_stream(here, proxy):
    data = os.urandom(20 * MIB)
    here.put("big", data)
    (found,) = list_objects(parse(here.url("big"))).objects
    proxy.cut_after, proxy.cuts = 3 * MIB, 3
    with found.open() as stream:
        assert stream.read() == data
    assert proxy.cuts == 0
    proxy.refuses = True
    with found.open() as stream, pytest.raises(TryLater, match="stopped at byte 0"):
        stream.read()


def test_parts_that_are_there_are_not_sent_again(here, tmp_path, monkeypatch):
    monkeypatch.setattr(Upload, "part_bytes", 5 * MIB)
    path = tmp_path / "big"
    path.write_bytes(os.urandom(22 * MIB))
    upload = here.client.create_multipart_upload(Bucket=here.name, Key="big")["UploadId"]
    with path.open("rb") as file:
        for number in (1, 2, 3):
            body = file.read(5 * MIB)
            body = body[::-1] if number == 2 else body  # one of them is wrong
            here.client.upload_part(Bucket=here.name, Key="big", PartNumber=number, UploadId=upload, Body=body)
    place = open_place(parse(here.url()))
    sent, call = [], place.call

    def noted(operation: str, **request):
        sent.append((operation, request.get("PartNumber")))
        return call(operation, **request)

    place.call = noted
    send(here, path)
    assert sorted(number for operation, number in sent if operation == "upload_part") == [2, 4, 5]
    assert here.get("big") == path.read_bytes()
    assert here.uploads() == []


def test_a_name_is_given_once(here):
    place = open_place(parse(here.url()))
    assert [place.write("name", data, draft="", anew=True) for data in (b"first", b"second")] == [True, False]
    assert here.get("name") == b"first"


def test_refusals(here, monkeypatch):
    with pytest.raises(NotFound, match="no bucket 'nobody-s'"):
        list_objects(parse("s3://nobody-s/x"))
    for name, value, said in (
        ("AWS_SECRET_ACCESS_KEY", "wrong", "not known there|may not"),
        ("AWS_ACCESS_KEY_ID", "nobody", "not known there|may not"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            forget()
            with pytest.raises(MachineLacks, match=said) as refused:
                list(open_place(parse(here.url())).entries(""))
            assert "AWS_PROFILE" in str(refused.value.cure)
    forget()


def test_a_bucket_of_somebody_else(here, ceph_other, monkeypatch):
    here.put("x", b"hello")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ceph_other.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ceph_other.secret_key)
    forget()
    for work in (
        lambda: list_objects(parse(here.url("x"))),
        lambda: open_place(parse(here.url())).write("y", b"", draft=""),
    ):
        with pytest.raises(MachineLacks, match="credentials may not") as refused:
            work()
        assert "s3:" in str(refused.value.cure)


def aictl(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "aictl", *map(str, words)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def test_from_raw_objects_to_the_next_job(here, tmp_path, monkeypatch):
    monkeypatch.setenv("AICTL_CACHE", str(tmp_path / "cache"))
    for number in range(300):
        text = f"a note of some length, which is number {number}. " * 40
        here.put(f"raw/{number % 7}/{number}.txt", text.encode())
    first, second = tmp_path / "first", tmp_path / "second"
    for root in (first, second):
        aictl("init", root, cwd=tmp_path)
    aictl("data", "prep", here.url("raw"), "--name", "notes", cwd=first)
    aictl("data", "prep", "notes", "--max-chars", "200", "--name", "short", cwd=first)
    aictl("artifact", "push", "short", "--store", here.url("ci"), cwd=first)
    pulled = aictl("artifact", "pull", "short", "--store", here.url("ci"), cwd=second)
    assert pulled.stdout.strip() == f"{second}/artifacts/dataset/short@1"
    listed = aictl("artifact", "ls", cwd=second).stdout.splitlines()[1:]
    assert [line.split("\t")[1:3] for line in listed] == [["notes@1", "fresh"], ["short@1", "fresh"]]
    aictl("artifact", "check", cwd=second)
    again = aictl("data", "prep", here.url("raw"), "--name", "notes", "--json", cwd=second).stdout
    assert '"up_to_date": true' in again


def test_killed_while_it_pushes(here, proxy, tmp_path):
    first = tmp_path / "first"
    aictl("init", first, cwd=tmp_path)
    (first / "raw.txt").write_text("".join(f"{os.urandom(4000).hex()}\n\n" for _ in range(9000)))
    aictl("data", "prep", "raw.txt", "--name", "heavy", cwd=first)
    command = [sys.executable, "-m", "aictl", "artifact", "push", "heavy", "--store", here.url("ci")]
    running = subprocess.Popen(command, cwd=first, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while proxy.sent < 40 * MIB and time.monotonic() < until and running.poll() is None:
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert [key for key in here.keys("ci/") if not key.startswith(("ci/blobs/", "ci/aictl-depot.json"))] == []
    aictl("artifact", "push", "heavy", "--store", here.url("ci"), cwd=first)
    assert here.uploads() == []
    assert len(here.keys("ci/objects/")) == len(here.keys("ci/names/")) == 1

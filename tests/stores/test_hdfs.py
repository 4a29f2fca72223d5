"""HDFS by both of its protocols: sources, names, refusals, push and pull."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from aictl.core.errors import MachineLacks, NotFound, TryLater
from aictl.stores import backend
from aictl.stores.address import parse
from aictl.stores.backend import open_place
from aictl.stores.crew import Crew
from aictl.stores.objects import list_objects

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MIB = 2**20


@pytest.fixture(params=["hdfs", "webhdfs"])
def here(request, hdfs, monkeypatch) -> str:
    """The URL of a folder of a test's own, by each protocol."""
    for name, value in hdfs.environment.items():
        monkeypatch.setenv(name, value)
    backend._opened.cache_clear()
    return f"{getattr(hdfs, request.param)}/test-{uuid.uuid4().hex[:8]}"


def put(url: str, name: str, data: bytes) -> None:
    address = parse(url)
    draft = f"{address.path}-drafts/{uuid.uuid4().hex}"
    open_place(address).write(f"{address.path}/{name}", data, draft=draft)


def names(url: str) -> list[str]:
    return [one.name for one in list_objects(parse(url)).objects]


def test_files_are_listed_and_read_as_they_were_listed(here):
    odd = "b/c ü.txt" if here.startswith("web") else "b/c ü+%41.txt"  # a data node of Hadoop 2 decodes names twice
    data = {"a.txt": b"hello", odd: os.urandom(3 * MIB + 1), "A.txt": b"", ".hidden/x": b"x"}
    for name, content in data.items():
        put(f"{here}/docs", name, content)
    listing = list_objects(parse(f"{here}/docs"))
    assert [one.name for one in listing.objects] == ["A.txt", "a.txt", odd]
    assert {one.name: one.open().read() for one in listing.objects}.items() <= data.items()
    single = list_objects(parse(f"{here}/docs/a.txt"))
    assert (single.single, single.objects[0].open().read()) == (True, b"hello")
    assert names(f"{here}/docs/*.txt") == ["A.txt", "a.txt"]
    time.sleep(0.01)
    put(f"{here}/docs", "a.txt", b"hullo")
    with listing.objects[1].open() as stream, pytest.raises(TryLater, match="changed after it was listed"):
        stream.read()
    assert list_objects(parse(f"{here}/docs")).digest != listing.digest
    with pytest.raises(NotFound, match="no such object"):
        names(f"{here}/nothing")


def test_a_file_that_is_gone_is_told(here):
    put(f"{here}/docs", "a.txt", b"hello")
    (found,) = list_objects(parse(f"{here}/docs")).objects
    place, address = open_place(parse(here)), parse(here)
    place.remove(f"{address.path}/docs/a.txt")
    place.remove(f"{address.path}/docs/a.txt")
    with found.open() as stream, pytest.raises(TryLater, match="changed"):
        stream.read()


def test_a_large_file_arrives_whole(here, tmp_path):
    path = tmp_path / "big"
    path.write_bytes(os.urandom(40 * MIB + 13))
    address, crew = parse(here), Crew()
    place = open_place(address)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    for _ in range(2):  # the second time something has the name already
        place.upload(path, f"{address.path}/big", sha256=sha256, draft=f"{address.path}/partial/1", crew=crew)
    (found,) = list_objects(parse(f"{here}/big")).objects
    assert found.open().read() == path.read_bytes()
    assert crew.bytes_moved == 2 * path.stat().st_size
    assert list(place.entries(f"{address.path}/partial")) == []


def test_a_name_is_given_once(here):
    address = parse(here)
    place, path = open_place(address), f"{address.path}/name"
    written = [place.write(path, data, draft=f"{path}-{data.decode()}", anew=True) for data in (b"first", b"second")]
    assert written == [True, False]
    assert place.reader(place.entry(path)).read(0, 5) == b"first"


def test_somebody_who_may_not(here, monkeypatch):
    put(here, "a.txt", b"hello")
    monkeypatch.setenv("HADOOP_USER_NAME", "somebody")
    backend._opened.cache_clear()
    with pytest.raises(MachineLacks, match="may not write") as refused:
        put(here, "b.txt", b"hello")
    assert "\n" not in refused.value.message
    assert "HADOOP_USER_NAME" in str(refused.value.cure)


@pytest.mark.parametrize("protocol", ["hdfs", "webhdfs"])
def test_nobody_there(protocol, monkeypatch, hdfs):
    monkeypatch.setenv("HADOOP_CONF_DIR", hdfs.environment["HADOOP_CONF_DIR"])
    with pytest.raises(TryLater, match="2 times"):
        list_objects(parse(f"{protocol}://127.0.0.1:9/x"))


def aictl(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "aictl", *map(str, words)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def test_from_raw_files_to_the_next_job(here, tmp_path, monkeypatch):
    monkeypatch.setenv("AICTL_CACHE", str(tmp_path / "cache"))
    for number in range(30):
        put(f"{here}/raw", f"{number % 3}/{number}.txt", f"a note of some length, number {number}. ".encode() * 40)
    first, second = tmp_path / "first", tmp_path / "second"
    for root in (first, second):
        aictl("init", root, cwd=tmp_path)
    aictl("data", "prep", f"{here}/raw", "--name", "notes", cwd=first)
    aictl("data", "prep", "notes", "--max-chars", "200", "--name", "short", cwd=first)
    aictl("artifact", "push", "short", "--store", f"{here}/ci", cwd=first)
    assert "was there" in aictl("artifact", "push", "short", "--store", f"{here}/ci", cwd=first).stdout
    aictl("artifact", "pull", "short", "--store", f"{here}/ci", cwd=second)
    listed = aictl("artifact", "ls", cwd=second).stdout.splitlines()[1:]
    assert [line.split("\t")[1:3] for line in listed] == [["notes@1", "fresh"], ["short@1", "fresh"]]
    aictl("artifact", "check", cwd=second)


def test_killed_while_it_pushes(here, tmp_path):
    first = tmp_path / "first"
    aictl("init", first, cwd=tmp_path)
    (first / "raw.txt").write_text("".join(f"{os.urandom(4000).hex()}\n\n" for _ in range(9000)))
    aictl("data", "prep", "raw.txt", "--name", "heavy", cwd=first)
    command = [sys.executable, "-m", "aictl", "artifact", "push", "heavy", "--store", f"{here}/ci"]
    running = subprocess.Popen(command, cwd=first, stderr=subprocess.DEVNULL)
    place, folder = open_place(parse(here)), parse(here).path
    until = time.monotonic() + 60
    while time.monotonic() < until and running.poll() is None and not list(place.entries(f"{folder}/ci/partial")):
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    kinds = {entry.path.removeprefix(f"{folder}/ci/").partition("/")[0] for entry in place.entries(f"{folder}/ci")}
    assert kinds <= {"aictl-depot.json", "blobs", "partial"}
    aictl("artifact", "push", "heavy", "--store", f"{here}/ci", cwd=first)
    second = tmp_path / "second"
    aictl("init", second, cwd=tmp_path)
    aictl("artifact", "pull", "heavy", "--store", f"{here}/ci", cwd=second)
    aictl("artifact", "check", cwd=second)

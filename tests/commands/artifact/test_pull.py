"""artifact pull as it is typed: what one job pushed, the next one works with."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path

import pytest
from tests.stores.faulty import Faulty

from aictl.stores.backend import PART_BYTES


@pytest.fixture
def pushed(aictl, jobs, bucket) -> tuple[Path, Path, str]:
    first, second = jobs
    done = aictl("artifact", "push", "notes", "--store", bucket.url("ci"), cwd=first)
    assert done.returncode == 0, done.stderr
    return first, second, bucket.url("ci")


def test_the_next_job_goes_on_from_it(aictl, pushed):
    first, second, store = pushed
    before = {path.relative_to(first): path.read_bytes() for path in (first / "raw").iterdir()}
    shutil.move(first / "raw", first / "gone")  # the next job's machine has no raw files
    pulled = aictl("artifact", "pull", "notes", "--store", store, cwd=second)
    assert pulled.returncode == 0, pulled.stderr
    assert pulled.stdout == f"{second}/artifacts/dataset/notes@1\n"
    listed = aictl("artifact", "ls", cwd=second).stdout.splitlines()
    assert listed[1].split("\t")[:3] == ["dataset", "notes@1", "fresh"]
    assert aictl("artifact", "check", cwd=second).returncode == 0
    lineage = aictl("artifact", "lineage", "notes", cwd=second).stdout
    assert "data.prep\tfresh" in lineage
    for name in ("artifact.json", "dataset.json"):
        assert (second / "artifacts/dataset/notes@1" / name).read_bytes() == (
            first / "artifacts/dataset/notes@1" / name
        ).read_bytes()
    # The same raw files at another place: the same key, so that nothing is left to do.
    for name, data in before.items():
        (second / name).parent.mkdir(exist_ok=True)
        (second / name).write_bytes(data)
    again = aictl("data", "prep", "raw", "--name", "notes", "--json", cwd=second)
    assert json.loads(again.stdout)["up_to_date"], again.stderr


def test_in_a_pipe_and_as_json(aictl, pushed):
    _, second, store = pushed
    path = aictl("artifact", "pull", "notes", "--store", store, "--events", "none", cwd=second).stdout
    more = aictl("data", "prep", "-", "--max-chars", "50", "--name", "short", "--json", cwd=second, stdin=path)
    assert more.returncode == 0, more.stderr
    value = json.loads(aictl("artifact", "pull", "notes", "--store", store, "--json", cwd=second).stdout)
    (row,) = value["artifacts"]
    assert (row["name"], row["kind"], row["state"], row["asked"]) == ("notes", "dataset", "was here", True)
    assert value["fetched_bytes"] == 0


def test_progress_is_told_as_events(aictl, pushed):
    _, second, store = pushed
    said = aictl("artifact", "pull", "notes", "--store", store, "--events", "jsonl", cwd=second).stderr
    events = [json.loads(line) for line in said.splitlines()]
    assert [event["event"] for event in events if event["event"] != "Advanced"] == ["Started", "Finished"]
    assert events[0]["total"] == events[-2]["done"] > 4000


def test_one_wrong_byte(aictl, pushed, bucket):
    first, second, store = pushed
    (key,) = (key for key in bucket.keys("ci/blobs/") if len(bucket.get(key)) > 3000)
    data = bytearray(bucket.get(key))
    data[100] ^= 1
    bucket.put(key, bytes(data))
    result = aictl("artifact", "pull", "notes", "--store", store, cwd=second)
    assert (result.returncode, result.stdout) == (6, "")
    assert key in result.stderr
    assert "--force" in result.stderr
    assert aictl("artifact", "ls", cwd=second).stdout.splitlines()[1:] == []
    assert aictl("artifact", "push", "notes", "--store", store, "--force", cwd=first).returncode == 0
    assert aictl("artifact", "pull", "notes", "--store", store, cwd=second).returncode == 0


@pytest.mark.parametrize(
    ("ref", "code", "said"),
    [("note", 3, "did you mean notes?"), ("notes@7", 3, "has no 'notes@7'"), ("checkpoint/notes", 3, "has no")],
)
def test_refs_that_are_none(aictl, pushed, ref, code, said):
    _, second, store = pushed
    result = aictl("artifact", "pull", ref, "--store", store, cwd=second)
    assert (result.returncode, result.stdout) == (code, "")
    assert said in result.stderr


@pytest.mark.slow  # tens of megabytes through a Python server, several times
def test_killed_it_goes_on_from_what_has_come(aictl, begun, heavy, jobs, bucket, moto, monkeypatch):
    _, second = jobs
    assert aictl("artifact", "push", "heavy", "--store", bucket.url("ci"), cwd=heavy).returncode == 0
    proxy = Faulty(int(moto.endpoint.rpartition(":")[2]))
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
    size = next(Path(heavy, "artifacts/dataset/heavy@1").glob("train-*.jsonl")).stat().st_size
    running = begun("artifact", "pull", "heavy", "--store", bucket.url("ci"), cwd=second)
    until = time.monotonic() + 120
    logs = second / ".aictl/making/pull/scratch"
    while sum(log.read_text().count("\n") for log in logs.glob("*.parts")) < 3 and time.monotonic() < until:
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert aictl("artifact", "ls", cwd=second).stdout.splitlines()[1:] == []
    proxy.carried = 0
    done = aictl("artifact", "pull", "heavy", "--store", bucket.url("ci"), cwd=second)
    assert done.returncode == 0, done.stderr
    assert proxy.carried < size - PART_BYTES
    assert aictl("artifact", "check", "heavy", cwd=second).returncode == 0
    assert not any((second / ".aictl/making").iterdir())
    proxy.close()

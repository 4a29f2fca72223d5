"""artifact push as it is typed, into a folder and into a bucket, and killed at any moment."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from tests.stores.faulty import Faulty

from aictl.stores.backend import PART_BYTES


def rows(result) -> dict[str, dict]:
    assert result.returncode == 0, result.stderr
    return {row["artifact"]: row for row in json.loads(result.stdout)}


@pytest.fixture(params=["folder", "bucket"])
def store(request, tmp_path) -> str:
    return str(tmp_path / "store") if request.param == "folder" else request.getfixturevalue("bucket").url("ci")


def test_what_is_pushed_is_listed(aictl, jobs, store):
    first, _ = jobs
    dry = rows(aictl("artifact", "push", "notes", "--store", store, "--dry-run", "--json", cwd=first))
    assert dry["notes"]["state"] == "would be sent"
    pushed = rows(aictl("artifact", "push", "notes", "--store", store, "--json", cwd=first))
    assert pushed["notes@1"]["state"] == "sent"
    assert pushed["notes@1"]["sent_bytes"] == pushed["notes@1"]["size_bytes"] > 4000
    again = rows(aictl("artifact", "push", "notes", "--store", store, "--json", cwd=first))
    assert (again["notes@1"]["state"], again["notes@1"]["sent_bytes"]) == ("was there", 0)
    listed = aictl("artifact", "ls", "--store", store, cwd=first)
    assert listed.stdout.splitlines()[1].split("\t")[:3] == ["dataset", "notes@1", "current"]
    assert "Traceback" not in listed.stderr


def test_the_store_may_stand_in_the_workspace_s_settings_and_the_ref_on_stdin(aictl, jobs, tmp_path):
    first, _ = jobs
    with (first / "aictl.toml").open("a") as file:
        file.write(f'[artifact.push]\nstore = "{tmp_path}/store"\n')
    path = aictl("artifact", "path", "notes", cwd=first).stdout
    pushed = aictl("artifact", "push", "-", cwd=first, stdin=path)
    assert pushed.returncode == 0, pushed.stderr
    assert pushed.stdout.splitlines()[1].split("\t")[0] == "notes@1"
    assert Path(tmp_path, "store/names/dataset/notes@1.json").exists()


@pytest.mark.parametrize(
    ("store", "code", "said"),
    [
        ("", 2, "no store is named"),
        ("ftp://host/x", 2, "not taken"),
        ("https://host/x", 2, "not written"),
        ("s3://me:hunter2@bucket/x", 2, "credentials"),
        ("s3://no-such-bucket-of-ours/x", 3, "no bucket 'no-such-bucket-of-ours'"),
    ],
)
def test_stores_that_are_none(aictl, jobs, bucket, store, code, said):
    first, _ = jobs
    result = aictl("artifact", "push", "notes", "--store", store, cwd=first)
    assert (result.returncode, result.stdout) == (code, "")
    assert said in result.stderr
    assert "→" in result.stderr
    for path in first.rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes(), path
    assert "hunter2" not in result.stderr


@pytest.mark.slow  # a connection that is tried again for some seconds
def test_a_store_that_is_not_there(aictl, jobs, bucket, monkeypatch):
    first, _ = jobs
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    result = aictl("artifact", "push", "notes", "--store", bucket.url("ci"), cwd=first)
    assert result.returncode == 75
    assert "tried 4 times" in result.stderr
    assert "Traceback" not in result.stderr


def visible(bucket) -> tuple[list[str], list[str]]:
    keys = bucket.keys("ci/")
    return [key for key in keys if key.startswith("ci/objects/")], [key for key in keys if key.startswith("ci/names/")]


@pytest.mark.slow  # tens of megabytes through a Python server, several times
@pytest.mark.parametrize("after", [0.0, 0.3, 0.7])
def test_killed_at_any_moment_it_leaves_nothing_half_and_goes_on(aictl, begun, heavy, bucket, moto, monkeypatch, after):
    proxy = Faulty(int(moto.endpoint.rpartition(":")[2]))
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
    size = next(Path(heavy, "artifacts/dataset/heavy@1").glob("train-*.jsonl")).stat().st_size
    assert size > 4 * PART_BYTES
    running = begun("artifact", "push", "heavy", "--store", bucket.url("ci"), cwd=heavy)
    until = time.monotonic() + 120
    while proxy.sent < after * size and time.monotonic() < until and running.poll() is None:
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert visible(bucket) == ([], [])
    before = proxy.sent
    done = aictl("artifact", "push", "heavy", "--store", bucket.url("ci"), "--json", cwd=heavy)
    assert rows(done)["heavy@1"]["state"] == "sent"
    assert proxy.sent - before < size * (1 - after) + 9 * PART_BYTES  # what was under way when it was killed
    objects, names = visible(bucket)
    assert (len(objects), names) == (1, ["ci/names/dataset/heavy@1.json"])
    assert bucket.uploads() == []
    proxy.close()


@pytest.mark.slow
def test_a_push_that_is_cut_off_says_what_is_kept(aictl, begun, heavy, bucket, moto, monkeypatch):
    proxy = Faulty(int(moto.endpoint.rpartition(":")[2]))
    proxy.refuse_after = 3 * PART_BYTES
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
    running = begun("artifact", "push", "heavy", "--store", bucket.url("ci"), cwd=heavy)
    _, said = running.communicate(timeout=200)
    assert running.returncode == 75
    assert "had been moved and are kept" in said
    assert "Traceback" not in said
    proxy.close()


@pytest.mark.slow
def test_two_jobs_push_the_same_at_once(begun, heavy, bucket):
    running = [begun("artifact", "push", "heavy", "--store", bucket.url("ci"), cwd=heavy) for _ in range(2)]
    for one in running:
        _, said = one.communicate(timeout=200)
        assert one.returncode == 0, said
    objects, names = visible(bucket)
    assert (len(objects), names) == (1, ["ci/names/dataset/heavy@1.json"])

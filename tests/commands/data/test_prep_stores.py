"""data prep of what lies in a store or on the web, as it is typed."""

from __future__ import annotations

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.stores.web_server import site  # noqa: F401

LONG = "a sentence that is long enough to be kept by the default minimum of characters, number "


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AICTL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def notes(bucket, project):
    """Notes in a bucket, and the same in a folder."""
    files = {f"{number}.txt": f"{LONG}{number}".encode() for number in range(30)}
    files["more/records.jsonl.gz"] = gzip.compress(
        b"".join(json.dumps({"text": f"{LONG}{number} again"}).encode() + b"\n" for number in range(30)), mtime=0
    )
    for name, data in files.items():
        bucket.put(f"notes/{name}", data)
        path = project.root / "notes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return bucket


def made(result) -> dict:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_it_is_the_same_dataset_as_from_a_folder(aictl, project, notes):
    from_store = made(aictl("data", "prep", notes.url("notes"), "--name", "notes", "--json", cwd=project.root))
    from_folder = made(aictl("data", "prep", "notes", "--json", cwd=project.root))
    assert from_store["metrics"]["documents"]["out"] == 60
    assert from_store["id"] == from_folder["id"]


def test_it_is_up_to_date_until_an_object_changes(aictl, project, notes):
    words = ("data", "prep", notes.url("notes"), "--name", "notes", "--json")
    made(aictl(*words, cwd=project.root))
    assert made(aictl(*words, cwd=project.root))["up_to_date"]
    notes.put("notes/0.txt", f"{LONG}0 has changed".encode())
    assert not made(aictl(*words, cwd=project.root))["up_to_date"]


def test_one_object_and_some_by_a_glob(aictl, project, notes):
    one = made(aictl("data", "prep", notes.url("notes/more/records.jsonl.gz"), "--json", cwd=project.root))
    assert one["metrics"]["documents"]["out"] == 30
    some = made(aictl("data", "prep", notes.url("notes/1*.txt"), "--json", cwd=project.root))
    assert some["metrics"]["documents"]["out"] == 11


def test_a_dry_run_asks_nobody(aictl, project, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    plan = made(aictl("data", "prep", "https://me:hunter2@h/x?sig=hunter2", "--dry-run", "--json", cwd=project.root))
    assert plan["would"].startswith("fetch https://***@h/x?sig=***")
    assert (plan["key"], plan["up_to_date"]) == (None, None)
    assert "hunter2" not in json.dumps(plan)


def test_nothing_secret_is_written_anywhere(aictl, project, site, tmp_path):  # noqa: F811
    site.serve("notes.txt?sig=hunter2", f"{LONG}one\n\n{LONG}two".encode(), ETag='"1"')
    url = site.url("notes.txt?sig=hunter2", login="me:hunter2@")
    words = ("data", "prep", url, "--name", "notes", "--validation-fraction", "0", "--json")
    told = aictl(*words, "--events", "jsonl", cwd=project.root)
    failed = aictl("data", "prep", url.replace("notes.txt", "gone.txt"), "--debug", cwd=project.root)
    refused = aictl("data", "prep", url.replace("localhost", "127.0.0.1"), "--debug", cwd=project.root)
    nonsense = aictl("train", url, cwd=project.root)
    assert [one.returncode for one in (told, failed, refused, nonsense)] == [0, 3, 2, 3]
    shown = made(aictl("artifact", "show", "notes", "--json", cwd=project.root))
    assert shown["inputs"][0]["uri"] == "http://***@localhost:" + url.rpartition(":")[2].replace("hunter2", "***")
    everything = "".join(one.stdout + one.stderr for one in (told, failed, refused, nonsense))
    for place in (project.root, tmp_path / "cache"):
        everything += "".join(path.read_text(errors="replace") for path in place.rglob("*") if path.is_file())
    assert "hunter2" not in everything
    assert "sig=***" in everything


def test_a_journal_is_kept_of_what_failed(aictl, project, site):  # noqa: F811
    """So that the test above has journals to look through."""
    aictl("data", "prep", site.url("gone.txt"), cwd=project.root)
    assert list(project.journal.glob("*data.prep.jsonl"))


@pytest.mark.slow  # a process that imports torch
def test_a_command_that_wants_files_gets_them(aictl, project, bucket, chat_model):
    for path in chat_model.folder.iterdir():
        bucket.put(f"models/tiny/{path.name}", path.read_bytes())
    added = made(aictl("model", "add", bucket.url("models/tiny"), "--name", "tiny", "--json", cwd=project.root))
    assert added["kind"] == "checkpoint"
    assert made(aictl("model", "add", bucket.url("models/tiny"), "--json", cwd=project.root))["up_to_date"]


def test_what_is_read_by_a_process_apart_is_fetched_for_it(aictl, project, bucket, tmp_path):
    rows = [f"{LONG}{number}" for number in range(30)]
    path = project.root / "rows" / "a.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"text": rows}), path)
    bucket.put("rows/a.parquet", path.read_bytes())
    ids = [
        made(aictl("data", "prep", source, "--name", "rows", "--json", cwd=project.root))["id"]
        for source in (bucket.url("rows"), "rows")
    ]
    assert ids[0] == ids[1]

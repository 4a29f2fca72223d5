"""data prep as it is typed: what of its input may be unreadable, and what becomes of it."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

LONG = "a sentence that is long enough to be kept by the default minimum of characters, number "


@pytest.fixture
def notes(project) -> Path:
    """Thirty notes in a workspace, a broken link and a pipe among them."""
    folder = project.root / "notes"
    folder.mkdir()
    for number in range(30):
        (folder / f"{number}.txt").write_text(f"{LONG}{number}")
    (folder / "gone.txt").symlink_to("nowhere")
    os.mkfifo(folder / "endless.txt")
    return folder


def said(result) -> dict:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_unreadable_files_are_set_aside_and_told_and_count(aictl, project, notes):
    made = said(aictl("data", "prep", "notes", "--name", "notes", "--json", cwd=project.root))
    assert made["metrics"]["documents"] == {
        "in": 32, "out": 30, "duplicates": 0, "too_short": 0, "empty": 0, "rejected": 2
    }  # fmt: skip
    rejected = (Path(made["path"]) / "rejected.jsonl").read_text().splitlines()
    assert [json.loads(line)["source"] for line in rejected] == ["endless.txt", "gone.txt"]
    again = aictl("data", "prep", "notes", "--name", "notes", "--json", cwd=project.root)
    assert said(again)["up_to_date"] and not again.stderr
    (notes / "gone.txt").unlink()
    assert "stale" in aictl("artifact", "ls", cwd=project.root).stdout
    assert not said(aictl("data", "prep", "notes", "--json", cwd=project.root))["up_to_date"]


def test_strict_makes_nothing_of_them(aictl, project, notes):
    result = aictl("data", "prep", "notes", "--strict", cwd=project.root)
    assert result.returncode == 2 and not result.stdout
    assert "endless.txt: cannot be read: a pipe" in result.stderr and "--strict" in result.stderr


def test_one_source_among_many_is_set_aside_and_alone_it_is_an_error(aictl, project, notes):
    made = said(aictl("data", "prep", *sorted(notes.iterdir()), "--json", cwd=project.root))
    assert made["metrics"]["documents"]["rejected"] == 2
    for source, code, why in (("gone.txt", 3, "is a broken link"), ("endless.txt", 2, "is a pipe")):
        result = aictl("data", "prep", f"notes/{source}", cwd=project.root)
        assert (result.returncode, why in result.stderr, "→" in result.stderr) == (code, True, True)
    missing = aictl("data", "prep", "notes", "missing.txt", cwd=project.root)
    assert missing.returncode == 3 and "'missing.txt' does not exist" in missing.stderr


def test_a_source_that_gives_no_end_is_never_waited_for(aictl, project):
    for source in ("/dev/zero", "/dev/stdin"):
        result = aictl("data", "prep", source, cwd=project.root, timeout=60)
        assert result.returncode == 2 and "write what it gives to a file" in result.stderr


def test_names_of_any_bytes_are_taken_and_shown_in_one_line(aictl, project):
    names = ["new\nline.txt", "esc\x1b[31m.txt", "\u540d.txt", os.fsdecode(b"caf\xe9.txt")]
    folder = project.root / "odd"
    folder.mkdir()
    try:
        for name in names:
            (folder / name).write_text(f"{LONG}{len(name)}")
    except OSError as error:
        pytest.skip(f"this file system takes no such name: {error}")
    made = aictl("data", "prep", *(folder / name for name in names), "--name", "odd", cwd=project.root)
    assert made.returncode == 0, made.stderr
    assert aictl("data", "prep", *(folder / name for name in names), cwd=project.root).returncode == 0
    assert aictl("artifact", "lineage", "odd", cwd=project.root).returncode == 0
    missing = aictl("data", "prep", "no\nsuch\x1b.txt", cwd=project.root)
    assert missing.returncode == 3 and r"'no\nsuch\x1b.txt' does not exist" in missing.stderr


def test_a_name_too_long_for_any_file(aictl, project):
    result = aictl("data", "prep", "x" * 300, cwd=project.root)
    assert result.returncode == 2 and "cannot be read: File name too long" in result.stderr


@pytest.fixture
def packaged(tmp_path) -> dict[str, str]:
    """Settings by which pip sees one folder, with a wheel of documents in it, and downloads have a
    place of their own."""
    index = tmp_path / "index"
    index.mkdir()
    with zipfile.ZipFile(index / "corpus-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("corpus-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: corpus\nVersion: 1.0\n")
        wheel.writestr("corpus-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("corpus-1.0.dist-info/RECORD", "")
        for number in range(30):
            wheel.writestr(f"corpus/{number}.txt", f"{LONG}{number}")
    return {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(index),
        "PIP_CONFIG_FILE": os.devnull,
        "AICTL_CACHE": str(tmp_path / "cache"),
    }


def test_a_dry_run_downloads_nothing_and_says_what_it_does_not_know(aictl, project, packaged, tmp_path):
    cache = tmp_path / "cache"

    def dry(source: str) -> dict:
        return said(aictl("data", "prep", source, "--dry-run", "--json", cwd=project.root, env=packaged))

    before = sorted(project.root.rglob("*"))
    told = dry("pkg:corpus==1.0")
    assert told["up_to_date"] is None and told["key"] is None and told["inputs"][0]["id"] is None
    assert told["would"].startswith("fetch pkg:corpus==1.0, and then see")
    assert not cache.exists() and sorted(project.root.rglob("*")) == before
    text = aictl("data", "prep", "pkg:corpus==1.0", "--dry-run", cwd=project.root, env=packaged).stdout
    assert "fetch pkg:corpus==1.0" in text

    made = said(aictl("data", "prep", "pkg:corpus==1.0", "--json", cwd=project.root, env=packaged))
    sha256 = json.loads((cache / "packages/corpus==1.0.json").read_text())["facts"]["sha256"]
    assert dry("pkg:corpus==1.0")["up_to_date"] is True  # the download is there
    shutil.rmtree(cache)
    assert dry("pkg:corpus==1.0")["up_to_date"] is None
    pinned = dry(f"pkg:corpus==1.0#sha256={sha256}")  # of which the record says what is in it
    assert pinned["key"] == json.loads((Path(made["path"]) / "artifact.json").read_text())["key"]
    assert dry(f"pkg:corpus==1.0#sha256={'0' * 64}")["up_to_date"] is None
    assert not cache.exists()


def test_a_missing_extra_is_told_before_the_download(project, packaged, monkeypatch):
    """model add needs the extra train, which no download helps."""
    from aictl.commands.model.add import command
    from aictl.core.errors import ExtraMissing
    from aictl.core.events import silent
    from aictl.workspace.run import Request, Runner

    for name, value in packaged.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("aictl.core.extras.missing", lambda extra: ["torch"])
    request = Request("model.add", command, command.spec(), {"source": ("pkg:corpus==1.0",)})
    with pytest.raises(ExtraMissing, match="'train'"):
        Runner(project, silent).run(request)
    assert not Path(os.environ["AICTL_CACHE"]).exists()


@pytest.mark.parametrize("home", ["/sys", "/nowhere/at/all", "relative"])
def test_a_home_that_takes_no_files_is_needed_for_downloads_alone(aictl, project, notes, packaged, home):
    settings = {**packaged, "HOME": home, "AICTL_CACHE": "", "XDG_CACHE_HOME": ""}
    if home.startswith("/nowhere"):
        settings["XDG_CACHE_HOME"] = "/sys/aictl-test"  # where nobody makes a folder
    for words in (["--help"], ["artifact", "ls"], ["data", "prep", "notes"]):
        result = aictl(*words, cwd=project.root, env=settings)
        assert result.returncode == 0, result.stderr
    result = aictl("data", "prep", "pkg:corpus==1.0", cwd=project.root, env=settings)
    assert result.returncode == 5 and "XDG_CACHE_HOME=FOLDER" in result.stderr, result.stderr

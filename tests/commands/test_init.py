"""init as it is typed, where a workspace can be made and where it cannot."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aictl.core.errors import BadRequest, MachineLacks
from aictl.workspace.project import create


@contextmanager
def disk(place: Path, options: str) -> Iterator[Path]:
    """A disk of its own at ``place``."""
    place.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def is_whole(root: Path) -> bool:
    """Whether everything that makes a workspace is there."""
    return (
        (root / "aictl.toml").stat().st_size > 0 and (root / ".aictl/store").is_dir() and (root / "artifacts").is_dir()
    )


def test_a_folder_with_content_keeps_it(aictl, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    (tmp_path / "mine/.gitignore").write_text("*.tmp")
    done = aictl("init", "mine", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'mine'}\n")
    assert (tmp_path / "mine/notes.txt").read_text() == "mine"
    assert (tmp_path / "mine/.gitignore").read_text() == "*.tmp"
    assert is_whole(tmp_path / "mine")
    again = aictl("init", "mine", cwd=tmp_path)
    assert again.returncode == 2 and "is a workspace already" in again.stderr


def test_wherever_a_disk_comes_to_its_end_nothing_is_left(tmp_path):
    made = []
    for files in range(2, 14):  # each step of the making is the first one for which there is no room
        with disk(tmp_path / "disk", f"size=64k,nr_inodes={files}") as place:
            try:
                made.append(is_whole(create(place / "deep/workspace").root))
            except MachineLacks as error:
                assert "is full" in error.message and "another disk" in str(error.cure)
                assert list(place.iterdir()) == []
                made.append(False)
    assert made == sorted(made) and not made[0] and made[-1]
    assert made.count(False) > 5


def test_no_room_for_what_is_written_is_told_by_the_program(aictl, tmp_path):
    with disk(tmp_path / "disk", "size=4k") as place:  # one page: enough for the first file and not for the second
        (place / "kept").mkdir()
        done = aictl("init", "kept", cwd=place)
        assert (done.returncode, done.stdout) == (5, "")
        assert "the disk that holds kept is full" in done.stderr and "prune" not in done.stderr
        assert list((place / "kept").iterdir()) == []


def test_a_folder_that_may_not_be_written(unprivileged):
    (unprivileged / "closed").mkdir(mode=0o555)
    for place in ("closed", "closed/new"):
        with pytest.raises(MachineLacks, match="cannot be written: Permission denied") as caught:
            create(unprivileged / place)
        assert "you may write to" in caught.value.cure
    assert list((unprivileged / "closed").iterdir()) == []


def test_a_disk_that_is_read_only(aictl, tmp_path):
    with disk(tmp_path / "disk", "size=64k,ro") as place:
        done = aictl("init", "new", cwd=place)
        assert done.returncode == 5 and "Read-only file system" in done.stderr and "you may write to" in done.stderr


@pytest.mark.parametrize("name", ["artifacts", ".aictl"])
def test_a_file_in_the_way_is_kept(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(BadRequest, match=f"{name} is a file"):
        create(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    for name in ("file", "gone", "loop", "pipe"):
        with pytest.raises(BadRequest, match="is no folder"):
            create(tmp_path / name)
    with pytest.raises(BadRequest, match="file"):
        create(tmp_path / "file/below")

"""The disk: every way through a file that has no name, room or none."""

from __future__ import annotations

import errno
import os
import subprocess

import pytest

from aictl.core.errors import BadRequest, MachineLacks
from aictl.hw.bench import disk

MIB = 2**20


@pytest.fixture
def tiny(tmp_path):
    """A file system of 8 MiB."""
    place = tmp_path / "tiny"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "none", place], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


def test_every_way_is_measured_and_nothing_stays_behind(tmp_path):
    rows, notes = disk.measure(tmp_path, 4 * MIB, budget_s=0.02)
    if not notes:
        assert [(row["pattern"], row["access"], row["mode"], row["depth"]) for row in rows] == disk.WAYS
    for row in rows:
        assert row["bytes_per_s"] == pytest.approx(row["operations_per_s"] * row["block_bytes"])
        assert row["bytes_per_s"] > 0
    assert list(tmp_path.iterdir()) == []


def test_the_file_has_no_name_while_it_is_measured(tmp_path, monkeypatch):
    seen = []

    def repeat(sample, **_):
        seen.append((list(tmp_path.iterdir()), sample(3)))
        return disk_figure()

    monkeypatch.setattr(disk, "repeat", repeat)
    disk.measure(tmp_path, 4 * MIB, budget_s=1)
    assert len(seen) >= 6
    assert all(names == [] and took > 0 for names, took in seen)


def disk_figure():
    from aictl.hw.bench.repeat import Figure

    return Figure(1.0, 0.0, 6)


def test_a_file_system_without_nameless_files_gets_one_that_is_removed_at_once(tmp_path, monkeypatch):
    real = os.open

    def refuses(path, flags, *rest, **named):
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return real(path, flags, *rest, **named)

    monkeypatch.setattr(disk.os, "open", refuses)
    with disk._file(tmp_path) as file:
        assert list(tmp_path.iterdir()) == []
        assert os.pwrite(file, b"here", 0) == 4


def test_no_room_is_known_before_anything_is_written(tiny):
    with pytest.raises(MachineLacks, match=r"a file of 16 MiB, and .*tiny has \d MiB free") as caught:
        disk.measure(tiny, 16 * MIB, budget_s=0.01)
    assert "--disk-mib" in caught.value.cure


def test_room_that_another_takes_meanwhile_is_no_bug_of_ours(tiny, monkeypatch):
    monkeypatch.setattr(disk, "require_room", lambda folder, size: (tiny / "other").write_bytes(b"x" * 6 * MIB))
    with pytest.raises(MachineLacks, match="2 MiB free"):
        disk.measure(tiny, 4 * MIB, budget_s=0.01)
    assert [path.name for path in tiny.iterdir()] == ["other"]


def test_it_fits_where_there_is_room(tiny):
    rows, _ = disk.measure(tiny, 4 * MIB, budget_s=0.01)
    assert {row["filesystem"] for row in rows} == {"tmpfs"}


def test_without_direct_access_the_rest_is_measured_and_the_reason_said(tmp_path, monkeypatch):
    real = disk.fcntl.fcntl

    def refuses(file, command, flags=0):
        if command == disk.fcntl.F_SETFL and flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, "Invalid argument")
        return real(file, command, flags)

    monkeypatch.setattr(disk.fcntl, "fcntl", refuses)
    rows, notes = disk.measure(tmp_path, 4 * MIB, budget_s=0.01)
    assert {row["mode"] for row in rows} == {"buffered"}
    assert len(notes) == 1 and "does not take O_DIRECT" in notes[0]


def test_a_folder_that_is_not_there_or_takes_no_files_is_named(tmp_path, unprivileged):
    with pytest.raises(BadRequest, match="nowhere"):
        disk.require_room(tmp_path / "nowhere", MIB)
    unprivileged.chmod(0o500)
    with pytest.raises(BadRequest, match="no file can be made in"):
        disk.measure(unprivileged, 4 * MIB, budget_s=0.01)

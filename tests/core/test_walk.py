"""Which files lie below a folder that was given as input."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest

from aictl.core.walk import READ_ALREADY, regular_files, shown


def names(folder, skipped=None):
    told = {} if skipped is None else skipped
    return [found.relative for found in regular_files(folder, told.__setitem__)]


def write(folder, *relative):
    for name in relative:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def test_files_come_sorted_folder_by_folder(tmp_path):
    write(tmp_path, "b.txt", "a.txt", "deep/er/z.txt", "deep/a.txt", "c.txt")
    assert names(tmp_path) == ["a.txt", "b.txt", "c.txt", "deep/a.txt", "deep/er/z.txt"]


def test_what_is_no_content_is_left_out(tmp_path):
    write(tmp_path, "a.txt", ".hidden", ".git/config", "CVS/Root", "__pycache__/a.pyc", "x-1.0.dist-info/METADATA")
    assert names(tmp_path) == ["a.txt"]


def test_the_artifacts_of_a_workspace_are_left_out_and_other_folders_of_that_name_are_not(tmp_path):
    write(tmp_path, "a.txt", "artifacts/old.txt", "mine/aictl.toml", "mine/artifacts/dataset/x.ref", "mine/b.txt")
    assert names(tmp_path) == ["a.txt", "artifacts/old.txt", "mine/aictl.toml", "mine/b.txt"]


def test_a_loop_of_links_ends_and_the_real_folder_wins(tmp_path):
    write(tmp_path, "real/a.txt")
    (tmp_path / "real" / "up").symlink_to(tmp_path)
    (tmp_path / "alias").symlink_to(tmp_path / "real")
    skipped = {}
    assert names(tmp_path, skipped) == ["real/a.txt"]
    assert set(skipped) == {"alias/", "real/up/"}


def test_a_folder_outside_is_read_through_a_link(tmp_path):
    write(tmp_path, "outside/a.txt", "given/z.txt")
    (tmp_path / "given" / "linked").symlink_to(tmp_path / "outside")
    (tmp_path / "given" / "again").symlink_to(tmp_path / "outside")
    skipped = {}
    assert names(tmp_path / "given", skipped) == ["z.txt", "again/a.txt"]
    assert list(skipped) == ["linked/"]


def test_links_that_lead_out_are_told_where_nothing_outside_is_wanted(tmp_path):
    write(tmp_path, "outside/a.txt", "given-not/b.txt", "given/z.txt", "given/deep/y.txt")
    given = tmp_path / "given"
    (given / "folder").symlink_to(tmp_path / "outside")
    (given / "file").symlink_to("../given-not/b.txt")  # a name that begins as the folder's does
    (given / "root").symlink_to("/")
    (given / "hop").symlink_to("folder/a.txt")
    (given / "deep/up").symlink_to("..")
    (given / "deep/fine").symlink_to("../z.txt")
    skipped = {}
    found = [one.relative for one in regular_files(given, skipped.__setitem__, outside=False)]
    assert found == ["z.txt", "deep/fine", "deep/y.txt"]
    out = "a link that leads out of the folder"
    assert skipped == {"folder/": out, "file": out, "root/": out, "hop": out, "deep/up/": READ_ALREADY}


def test_broken_links_pipes_and_sockets_are_named_with_their_reason(tmp_path):
    write(tmp_path, "a.txt")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    os.mkfifo(tmp_path / "pipe")
    server = socket.socket(socket.AF_UNIX)
    server.bind(os.path.relpath(tmp_path / "socket"))
    server.close()
    skipped = {}
    assert names(tmp_path, skipped) == ["a.txt"]
    assert skipped["broken"] == "a broken link"
    assert skipped["self"] == "a loop of links"
    assert skipped["pipe"] == "a pipe"
    assert skipped["socket"] == "a socket"


def test_a_folder_that_cannot_be_read_is_told_and_gone_past(unprivileged):
    write(unprivileged, "a.txt", "closed/b.txt", "z/c.txt")
    (unprivileged / "closed").chmod(0)
    skipped = {}
    assert names(unprivileged, skipped) == ["a.txt", "z/c.txt"]
    assert skipped == {"closed/": "cannot be read: Permission denied"}
    assert names(unprivileged / "closed", skipped) == []
    assert skipped[""] == "cannot be read: Permission denied"


def test_a_tree_deeper_than_python_recurses(tmp_path):
    deep = tmp_path / "top" / "/".join("d" * 1050)
    try:
        subprocess.run(["mkdir", "-p", str(deep)], check=True)
        (deep / "a.txt").write_text("a")
        (found,) = names(tmp_path)
        assert found.startswith("top/d/d/")
        assert found.endswith("/d/a.txt")
    finally:  # pytest's own clean-up recurses
        subprocess.run(["rm", "-rf", str(tmp_path / "top")], check=True)


def test_a_name_that_is_not_utf8_is_found_and_can_be_shown(tmp_path):
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("x")
    except OSError as error:
        pytest.skip(f"this file system takes no such name: {error}")
    (name,) = names(tmp_path)
    assert os.fsencode(name) == b"caf\xe9.txt"
    assert shown(name).encode("utf-8") == b"caf\\xe9.txt"


def test_a_shown_name_is_one_line_that_moves_nothing():
    assert shown("plain \u00e9\u00a0\u540d.txt") == "plain \u00e9\u00a0\u540d.txt"
    assert shown("a\nb\x1b[31mc\x9b\u202etxt") == r"a\nb\x1b[31mc\x9b\u202etxt"

"""Files and folders as sources: the digest is that of the bytes and relative names, and of nothing else."""

from __future__ import annotations

import hashlib
import os
import shutil

import pytest

from aictl.core.errors import BadInput, BadRequest, NotFound
from aictl.core.events import Events, Noted, silent
from aictl.workspace.digests import sha256
from aictl.workspace.sources import resolve


@pytest.fixture
def digest(tmp_path):
    return lambda text: resolve(str(text), cache=tmp_path / "cache", hash_file=sha256, events=silent).digest


@pytest.fixture
def notes(tmp_path):
    folder = tmp_path / "notes"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("one")
    (folder / "deep" / "b.md").write_text("two")
    return folder


def test_a_folder_counts_by_its_content_and_not_by_its_place(tmp_path, notes, digest, monkeypatch):
    before = digest(notes)
    shutil.copytree(notes, tmp_path / "elsewhere" / "other-name")
    assert digest(tmp_path / "elsewhere" / "other-name") == before
    monkeypatch.chdir(notes)
    assert digest(".") == before
    assert digest(notes.as_uri()) == before


@pytest.mark.parametrize("change", ["a byte", "a name", "one more", "one less"])
def test_whatever_is_read_counts(notes, digest, change):
    before = digest(notes)
    if change == "a byte":
        (notes / "a.txt").write_text("onf")
    elif change == "a name":
        (notes / "a.txt").rename(notes / "a.md")
    elif change == "one more":
        (notes / "c.txt").write_text("")
    else:
        (notes / "deep" / "b.md").unlink()
    assert digest(notes) != before


def test_times_and_hidden_files_do_not_count(notes, digest):
    before = digest(notes)
    os.utime(notes / "a.txt", (1, 1))
    (notes / ".draft").write_text("x")
    assert digest(notes) == before


def test_the_digest_of_a_file_is_that_of_its_name_and_bytes(notes, digest):
    inner = hashlib.sha256(b"one").hexdigest()
    assert digest(notes / "a.txt") == hashlib.sha256(f"a.txt\0{inner}\n".encode()).hexdigest()


def test_the_name_of_a_python_package_belongs_to_it(tmp_path, digest):
    for name in ("json", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    source = resolve(str(tmp_path / "json"), cache=tmp_path, hash_file=sha256, events=silent)
    assert source.facts == {"prefix": "json/"}
    assert digest(tmp_path / "json") != digest(tmp_path / "other")


def test_what_was_left_out_is_told(notes, tmp_path):
    (notes / "gone").symlink_to(tmp_path / "nowhere")
    told = []
    resolve(str(notes), cache=tmp_path, hash_file=sha256, events=Events(told.append))
    assert [event.message for event in told if isinstance(event, Noted)] == [f"{notes}: left out gone (a broken link)"]


def test_names_that_are_not_utf8_are_digested(notes, digest):
    before = digest(notes)
    try:
        (notes / os.fsdecode(b"\xff.txt")).write_text("x")
    except OSError as error:
        pytest.skip(f"this file system takes no such name: {error}")
    assert digest(notes) != before


@pytest.mark.parametrize("text", ["missing.txt", "a.txt/below", "file:///nowhere/at/all"])
def test_what_is_not_there_is_not_found(notes, digest, monkeypatch, text):
    monkeypatch.chdir(notes)
    with pytest.raises(NotFound):
        digest(text)


def test_a_broken_link_says_so(tmp_path, digest):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(NotFound, match="broken link"):
        digest(tmp_path / "link")


def test_an_empty_folder_a_link_to_itself_and_a_device_are_bad_input(tmp_path, digest):
    (tmp_path / "empty").mkdir()
    (tmp_path / "self").symlink_to(tmp_path / "self")
    for path, why in (("empty", "no files"), ("self", "a loop of links"), ("/dev/zero", "a device")):
        with pytest.raises(BadInput, match=why) as caught:
            digest(tmp_path / path)
        assert caught.value.cure


@pytest.mark.parametrize("given", ["a.txt", "deep", "."])
@pytest.mark.parametrize("closed", ["a.txt", "deep"])
def test_what_may_not_be_read_is_bad_input_with_its_place_and_a_cure(unprivileged, given, closed):
    def digest(path):
        return resolve(str(path), cache=unprivileged, hash_file=sha256, events=silent).digest

    (unprivileged / "a.txt").write_text("a")
    (unprivileged / "deep").mkdir()
    (unprivileged / "deep" / "b.txt").write_text("b")
    before = digest(unprivileged / given)
    (unprivileged / closed).chmod(0)
    if given not in (".", closed):
        assert digest(unprivileged / given) == before
        return
    with pytest.raises(BadInput, match=f"{closed}/?' cannot be read: Permission denied") as caught:
        digest(unprivileged / given)
    assert caught.value.cure.startswith(f"`chmod -R u+rX {unprivileged / closed}")


def test_what_will_be_set_aside_counts_by_its_name_and_reason(notes, tmp_path):
    def digest(path=notes, set_aside="inside", outside=True):
        options = {"set_aside": set_aside, "outside": outside}
        return resolve(str(path), cache=tmp_path, hash_file=sha256, events=silent, **options).digest

    assert digest() == digest(set_aside="nothing")
    seen = {digest()}
    (notes / "c.txt").symlink_to(tmp_path / "nowhere")
    seen.add(digest())
    assert digest(set_aside="all") in seen
    (notes / "c.txt").unlink()
    (notes / "c.txt").symlink_to("/proc/self/mem")  # of which the first byte cannot be read, whoever asks
    seen.add(digest())
    (notes / "c.txt").unlink()
    (notes / "c.txt").write_text("now it can be read")
    seen.add(digest())
    assert len(seen) == 4
    (tmp_path / "alone.txt").symlink_to(tmp_path / "nowhere")
    with pytest.raises(NotFound, match="broken link"):
        digest(tmp_path / "alone.txt")
    assert digest(tmp_path / "alone.txt", set_aside="all") not in seen
    with pytest.raises(NotFound, match="does not exist"):
        digest(tmp_path / "missing.txt", set_aside="all")


def test_a_folder_of_which_nothing_can_be_read_names_the_first(tmp_path):
    (tmp_path / "a.txt").symlink_to("/proc/self/mem")
    (tmp_path / "b.txt").symlink_to(tmp_path / "nowhere")
    options = {"cache": tmp_path, "hash_file": sha256, "events": silent, "set_aside": "inside"}
    with pytest.raises(BadInput, match=r"no file that can be read: .*b\.txt' is a broken link and 1 more") as caught:
        resolve(str(tmp_path), outside=True, **options)
    assert "mend the link" in caught.value.cure
    with pytest.raises(BadInput, match=r"a\.txt' is a link that leads out of the folder and 1 more") as caught:
        resolve(str(tmp_path), **options)
    assert "a source of its own" in caught.value.cure


def test_the_digest_of_a_folder_that_is_set_aside_from_knows_no_link_that_leads_out(notes, tmp_path):
    options = {"cache": tmp_path, "hash_file": sha256, "events": silent}
    (tmp_path / "key.txt").write_text("a secret")
    (notes / "key.txt").symlink_to(tmp_path / "key.txt")
    source = resolve(str(notes), set_aside="inside", **options)
    followed = resolve(str(notes), **options)  # a model, say, of which nothing is set aside
    (tmp_path / "key.txt").write_text("another")
    assert resolve(str(notes), set_aside="inside", **options) == source
    assert resolve(str(notes), **options).digest != followed.digest
    assert (source.facts, followed.facts) == ({"links": "inside"}, {})


@pytest.mark.parametrize("text", ["ftp://example.org/a.txt", "sftp://host/a.txt", "file://host/a.txt"])
def test_other_schemes_are_refused_with_a_cure(digest, text):
    with pytest.raises(BadRequest, match="are not taken") as caught:
        digest(text)
    assert "download it" in caught.value.cure


def test_a_folder_of_many_files_asks_for_each_digest_once(tmp_path):
    for number in range(300):
        (tmp_path / f"{number}.txt").write_text(str(number))
    asked = []

    def hash_file(path):
        asked.append(path)
        return "0" * 64

    resolve(str(tmp_path), cache=tmp_path, hash_file=hash_file, events=silent)
    assert len(asked) == len(set(asked)) == 300

"""pkg: sources, fetched by the real pip from an index that is a folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time

import pytest

from aictl.core.errors import BadInput, BadRequest, Damaged, MachineLacks, NotFound, TryLater
from aictl.core.events import silent
from aictl.workspace.digests import sha256
from aictl.workspace.sources import NotFetched, may_not_fetch, package, pinned, pip, resolve

DATA = {"corpus/data/a.txt": b"some text", "corpus/__init__.py": b"raise SystemExit('this must not run')"}


@pytest.fixture
def fetch(tmp_path):
    def run(text="pkg:corpus==1.0", **more):
        return resolve(text, cache=tmp_path / "cache", hash_file=sha256, events=silent, **more)

    return run


def test_the_data_of_a_wheel_with_its_sha256(index, make_wheel, fetch):
    wheel = make_wheel(DATA)
    source = fetch()
    assert (source.path / "corpus/data/a.txt").read_bytes() == b"some text"
    assert not (source.path / "corpus/__init__.py").exists()
    assert source.facts["sha256"] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert source.facts["license"] == "MIT"
    assert source.uri == "pkg:corpus==1.0"


def test_what_was_fetched_needs_no_index_again(index, make_wheel, fetch):
    wheel = make_wheel(DATA)
    first = fetch()
    wheel.unlink()
    assert fetch() == first
    assert fetch(f"pkg:Corpus==1.0#sha256={first.facts['sha256']}").digest == first.digest


def test_a_pin_that_does_not_fit_is_damage_and_keeps_nothing(index, make_wheel, fetch, tmp_path):
    make_wheel(DATA)
    with pytest.raises(Damaged, match="was asked for"):
        fetch("pkg:corpus==1.0#sha256=" + "0" * 64)
    assert not (tmp_path / "cache/packages/corpus==1.0").exists()
    fetch()
    with pytest.raises(Damaged, match="was asked for"):
        fetch("pkg:corpus==1.0#sha256=" + "0" * 64)


def test_a_cache_that_somebody_changed_is_fetched_again(index, make_wheel, fetch):
    make_wheel(DATA)
    first = fetch()
    (first.path / "corpus/data/a.txt").write_text("changed")
    again = fetch()
    assert again.digest == first.digest
    assert (again.path / "corpus/data/a.txt").read_bytes() == b"some text"


def test_a_source_distribution_is_refused_and_does_not_run(index, fetch, tmp_path):
    mark = tmp_path / "it-ran"
    project = tmp_path / "evil-1.0"
    project.mkdir()
    (project / "setup.py").write_text(f"open({str(mark)!r}, 'w')\nfrom setuptools import setup\nsetup(name='evil')\n")
    (project / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    with tarfile.open(index / "evil-1.0.tar.gz", "w:gz") as archive:
        archive.add(project, arcname=project.name)
    with pytest.raises(BadRequest, match="a source distribution is refused"):
        fetch("pkg:evil==1.0")
    assert not mark.exists()


def test_an_unknown_version_names_those_that_are_there(index, make_wheel, fetch):
    make_wheel(DATA)
    make_wheel(DATA, version="1.1")
    with pytest.raises(NotFound, match="no corpus==2.0") as caught:
        fetch("pkg:corpus==2.0")
    assert "1.0" in caught.value.cure
    assert "1.1" in caught.value.cure
    with pytest.raises(NotFound, match="no package 'nothing-like-it'"):
        fetch("pkg:nothing-like-it==1.0")


@pytest.mark.parametrize(
    "text", ["pkg:corpus", "pkg:corpus>=1.0", "pkg:corpus==1.*", "pkg:", "pkg:a b==1", "pkg:corpus==1.0#sha256=12"]
)
def test_anything_but_one_exact_version_is_refused(fetch, text):
    with pytest.raises(BadRequest) as caught:
        fetch(text)
    assert "==VERSION" in caught.value.cure


def test_an_index_that_cannot_be_reached_is_try_later(index, fetch, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(TryLater, match="cannot be reached"):
        fetch()


def test_a_wheel_that_is_no_zip_is_damaged(index, make_wheel, fetch, tmp_path):
    make_wheel(DATA).write_bytes(b"<html>proxy login</html>")
    with pytest.raises(Damaged, match="is broken"):
        fetch()
    assert not (tmp_path / "cache/packages/corpus==1.0.json").exists()


def test_a_python_without_pip_says_how_to_get_it(index, fetch, monkeypatch):
    monkeypatch.setattr(pip.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MachineLacks, match="has none") as caught:
        fetch()
    assert caught.value.cure == "python -m ensurepip"


def test_a_wheel_without_data_leaves_nothing_behind(index, make_wheel, fetch, tmp_path):
    make_wheel({"corpus/__init__.py": b""})
    with pytest.raises(BadInput, match="no data files"):
        fetch()
    assert [path.name for path in (tmp_path / "cache/packages").iterdir()] == ["corpus==1.0.lock"]


SCRIPT = """
import sys
from pathlib import Path
from aictl.core.events import silent
from aictl.workspace.digests import sha256
from aictl.workspace.sources import resolve
print(resolve("pkg:corpus==1.0", cache=Path(sys.argv[1]), hash_file=sha256, events=silent).digest)
"""


def test_two_processes_fetch_once_and_agree(index, make_wheel, tmp_path):
    make_wheel(DATA)
    arguments = [sys.executable, "-c", SCRIPT, str(tmp_path / "cache")]
    both = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert outputs[0] == outputs[1] != ""


def test_a_kill_while_fetching_harms_nothing(index, make_wheel, tmp_path, fetch):
    wheel = make_wheel(DATA)
    cache = tmp_path / "cache"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(cache)], start_new_session=True)
    work = cache / "packages" / "corpus==1.0.new"
    deadline = time.monotonic() + 60
    while not work.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    source = fetch()
    assert (source.path / "corpus/data/a.txt").read_bytes() == b"some text"
    assert source.facts["sha256"] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert not work.exists()


def test_what_a_kill_left_half_made_is_cleared(index, make_wheel, fetch, tmp_path):
    make_wheel(DATA)
    packages = tmp_path / "cache" / "packages"
    for place in ("corpus==1.0.new/data", "corpus==1.0/corpus/data"):
        (packages / place).mkdir(parents=True)
        (packages / place / "half.txt").write_text("half")
    source = fetch()
    assert [path.name for path in source.path.rglob("*.txt")] == ["a.txt"]
    shutil.rmtree(source.path)
    assert fetch().digest == source.digest  # the index is there and the data is not


def test_names_are_normalised():
    assert package.parse("pkg:Foo_Bar.baz==1.0") == package.Pin("foo-bar-baz", "1.0", None)


def test_nothing_is_fetched_or_written_where_it_may_not(index, make_wheel, fetch, tmp_path):
    make_wheel(DATA)
    with pytest.raises(NotFetched):
        fetch(before_fetch=may_not_fetch)
    assert not (tmp_path / "cache").exists()
    first = fetch()
    assert fetch(before_fetch=may_not_fetch) == first


def test_a_cache_that_cannot_be_written_names_the_setting(index, make_wheel, fetch, tmp_path):
    make_wheel(DATA)
    (tmp_path / "cache").write_text("a file, where a folder should be")
    with pytest.raises(MachineLacks, match="cannot be written: Not a directory") as caught:
        fetch()
    assert "XDG_CACHE_HOME" in caught.value.cure


def test_where_downloads_are_kept(monkeypatch, tmp_path):
    for name in ("AICTL_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert package.cache_folder() == tmp_path / ".cache/aictl"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert package.cache_folder() == tmp_path / "xdg/aictl"
    monkeypatch.setenv("AICTL_CACHE", str(tmp_path / "mine"))
    assert package.cache_folder() == tmp_path / "mine"


def test_a_pin_is_a_promise_of_bytes_and_a_version_is_not():
    assert pinned("pkg:corpus==1.0") == pinned("hf:org/name@main") == pinned("notes/") == {}
    assert pinned(f"pkg:corpus==1.0#sha256={'AB' * 32}") == {"sha256": "ab" * 32}
    commit = "0123456789" * 4
    assert pinned(f"hf:datasets/org/name@{commit}") == {"repo": "org/name", "repo_type": "dataset", "commit": commit}

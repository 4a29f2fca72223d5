"""What a command costs before it does anything, beside a bare Typer program in the same run."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from tests.bench.measure import Pair, in_turn

HELLO = '''import typer

app = typer.Typer()


@app.command()
def hello(name: str = "world"):
    """Say hello."""
    print(f"hello {name}")


app()
'''
NOTES = 200  # files in the folder that an up-to-date `data prep` looks through
PLUGINS = 50
PEERS = Path(sys.prefix) / "peers"  # made by `make bench` from peers.txt


class Row(NamedTuple):
    """One comparison; ``figures`` is a reason where the peer could not be had."""

    what: str
    peer: str
    figures: Pair | str
    goal: str


def measure(place: Path) -> list[Row]:
    """Every comparison, run in an empty folder."""
    program = [str(Path(sys.executable).parent / "aictl")]
    hello = place / "hello.py"
    hello.write_text(HELLO)
    bare = [sys.executable, str(hello)]
    workspace = _workspace(place, program)
    with_plugins = {"PYTHONPATH": str(_plugins(place))}
    prep = [*program, "data", "prep", "notes", "--name", "notes"]
    typer_help, listing = [*bare, "--help"], [*program, "artifact", "ls"]
    ours_help = [*program, "--help"]
    more = in_turn(ours_help, ours_help, cwd=place, ours_environment=with_plugins)
    return [
        Row(
            "`aictl --help`", "Typer hello `--help`, with rich", in_turn(ours_help, typer_help, cwd=place), "at most 1"
        ),
        Row("`aictl --help`", "`optimum-cli --help`", _beside_optimum(ours_help, place), "at most 1"),
        Row("`aictl artifact ls`", "Typer hello", in_turn(listing, bare, cwd=workspace), "at most 1.3"),
        Row(
            f"up-to-date `data prep` of {NOTES} files", "Typer hello", in_turn(prep, bare, cwd=workspace), "at most 1.3"
        ),
        Row(f"`aictl --help` with {PLUGINS} more plugins", "`aictl --help`", more, "at most 1.2"),
    ]


def _beside_optimum(ours: list[str], place: Path) -> Pair | str:
    optimum, log = PEERS / "bin" / "optimum-cli", PEERS / "pip.log"
    if optimum.exists():
        return in_turn(ours, [str(optimum), "--help"], cwd=place)
    lines = log.read_text("utf-8").splitlines() if log.exists() else []
    errors = [line.partition("ERROR: ")[2] for line in lines if "ERROR: " in line]
    return f"not installed: {errors[-1]}" if errors else f"not installed: `make bench` makes {PEERS}"


def _workspace(place: Path, program: list[str]) -> Path:
    folder = place / "workspace"
    subprocess.run([*program, "init", folder], check=True, capture_output=True)
    (folder / "notes").mkdir()
    for number in range(NOTES):
        (folder / "notes" / f"{number}.txt").write_text(f"Note {number} is about the number {number * 37}. " * 8)
    time.sleep(3)  # until the files are old enough for their digests to be remembered
    subprocess.run([*program, "data", "prep", "notes", "--name", "notes"], cwd=folder, check=True, capture_output=True)
    return folder


def _plugins(place: Path) -> Path:
    site = place / "site"
    for number in range(PLUGINS):
        info = site / f"plugin_{number}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plugin-{number}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f'[aictl.commands]\n"extra.command{number}" = plugin_{number}:command\n')
        (site / f"plugin_{number}.py").write_text('"""Do one more thing."""\n')
    return site

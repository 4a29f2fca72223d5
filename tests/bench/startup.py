"""What a command costs before it does anything, beside a bare Typer program in the same run."""

from __future__ import annotations

import sys
from pathlib import Path

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


def measure(place: Path) -> list[tuple[str, str, Pair, str]]:
    """(what, peer, figures, goal) of each comparison, run in an empty folder."""
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
    rows = [
        ("`aictl --help`", "Typer hello `--help`, with rich", in_turn(ours_help, typer_help, cwd=place), "at most 1"),
        ("`aictl artifact ls`", "Typer hello", in_turn(listing, bare, cwd=workspace), "at most 1.3"),
        (f"up-to-date `data prep` of {NOTES} files", "Typer hello", in_turn(prep, bare, cwd=workspace), "at most 1.3"),
        (f"`aictl --help` with {PLUGINS} more plugins", "`aictl --help`", more, "at most 1.2"),
    ]
    optimum = program[0].removesuffix("aictl") + "optimum-cli"
    if Path(optimum).exists():
        pair = in_turn(ours_help, [optimum, "--help"], cwd=place)
        rows.append(("`aictl --help`", "`optimum-cli --help`", pair, "at most 1"))
    return rows


def _workspace(place: Path, program: list[str]) -> Path:
    import subprocess

    folder = place / "workspace"
    subprocess.run([*program, "init", folder], check=True, capture_output=True)
    (folder / "notes").mkdir()
    for number in range(NOTES):
        (folder / "notes" / f"{number}.txt").write_text(f"Note {number} is about the number {number * 37}. " * 8)
    for _ in range(2):  # the second time the digests are old enough to be remembered
        subprocess.run(
            [*program, "data", "prep", "notes", "--name", "notes"], cwd=folder, check=True, capture_output=True
        )
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

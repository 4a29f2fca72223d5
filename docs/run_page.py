"""Runs the shell commands of a page of the documentation, showing each before it runs it.

    python docs/run_page.py docs/tutorial.md --folder demo

The ``sh`` blocks of the page are one session: a folder that is entered stays entered, a variable
that is set stays set. The first command that fails ends it with its exit code.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
# Shown as a person would have typed it, with the comment above it; run as it stands.
SHOW = r"""
show() {
  if [ -t 1 ]; then printf '\n\033[1;36m$ %s\033[0m\n' "$1"; else printf '\n$ %s\n' "$1"; fi
}
"""


def commands(page: str) -> list[str]:
    """The commands of a page in order; a line that ends in a backslash goes on in the next."""
    found: list[str] = []
    for block in BLOCK.findall(page):
        whole = ""
        for line in block.splitlines():
            whole += line
            if line.endswith("\\"):
                whole += "\n"
            elif whole.strip() and not whole.lstrip().startswith("#"):
                found.append(whole)
                whole = ""
            else:
                whole = ""
    return found


def script(page: str) -> str:
    """The page as one bash script."""
    lines = ["set -euo pipefail", SHOW]
    for command in commands(page):
        quoted = command.replace("'", "'\\''")
        lines += [f"show '{quoted}'", command]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("--folder", type=Path, required=True, help="where to run it; made if it is not there")
    parser.add_argument("--path", type=Path, help="a folder to put before PATH")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ)
    if given.path:
        environment["PATH"] = f"{given.path.absolute()}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script(given.page.read_text("utf-8"))], cwd=given.folder, env=environment, check=False
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())

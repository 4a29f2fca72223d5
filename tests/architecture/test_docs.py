"""What the documentation says of the commands is what they are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from aictl.core import doors

ROOT = Path(__file__).parents[2]


def test_the_command_reference_is_current():
    done = subprocess.run([sys.executable, ROOT / "docs/reference.py", "--check"], check=False)
    assert done.returncode == 0, "run `make docs`"


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md", "docs/plugins.md", "docs/commands.md"])
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text("utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), f"{page}: {target}"


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_every_command_that_a_page_shows_exists(page):
    text = (ROOT / page).read_text("utf-8")
    offered = doors.doors(doors.COMMANDS)
    shown = re.findall(r"^(?:\$ )?aictl ([a-z]+)(?: ([a-z]+))?", text, re.M)
    assert shown
    for first, second in shown:
        assert first in offered or f"{first}.{second}" in offered, f"{page}: aictl {first} {second}"

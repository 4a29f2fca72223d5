"""The customer-service app as a user gets it: from an installed wheel, outside the checkout."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def make(run, scaffolded, installed):
    """Runs a target of the app's own Makefile."""

    def target(name: str) -> str:
        return run(
            "make", name, f"PYTHON={sys.executable}", f"AICTL={sys.executable} -m aictl", cwd=scaffolded, env=installed
        )

    return target


def test_its_own_tests_pass(make):
    out = make("test")
    assert re.search(r"\d{2} passed", out), out


def test_it_answers_through_the_served_model(make):
    out = make("test-model")
    assert "2 passed" in out, out


def test_it_pins_what_this_project_was_tested_with(scaffolded):
    """Its pins are ours: what the app is tested with here is what its image installs."""
    pins = [line for line in (scaffolded / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    ours = (Path(__file__).parents[2] / "constraints.txt").read_text().splitlines()
    assert len(pins) > 10 and set(pins) <= set(ours)


def test_its_lineage_and_edits_are_told(scaffolded, scaffold, run, installed, workspace):
    def aictl(*words: str) -> str:
        return run(sys.executable, "-m", "aictl", *words, cwd=workspace, env=installed)

    lineage = aictl("artifact", "lineage", "helpbot")
    assert "tiny" in lineage and "docs" in lineage
    (scaffolded / "README.md").write_text("mine")
    checked = aictl("artifact", "check", "helpbot")
    assert "edited README.md" in checked
    path = aictl(*scaffold, "--title", "Desk")
    assert (scaffolded / "README.md").read_text() == "mine"
    assert (scaffolded / "README.md.new").read_text().startswith("# Desk")
    assert (Path(path) / "app.json").is_file()


def test_every_key_of_the_page_is_reached(scaffolded):
    """The script asks for elements by their id: each is on the page."""
    script = (scaffolded / "app/static/page.js").read_text()
    page = (scaffolded / "app/static/index.html").read_text()
    for name in re.findall(r'getElementById\("([\w-]+)"\)', script):
        assert f'id="{name}"' in page, name

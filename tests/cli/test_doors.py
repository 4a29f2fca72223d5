"""The plugin door: clashes, broken plugins, and help that imports nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def plugin(place: Path, name: str, entries: str, module: str = "", group: str = "aictl.commands") -> None:
    """An installed distribution, as pip leaves it."""
    info = place / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{entries}\n")
    if module:
        (place / f"{name}.py").write_text(module)


@pytest.fixture
def run(tmp_path: Path, aictl):
    site = tmp_path / "site"
    site.mkdir()

    def call(*words):
        return aictl(*words, cwd=tmp_path, env={"PYTHONPATH": str(site)})

    call.site = site
    return call


WORKING = '''"""Say hello from a plugin."""
from aictl.core.answer import Document
from aictl.core.command import Command
command = Command(run=lambda work: Document({"hello": 1}), workspace="none")
'''


def test_a_plugin_adds_to_a_group_and_makes_one(run):
    plugin(run.site, "greeting", "artifact.greet = greeting:command\nparty.hello = greeting:command", WORKING)
    assert "greet    Say hello from a plugin." in run("artifact", "--help").stdout
    assert "From plugins" in run("--help").stdout and "party" in run("--help").stdout
    assert run("party", "hello", "--json").stdout == '{"hello": 1}\n'


def test_a_name_clash_is_refused_and_names_both(run):
    plugin(run.site, "usurper", "artifact.ls = usurper:command", WORKING)
    done = run("artifact", "ls")
    assert done.returncode == 2 and "aictl" in done.stderr and "usurper" in done.stderr
    assert "refused" in run("artifact", "--help").stdout
    assert run("artifact", "show", "x").returncode == 3  # its neighbours work


def test_a_command_where_a_group_stands_is_a_clash(run):
    plugin(run.site, "usurper", "artifact = usurper:command", WORKING)
    done = run("artifact", "ls")
    assert done.returncode == 2 and "usurper" in done.stderr


def test_a_plugin_that_raises_on_import_lists_and_fails_alone(run):
    plugin(run.site, "broken", "hw.broken = broken:command", '"""Break things."""\nraise RuntimeError("no luck")\n')
    assert "Break things." in run("hw", "--help").stdout
    done = run("hw", "broken")
    assert done.returncode == 4 and "no luck" in done.stderr and "broken 1.0" in done.stderr
    assert "Traceback" not in done.stderr
    assert run("hw", "probe", "--json").returncode == 0
    listed = run("plugin", "ls", "--load").stdout
    assert "RuntimeError: no luck" in listed


def test_a_plugin_that_exits_on_import_fails_alone(run):
    plugin(run.site, "leaver", "hw.leave = leaver:command", '"""Leave."""\nprint("bye")\nraise SystemExit(0)\n')
    done = run("hw", "leave")
    assert done.returncode == 4 and done.stdout == ""
    assert "SystemExit" in run("config", "show").stdout


def test_a_plugin_whose_module_is_missing_lists(run):
    plugin(run.site, "absent", "hw.absent = absent_module:command")
    assert "is missing" in run("hw", "--help").stdout
    assert run("hw", "absent").returncode == 4


def test_help_imports_no_command_and_nothing_heavy(tmp_path):
    script = """
import sys
sys.argv = ["aictl", *sys.argv[1:]]
from aictl.cli.app import main
try:
    main()
except SystemExit as ended:
    assert ended.code == 0, ended.code
heavy = {"torch", "transformers", "onnx", "onnxruntime", "pydantic", "rich", "numpy", "importlib.metadata"}
loaded = sorted(heavy & set(sys.modules)) + [name for name in sys.modules if name.startswith("aictl.commands.")]
print("LOADED", loaded)
"""
    for words in (["--help"], ["data", "--help"], ["artifact", "--help"], ["optimize", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *words], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "LOADED []", words


def test_help_of_a_command_loads_that_one_alone(tmp_path):
    script = """
import sys
sys.argv = ["aictl", "finetune", "lora", "--help"]
from aictl.cli.app import main
try:
    main()
except SystemExit as ended:
    assert ended.code == 0
print("LOADED", sorted(name for name in sys.modules if name.startswith("aictl.commands.") and name.count(".") == 3))
print("HEAVY", sorted({"torch", "transformers", "peft"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["LOADED ['aictl.commands.finetune.lora']", "HEAVY []"]


def test_completion_knows_the_words_and_imports_no_command(tmp_path):
    def complete(line: str) -> set[str]:
        environment = {
            **os.environ,
            "_AICTL_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split()) - (0 if line.endswith(" ") else 1)),
        }
        done = subprocess.run(
            [sys.executable, "-m", "aictl"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        return set(done.stdout.split())

    assert "artifact" in complete("aictl a")
    assert {"ls", "lineage"} <= complete("aictl artifact l")
    assert "--kind" in complete("aictl artifact ls --k")


def test_completion_installs(tmp_path):
    # Typer asks which shell its parent is; a test has none, so it is told.
    environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    words = [sys.executable, "-m", "aictl", "--show-completion", "bash"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False)
    assert "_AICTL_COMPLETE" in done.stdout, done.stderr

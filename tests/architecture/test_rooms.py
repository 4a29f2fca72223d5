"""Short files, named for what they are, that say what they are for; a silent library; no pickles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "plugins").glob("*/src/**/*.py")])
MAX_LINES = 400
NAMELESS = {"utils", "util", "common", "base", "helpers", "helper", "misc", "tools", "shared", "lib"}
COMMANDS = ROOT / "src" / "aictl" / "commands"
MAX_COMMAND_LINES = 120  # a command file is a screenful and its docstring

each_source = pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@each_source
def test_file_is_short(path):
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= (MAX_COMMAND_LINES if COMMANDS in path.parents else MAX_LINES)


@each_source
def test_file_and_its_rooms_have_names(path):
    assert not NAMELESS & set(path.relative_to(ROOT).with_suffix("").parts)


@each_source
def test_file_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


@each_source
def test_nothing_loads_a_pickle_or_runs_a_model_s_code(path):
    tree = ast.parse(path.read_text("utf-8"))
    assert not {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"} & set(imports(tree))
    for name, call in calls(tree):
        given = {word.arg: ast.unparse(word.value) for word in call.keywords}
        if name.endswith("torch.load"):
            assert given.get("weights_only") == "True", f"line {call.lineno}"
        assert given.get("trust_remote_code", "False") == "False", f"line {call.lineno}"
        if name.split(".")[-2:] == ["np", "load"]:
            assert given.get("allow_pickle", "False") == "False", f"line {call.lineno}"


@each_source
def test_library_is_silent(path):
    """Nothing but the command line prints, prompts, reads argv or exits."""
    if (ROOT / "src" / "aictl" / "cli") in path.parents or path.name == "__main__.py":
        return
    spoken = [
        f"line {call.lineno}: {name}"
        for name, call in calls(ast.parse(path.read_text("utf-8")))
        if name in ("print", "input", "exit", "quit", "sys.exit", "os._exit", "logging.basicConfig")
    ]
    assert not spoken
    # The workspace writes into its journal and locks what was typed, so that another can say whom it waits for.
    if (ROOT / "src" / "aictl" / "workspace") not in path.parents:
        assert "sys.argv" not in path.read_text("utf-8")


def test_tests_mirror_the_rooms():
    """tests/<room>/ is about src/aictl/<room>/; what crosses rooms has a name of its own."""
    crossing = {"architecture", "spine", "plugins", "bench", "templates"}
    rooms = {path.name for path in (ROOT / "src" / "aictl").iterdir() if path.is_dir()}
    tested = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.glob("test_*.py"))}
    assert tested - crossing <= rooms

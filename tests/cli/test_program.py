"""The program as a shell sees it: what is on stdout, what on stderr, and the exit code."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    for number in range(40):
        words = " ".join(f"word{number * 7 + step}" for step in range(40))
        (folder / f"note-{number}.txt").write_text(f"Note {number}. {words}.\n")
    return folder


@pytest.fixture
def place(tmp_path: Path, aictl) -> Path:
    assert aictl("init", "w", cwd=tmp_path).returncode == 0
    return tmp_path / "w"


def test_a_command_that_makes_prints_its_path_alone(aictl, place, notes):
    done = aictl("data", "prep", notes, "--name", "docs", cwd=place)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{place}/artifacts/dataset/docs@1\n" and Path(done.stdout.strip()).is_dir()
    assert "made dataset 'docs'" in done.stderr
    again = aictl("data", "prep", notes, "--name", "docs", cwd=place)
    assert (again.stdout, again.stderr) == (done.stdout, "")


def test_json_is_one_document(aictl, place, notes):
    made = json.loads(aictl("data", "prep", notes, "--name", "docs", "--json", cwd=place).stdout)
    assert made["kind"] == "dataset" and made["up_to_date"] is False and Path(made["path"]).is_dir()
    for words in (
        ["artifact", "ls"],
        ["artifact", "show", "docs"],
        ["artifact", "lineage", "docs"],
        ["config", "show"],
    ):
        json.loads(aictl(*words, "--json", cwd=place).stdout)
    rows = json.loads(aictl("artifact", "ls", "--json", cwd=place).stdout)
    assert rows[0]["name"] == "docs@1" and rows[0]["state"] == "fresh"


def test_piped_tables_are_tab_separated(aictl, place, notes):
    aictl("data", "prep", notes, "--name", "docs", cwd=place)
    head, row = aictl("artifact", "ls", cwd=place).stdout.splitlines()
    assert head.split("\t")[:3] == ["kind", "name", "state"] and row.split("\t")[:3] == ["dataset", "docs@1", "fresh"]


def test_one_value(aictl, place, notes):
    aictl("data", "prep", notes, "--name", "docs", cwd=place)
    assert aictl("artifact", "show", "docs", "--get", "command", cwd=place).stdout == "data.prep\n"


def test_events_as_json_lines(aictl, place, notes):
    done = aictl("data", "prep", notes, "--events", "jsonl", cwd=place)
    rows = [json.loads(line) for line in done.stderr.splitlines()]
    assert {"Started", "Finished"} <= {row["event"] for row in rows}
    failed = aictl("data", "prep", "nowhere", "--events", "jsonl", cwd=place)
    row = json.loads(failed.stderr.splitlines()[-1])
    assert row["event"] == "Failed" and row["exit_code"] == failed.returncode == 3


def test_dry_run_touches_nothing(aictl, place, notes):
    before = sorted(place.rglob("*"))
    told = json.loads(aictl("data", "prep", notes, "--name", "docs", "--dry-run", "--json", cwd=place).stdout)
    assert told["up_to_date"] is False and told["would"] == "run" and told["inputs"][0]["is"] == str(notes)
    assert sorted(place.rglob("*")) == before
    aictl("data", "prep", notes, "--name", "docs", cwd=place)
    assert json.loads(aictl("data", "prep", notes, "--dry-run", "--json", cwd=place).stdout)["up_to_date"] is True
    elsewhere = shutil.copytree(notes, place.parent / "elsewhere")
    told = json.loads(aictl("data", "prep", elsewhere, "--dry-run", "--json", cwd=place).stdout)
    assert told["up_to_date"] is True and told["artifact"].endswith("docs@1")
    assert json.loads(aictl("data", "prep", elsewhere, "--json", cwd=place).stdout)["up_to_date"] is True


def test_a_dry_run_of_pruning_says_what_would_go(aictl, place, notes):
    made = aictl("data", "prep", notes, "--json", cwd=place)
    rows = json.loads(aictl("artifact", "prune", "--dry-run", "--json", cwd=place).stdout)
    assert [row["kind"] for row in rows] == ["dataset"] and json.loads(made.stdout)["id"].startswith(rows[0]["id"])
    assert rows == json.loads(aictl("artifact", "prune", "--json", cwd=place).stdout)
    assert json.loads(aictl("artifact", "prune", "--dry-run", "--json", cwd=place).stdout) == []


def test_a_ref_from_stdin(aictl, place, notes):
    made = aictl("data", "prep", notes, cwd=place)
    read = aictl("data", "prep", "-", cwd=place, stdin=made.stdout)
    assert read.returncode == 0, read.stderr
    asjson = aictl("data", "prep", notes, "--json", cwd=place)
    assert aictl("data", "prep", "-", cwd=place, stdin=asjson.stdout).stdout == read.stdout
    empty = aictl("data", "prep", "-", cwd=place, stdin="")
    assert empty.returncode == 2 and "nothing came" in empty.stderr


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["artifact", "show", "nothing"], 3, "no artifact is called 'nothing'"),
        (["artifcat"], 2, "perhaps artifact?"),
        (["artifact", "lss"], 2, "perhaps ls?"),
        (["artifact", "ls", "--nonsense"], 2, "nonsense"),
        (["artifact", "ls", "--kind", "nonsense"], 3, "nonsense"),
        (["artifact", "ls", "--events", "loud"], 2, "--events loud"),
        (["data", "prep"], 2, "aictl data prep: SOURCES is missing"),
        (["data", "prep", "/nowhere/at/all"], 3, "/nowhere/at/all"),
        (["data", "prep", ".", "--validation-fraction", "7"], 2, "--validation-fraction 7"),
        (["artifact", "ls", "--workspace", "/"], 3, "aictl init"),
        (["config", "show", "no", "such"], 3, "no such"),
    ],
)
def test_bad_requests(aictl, place, words, code, says):
    done = aictl(*words, cwd=place)
    assert done.returncode == code and says in done.stderr, done.stderr
    assert done.stdout == "" and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "message", "cure"),
    [
        (["artifact", "ls", "--kimd", "x"], "aictl artifact ls has no option --kimd", "perhaps --kind?"),
        (["artifact", "ls", "--zzz"], "aictl artifact ls has no option --zzz", "aictl artifact ls --help lists"),
        (["artifact", "ls", "-\x1b"], "aictl artifact ls has no option '-\\x1b'", "aictl artifact ls --help lists"),
        (["artifact", "--json", "ls"], "aictl artifact has no option --json", "options stand after a command's name"),
        (["--verison"], "aictl has no option --verison", "perhaps --version?"),
        (["artifact", "ls", "--kind"], "aictl artifact ls: option '--kind' requires", "aictl artifact ls --help"),
        (["artifact", "ls", "--json=3"], "aictl artifact ls: option '--json' does not", "aictl artifact ls --help"),
        (["artifact", "path", "a", "b c"], "aictl artifact path: 'b c' is more than it takes", "aictl artifact path"),
        (["artifact", "rm"], "aictl artifact rm: REFS is missing", "aictl artifact rm --help"),
        (["finetune", "lora"], "aictl finetune lora: CHECKPOINT and DATASET are missing", "aictl finetune lora --help"),
        (["app", "scaffold", "t", "--docs", "d"], "aictl app scaffold: NAME and --model are missing", "aictl app"),
        (["artifact", "lss"], "no command is called 'artifact lss'", "perhaps ls?"),
    ],
)
def test_words_that_cannot_be_read_are_errors_like_any_other(aictl, tmp_path, words, message, cure):
    done = aictl(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    first, second = done.stderr.splitlines()
    assert first.startswith(f"error: {message}") and second.startswith(f"  → {cure}")


@pytest.mark.parametrize("asked", [["--events", "jsonl"], ["--events=jsonl"]])
def test_words_that_cannot_be_read_are_told_as_they_ask_for(aictl, tmp_path, asked):
    for words in (["artifact", "ls", "--nonsense"], ["artifact", "lss"], ["artifact", "rm"]):
        done = aictl(*words, *asked, "--json", cwd=tmp_path)
        row = json.loads(done.stderr)
        assert (row["event"], row["exit_code"], done.returncode, done.stdout) == ("Failed", 2, 2, "")
        assert row["cure"]
    shown = aictl("artifact", "ls", "--nonsense", "--debug", cwd=tmp_path)
    assert "Traceback" in shown.stderr and "error: aictl artifact ls has no option" in shown.stderr


def test_outside_a_workspace(aictl, tmp_path):
    done = aictl("artifact", "ls", cwd=tmp_path)
    assert done.returncode == 3 and "aictl init" in done.stderr
    for words in (["--help"], ["--version"], ["plugin", "ls"], ["config", "show"], ["hw", "probe", "--json"]):
        assert aictl(*words, cwd=tmp_path).returncode == 0, words


def test_the_workspace_can_be_named(aictl, place, notes, tmp_path):
    aictl("data", "prep", notes, "--name", "docs", "--workspace", place, cwd=tmp_path)
    shown = aictl("artifact", "ls", cwd=tmp_path, env={"AICTL_WORKSPACE": str(place)})
    assert "docs@1" in shown.stdout
    inside = place / "deep" / "down"
    inside.mkdir(parents=True)
    assert "docs@1" in aictl("artifact", "ls", cwd=inside).stdout


@pytest.mark.parametrize("said", ['{"path": null}', '{"id": "x"}', "{", '{"path": "a"} {"path": "b"}'])
def test_json_on_stdin_that_names_no_artifact(aictl, place, said):
    done = aictl("artifact", "show", "-", cwd=place, stdin=said)
    assert done.returncode == 2 and "no record with a path" in done.stderr


def test_a_working_folder_that_was_removed(aictl, place, notes, tmp_path):
    gone = tmp_path / "gone"
    for words, code in (
        (["artifact", "ls", "--workspace", f"../{place.name}"], 3),
        (["artifact", "ls"], 3),
        (["init"], 3),
        (["data", "prep", "notes", "--workspace", str(place)], 3),
        (["data", "prep", str(notes), "--workspace", str(place)], 0),
    ):
        gone.mkdir()
        line = f"cd {gone} && rmdir {gone} && {sys.executable} -m aictl {shlex.join(words)}"
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
        assert done.returncode == code, (words, done.stderr)
        assert code == 0 or "the folder you are in is no longer there" in done.stderr


def test_a_bad_toml_key_suggests_the_nearest(aictl, place, notes):
    (place / "aictl.toml").write_text("[data.prep]\nmin_chras = 3\n")
    done = aictl("data", "prep", notes, cwd=place)
    assert done.returncode == 2 and "min_chars" in done.stderr and "aictl.toml" in done.stderr


def test_settings_and_where_they_come_from(aictl, place):
    (place / "aictl.toml").write_text("[data.prep]\nmin_chars = 3\n")
    done = aictl("config", "show", "data", "--changed", cwd=place, env={"AICTL_DATA_PREP_STRICT": "yes"})
    rows = [line.split("\t") for line in done.stdout.splitlines()[1:]]
    assert ["data prep", "min_chars", "3", f"{place}/aictl.toml"] in rows
    assert ["data prep", "strict", "yes", "AICTL_DATA_PREP_STRICT"] in rows


def test_debug_shows_the_traceback(aictl, place):
    assert "Traceback" in aictl("artifact", "show", "nothing", "--debug", cwd=place).stderr


def test_a_closed_pipe_is_quiet(place, notes, aictl):
    aictl("data", "prep", notes, "--name", "docs", cwd=place)
    line = f"{sys.executable} -m aictl config show | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], cwd=place, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "0" and done.stderr == ""


@pytest.mark.parametrize(
    ("stream", "words", "code"),
    [
        ("stdout", ["--help"], 0),
        ("stdout", ["--version"], 0),
        ("stdout", ["artifact", "--help"], 0),
        ("stdout", ["artifact", "ls"], 0),
        ("stdout", ["artifact", "check"], 6),
        ("stderr", [], 2),
        ("stderr", ["artifact", "lss"], 2),
        ("stderr", ["artifact", "show", "nothing"], 3),
        ("stderr", ["artifact", "show", "nothing", "--debug"], 3),
        ("stderr", ["artifact", "show", "nothing", "--events", "jsonl"], 3),
    ],
)
def test_a_reader_who_has_gone_changes_no_exit_code(aictl, place, notes, stream, words, code):
    made = Path(aictl("data", "prep", notes, "--name", "docs", cwd=place).stdout.strip())
    (made / "foreign").write_text("x")
    read, write = os.pipe()
    os.close(read)
    ends = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | {stream: write}
    done = subprocess.run([sys.executable, "-m", "aictl", *words], cwd=place, check=False, text=True, **ends)
    os.close(write)
    assert done.returncode == code and "BrokenPipe" not in f"{done.stdout}{done.stderr}", done


def test_a_full_disk_is_this_machine_and_not_a_bug(place):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "aictl", "config", "show"],
            cwd=place,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 5 and "disk is full" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted(place, tmp_path, number, code):
    read, write = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "aictl", "data", "prep", "-"], cwd=place, stdin=read, stderr=subprocess.PIPE, text=True
    )
    time.sleep(2)
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    os.close(write)
    assert process.returncode == code and "interrupted" in said and "Traceback" not in said


def test_version(aictl, tmp_path):
    from aictl import __version__

    assert aictl("--version", cwd=tmp_path).stdout == f"aictl {__version__}\n"


def test_no_color_and_a_dumb_pipe_have_no_escapes(aictl, tmp_path):
    assert "\x1b" not in aictl("--help", cwd=tmp_path).stdout
    assert "\x1b" not in aictl("artifact", "show", "x", cwd=tmp_path).stderr


def test_unicode_names(aictl, place, tmp_path):
    folder = tmp_path / "注释 и заметки"
    folder.mkdir()
    for number in range(30):
        (folder / f"ñ{number}.txt").write_text(f"Zażółć gęślą jaźń, numer {number}. " * 5)
    done = aictl("data", "prep", folder, "--name", "документы", cwd=place)
    assert done.returncode == 0 and done.stdout.endswith("документы@1\n"), done.stderr
    assert "документы@1" in aictl("artifact", "ls", cwd=place).stdout


def test_nobody_listening_to_progress_does_not_stop_the_work(place, notes):
    line = f"{sys.executable} -m aictl data prep {notes} --name docs 2>&1 >made | head -0; cat made"
    done = subprocess.run(["bash", "-c", line], cwd=place, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("docs@1\n")


def test_a_workspace_that_is_not_there_stops_only_what_needs_one(aictl, tmp_path):
    nowhere = {"AICTL_WORKSPACE": str(tmp_path / "nowhere")}
    assert aictl("plugin", "ls", cwd=tmp_path, env=nowhere).returncode == 0
    assert aictl("init", "new", cwd=tmp_path, env=nowhere).returncode == 0
    assert aictl("artifact", "ls", cwd=tmp_path, env=nowhere).returncode == 3


def test_a_ref_file_and_stdin_name_artifacts_to_every_command(aictl, place, notes):
    made = aictl("data", "prep", notes, "--name", "docs", cwd=place)
    again = aictl("data", "prep", "artifacts/dataset/docs.ref", cwd=place)
    assert again.returncode == 0, again.stderr
    shown = aictl("artifact", "show", "-", "--get", "name", cwd=place, stdin=made.stdout)
    assert shown.stdout == "docs\n", shown.stderr


def test_a_document_in_a_pipe_is_paths_and_values(aictl, place, notes):
    aictl("data", "prep", notes, "--name", "docs", cwd=place)
    rows = dict(line.split("\t") for line in aictl("artifact", "show", "docs", cwd=place).stdout.splitlines())
    assert rows["kind"] == "dataset" and rows["inputs.0.uri"] == str(notes)
    value = aictl("artifact", "show", "docs", "--get", "inputs.0.uri", cwd=place).stdout
    assert value == str(notes) + "\n"
    size = aictl("artifact", "show", "docs", "--get", "files.train-00000.jsonl.size", cwd=place).stdout
    assert size.strip() == rows["files.train-00000.jsonl"]
    for path in ("inputs.\u00b2", "inputs.0x", "kind.x", "kind.", "files.train", ""):
        missed = aictl("artifact", "show", "docs", "--get", path, cwd=place)
        assert missed.returncode == 2 and f"has no '{path}'" in missed.stderr, missed.stderr


def test_words_that_are_empty_or_no_text(aictl, place, notes):
    empty = aictl("data", "prep", "", cwd=place)
    assert empty.returncode == 2 and "SOURCES is empty" in empty.stderr
    odd = aictl("artifact", "show", os.fsdecode(b"\xff"), cwd=place)
    assert odd.returncode == 3 and "Traceback" not in odd.stderr
    nothing = aictl("serve", "docs", "--run", cwd=place)
    assert nothing.returncode == 2 and "--run is given no command" in nothing.stderr


def test_closed_streams(place, notes, aictl):
    aictl("data", "prep", notes, "--name", "docs", cwd=place)
    program = f"{sys.executable} -m aictl"
    for line, said in ((f"{program} artifact path docs 2>&-", "docs@1\n"), (f"{program} artifact ls >&-", "")):
        done = subprocess.run(["bash", "-c", line], cwd=place, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and done.stdout.endswith(said), done.stderr


def test_a_group_alone_shows_its_page_and_is_no_success(aictl, tmp_path):
    done = aictl("artifact", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == "" and "lineage" in done.stderr


def test_one_flipped_bit_is_found_and_listed(aictl, place, notes):
    made = aictl("data", "prep", notes, "--name", "docs", cwd=place)
    path = Path(made.stdout.strip()) / "train-00000.jsonl"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    checked = aictl("artifact", "check", "--json", cwd=place)
    assert checked.returncode == 6 and json.loads(checked.stdout)[0]["state"] == "damaged"

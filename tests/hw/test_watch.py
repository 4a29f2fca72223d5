"""The live view: of this machine, of GPUs that change, and of one that hangs."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

from aictl.hw.watch import picture, watch


def test_processors_and_memory_where_there_is_no_gpu(machine):
    root = machine("amx-pod", {"proc/stat": "cpu  100 0 100 800 0 0 0 0 0 0\n", "proc/loadavg": "1.50 1 1 1/2 3\n"})
    looks = watch(0.1, 2, 1.0, root)
    next(looks)
    (root / "proc/stat").write_text("cpu  130 0 130 840 0 0 0 0 0 0\n")
    sample = next(looks).value
    assert next(looks, None) is None
    assert sample["cpu"] == {"utilization_percent": 60.0, "load_average": 1.5, "threads": 4}
    assert sample["memory"]["used_bytes"] == (67108864 - 60000000) * 1024
    assert sample["accelerators"] == []


def test_a_picture_has_a_bar_a_row_and_the_processes():
    gpu = {
        **{"vendor": "nvidia", "index": 0, "name": "H100", "state": "present", "utilization_percent": 50},
        **{"memory_used_bytes": 2**30, "memory_bytes": 2**31, "power_draw_w": 99.5, "temperature_c": 40},
        "processes": [{"pid": 7, "memory_bytes": 2**30, "name": "python"}],
    }
    sample = {
        "at": "now",
        "cpu": {"utilization_percent": None, "load_average": 0.0, "threads": 1},
        "memory": {"total_bytes": None, "used_bytes": None},
        "accelerators": [gpu, {"vendor": "amd", "pci_id": "1002:1", "state": None}],
    }
    shown = picture(sample)
    rows = shown.sections[1].content.rows
    assert rows[0][2:7] == ("50 %", "█████░░░░░", "1.0/2 GiB", "99.5 W", "40 °C")
    assert shown.sections[2].content.rows == [(7, "nvidia 0", "1 GiB", "python")]
    row = dict(zip(shown.table.columns, shown.table.rows[0], strict=True))
    assert (row["nvidia0_power_draw_w"], row["amd1_power_draw_w"]) == (99.5, None)


def test_a_card_that_changes_is_looked_at_again_and_one_that_hangs_is_not(machine):
    root = machine("mi300x", {"proc/stat": "cpu  1 0 1 8 0 0 0 0 0 0\n"})
    busy = root / "sys/bus/pci/devices/0000:0c:00.0/gpu_busy_percent"
    looks = watch(0.1, 4, 2.0, root)
    assert next(looks).value["accelerators"][0]["utilization_percent"] == 12
    busy.write_text("88")
    assert next(looks).value["accelerators"][0]["utilization_percent"] == 88
    busy.unlink()
    os.mkfifo(busy)
    hung = [{"vendor": "others", "state": "unanswered", "note": "no answer within 2 s"}]
    assert [look.value["accelerators"] for look in looks] == [hung, hung]


def run(nvml, says, *words):
    return subprocess.run(
        [sys.executable, "-m", "aictl", "hw", "probe", "--watch", "--interval-s", "0.2", *words],
        env={**os.environ, **nvml(says)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_gpus_look_after_look(nvml):
    pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    done = run(nvml, "busy", "--count", "2", "--json")
    assert done.returncode == 0
    looks = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(looks) == 2
    for sample in looks:
        first, *_, last = sample["accelerators"]
        assert (first["utilization_percent"], first["power_draw_w"], first["sm_mhz"]) == (97, 121.5, 1980)
        assert first["processes"] == [{"pid": 4242, "memory_bytes": 20 * 2**30, "name": "/usr/bin/python3"}]
        assert (last["name"], last["power_draw_w"], last["state"]) == ("Tesla M4", None, "present")
    heading, *rows = run(nvml, "", "--count", "2").stdout.splitlines()
    assert len(rows) == 2 and all(len(row.split("\t")) == len(heading.split("\t")) for row in rows)
    assert "nvidia0_utilization_percent" in heading.split("\t")


def test_a_gpu_that_hangs_does_not_stop_the_view(nvml):
    pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    done = run(nvml, "hang=1", "--count", "3", "--timeout-s", "1.5", "--json")
    looks = [json.loads(line)["accelerators"] for line in done.stdout.splitlines()]
    assert [[one["state"] for one in look] for look in looks] == [["present", "unanswered", "present", "present"]] * 3
    assert looks[0][1]["utilization_percent"] == 0 and "power_draw_w" not in looks[0][1]


def test_a_lost_gpu_is_shown_as_lost(nvml):
    pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    (look,) = run(nvml, "lost=2", "--count", "1", "--json").stdout.splitlines()
    assert [one["state"] for one in json.loads(look)["accelerators"]] == ["present", "present", "lost", "present"]


def test_ctrl_c_ends_it_with_130_and_nothing_is_left(nvml):
    process = subprocess.Popen(
        [sys.executable, "-m", "aictl", "hw", "probe", "--watch", "--interval-s", "0.1", "--json"],
        env={**os.environ, **nvml()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert json.loads(process.stdout.readline())["cpu"]
    process.send_signal(signal.SIGINT)
    _, complained = process.communicate(timeout=60)
    assert (process.returncode, complained) == (130, "")


def test_a_reader_that_has_seen_enough_ends_it():
    process = subprocess.Popen(
        [sys.executable, "-m", "aictl", "hw", "probe", "--watch", "--interval-s", "0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline().startswith("at\tcpu_percent")
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == ""


def test_on_a_terminal_the_view_is_drawn_in_place():
    screen, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "aictl", "hw", "probe", "--watch", "--interval-s", "0.1", "--count", "3"],
        stdout=terminal,
        stderr=terminal,
        stdin=terminal,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "30"},
    )
    os.close(terminal)
    said, until = b"", time.monotonic() + 60
    while time.monotonic() < until:
        ready, _, _ = select.select([screen], [], [], 1.0)
        try:
            if ready and not (piece := os.read(screen, 65536)):
                break
            said += piece if ready else b""
        except OSError:  # the other side has been closed
            break
    os.close(screen)
    assert process.wait(timeout=60) == 0
    text = said.decode()
    assert text.count("load") >= 3 and "\x1b[1A" in text  # the cursor goes up again to draw over
    assert text.rindex("\x1b[?25h") > text.rindex("load")  # and is shown again in the end


@pytest.mark.parametrize("words", [["--interval-s", "0"], ["--count", "0"], ["--timeout-s", "-1"]])
def test_absurd_settings_are_refused(aictl, tmp_path, words):
    done = aictl("hw", "probe", "--watch", *words, cwd=tmp_path)
    assert done.returncode == 2 and words[0] in done.stderr

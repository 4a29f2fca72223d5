"""The whole benchmark: one document, its charts, what a person and a pipe see of it, and the real program."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from aictl.artifacts.benchmark import PARTS, Benchmark
from aictl.core.errors import Damaged, MachineLacks
from aictl.hw.bench import bench as room
from aictl.hw.bench import charts, disk
from aictl.hw.bench.bench import bench
from aictl.hw.bench.spec import BenchSpec

TINY = {"quick": True, "budget_s": 0.002, "disk_mib": 4, "threads": 1}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Everything but the collectives, which start processes."""
    place = tmp_path_factory.mktemp("bench")
    (place / "made").mkdir()
    (place / "disk").mkdir()
    spec = BenchSpec(**TINY, only="gemm,operators,memory,copies,disk", devices=["cpu"])
    return bench(place / "made", spec, place / "disk")


def test_the_document_has_what_the_planner_reads(made):
    made.check()
    facts = made.facts
    assert set(PARTS) <= set(facts)
    assert facts["machine"]["threads"] >= 1
    assert facts["machine"]["memory_bytes"] > 2**28
    cpu = facts["devices"][0]
    assert cpu["name"] == "cpu"
    assert cpu["flops_per_s"]["fp32"] == max(row["flops_per_s"] for row in cpu["gemm"] if row["dtype"] == "fp32")
    assert cpu["memory_bytes_per_s"] in [row["bytes_per_s"] for row in cpu["bandwidth"] if row["kernel"] == "triad"]
    assert cpu["operator_overhead_s"] > 0
    assert cpu["attention"] and cpu["cross_entropy"] and cpu["runtime_bytes"]["torch"] > 1e8
    assert cpu["copies"] == []
    assert {"path", "filesystem", "pattern", "access", "mode", "block_bytes", "bytes_per_s", "operations_per_s"} <= set(
        facts["disk"][0]
    )
    assert [row["what"] for row in facts["data_sheet"]] == [*cpu["flops_per_s"], "memory"]
    assert facts["collectives"] == []


def test_no_part_leaves_a_file_where_the_disk_was_measured(made):
    assert list((made.folder.parent / "disk").iterdir()) == []
    assert sorted(path.name for path in made.folder.iterdir()) == ["benchmark.json", "roofline-cpu.svg"]


def test_the_roofline_has_a_roof_for_every_format_and_a_point_for_every_product(made):
    device = made.facts["devices"][0]
    chart = charts.roofline(device)
    roofs = [series for series in chart.series if series.style == "line"]
    points = [series for series in chart.series if series.style == "points"]
    assert len(roofs) == len(points) == len(device["flops_per_s"])
    assert sum(len(series.x) for series in points) == len(device["gemm"])
    for roof, rate in zip(roofs, device["flops_per_s"].values(), strict=True):
        assert max(roof.y) == pytest.approx(rate / 1e9)
        assert roof.y[0] == pytest.approx(device["memory_bytes_per_s"] * roof.x[0] / 1e9)
        assert list(roof.x) == sorted(roof.x)
    drawn = ElementTree.parse(made.folder / "roofline-cpu.svg").getroot()
    assert "Roofline of cpu" in [one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text")]


def test_intensity_counts_operands_once_and_a_wider_result():
    square = {"dtype": "fp32", "m": 100, "n": 100, "k": 100}
    assert charts.intensity_of(square) == 2 * 100**3 / (3 * 4 * 100**2)
    assert charts.intensity_of({**square, "dtype": "int8"}) == 2 * 100**3 / ((1 + 1 + 4) * 100**2)


def test_a_person_sees_tables_within_a_hundred_columns(made):
    from aictl.cli.report import lines

    drawn = lines(made.answer().sections, 100, colour=False)
    assert all(len(line) <= 100 for line in drawn), [line for line in drawn if len(line) > 100]
    text = "\n".join(drawn)
    for words in (
        "matrix products in GFLOP/s",
        "attention in GFLOP/s",
        "loss in million logits/s",
        "main memory in GB/s",
        "from cache to memory",
        "Disk:",
        "data sheet",
    ):
        assert words in text


def test_a_pipe_gets_every_figure_on_a_line_with_its_unit(made):
    facts, table = made.facts, made.answer().table
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    cpu = facts["devices"][0]
    count = sum(len(cpu[part]) for part in ("gemm", "attention", "cross_entropy", "bandwidth", "runtime_bytes")) + 1
    assert len(rows) == count + len(facts["disk"]) + len(facts["data_sheet"])
    assert {row["unit"] for row in rows} == {"FLOP/s", "logits/s", "B/s", "B", "s", "of the data sheet"}
    assert json.loads(json.dumps(made.answer().value)) == facts


def test_metrics_and_summary_tell_the_best_of_it(made):
    assert made.metrics["flops_per_s"]["cpu"]["fp32"] > 0
    assert made.metrics["disk_bytes_per_s"]["sequential_read_buffered"] > 0
    assert "cpu" in made.summary and "GFLOP/s" in made.summary


def test_without_room_on_the_disk_nothing_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "_device", lambda *_: pytest.fail("measured although the disk is full"))
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    with pytest.raises(MachineLacks, match="has 1 MiB free"):
        bench(tmp_path, BenchSpec(**TINY), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["[", "[]", '{"machine": {}}'])
def test_a_broken_benchmark_is_damaged(tmp_path, text):
    (tmp_path / "benchmark.json").write_text(text)
    with pytest.raises(Damaged):
        Benchmark(tmp_path).check()


# The program


QUICK = ("hw", "bench", "--quick", "--budget-s", "0.002", "--disk-mib", "4", "--threads", "1")


@pytest.mark.slow
def test_the_program_keeps_a_benchmark_with_both_charts(aictl, project):
    done = aictl(*QUICK, "--name", "here", cwd=project.root)
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip())
    assert {"benchmark.json", "roofline-cpu.svg", "collectives.svg"} <= {path.name for path in folder.iterdir()}
    assert "Collectives of 2 processes over gloo" in done.stderr
    ElementTree.parse(folder / "collectives.svg")
    shown = aictl("artifact", "show", "here", "--get", "metrics.memory_bytes_per_s.cpu", cwd=project.root)
    assert float(shown.stdout) > 0


def test_outside_a_workspace_it_answers_and_keeps_nothing(aictl, tmp_path):
    done = aictl(*QUICK, "--only", "disk", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {row["path"] for row in json.loads(done.stdout)["disk"]} == {str(tmp_path)}
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_exit_5(aictl, tmp_path):
    wanted = shutil.disk_usage(tmp_path).free // 2**20 + 1
    if wanted > 2**20:
        pytest.skip("there is more than a TiB free, and no larger file may be asked for")
    done = aictl("hw", "bench", "--only", "disk", "--disk-mib", str(wanted), cwd=tmp_path)
    assert done.returncode == 5
    assert "MiB free" in done.stderr and "--disk-mib" in done.stderr


def test_a_device_that_is_not_there_is_exit_5(aictl, tmp_path):
    done = aictl("hw", "bench", "--only", "gemm", "--devices", "cuda:77", cwd=tmp_path)
    assert done.returncode == 5
    assert "no device cuda:77" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_killed_while_the_disk_is_measured_it_leaves_no_file(tmp_path, how):
    command = [sys.executable, "-m", "aictl", "hw", "bench", "--only", "disk", "--disk-mib", "64", "--budget-s", "600"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    assert "disk of" in process.stderr.readline()
    time.sleep(0.5)
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_under_torchrun_the_first_process_alone_reports_and_keeps(project):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--rdzv-backend", "c10d"]
    command += ["--rdzv-endpoint", "127.0.0.1:0", "-m", "aictl", *QUICK, "--only", "collectives", "--name", "two"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=project.root, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 1
    assert done.stderr.count("made benchmark") == 1
    facts = Benchmark(Path(lines[0])).facts
    assert {row["ranks"] for row in facts["collectives"]} == {2}
    assert len(list((project.root / "artifacts" / "benchmark").glob("two@*"))) == 1

"""The doctor as it is called: its table, its document, its exit status, and what is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aictl.artifacts.diagnosis import Diagnosis
from aictl.cli.report import lines
from aictl.core.errors import Damaged
from aictl.hw.doctor.checks import CHECKS

NAMES = [check.name for check in CHECKS]


@pytest.fixture
def place(tmp_path, aictl) -> Path:
    assert aictl("init", "w", cwd=tmp_path).returncode == 0
    return tmp_path / "w"


def test_outside_a_workspace_the_findings_are_the_answer(aictl, tmp_path):
    done = aictl("hw", "doctor", "--disk-gib", "0", "--json", cwd=tmp_path)
    document = json.loads(done.stdout)
    assert [one["check"] for one in document["checks"]] == NAMES
    assert done.returncode == document["exit_code"]
    assert document["for"] is None and sum(document["counts"].values()) >= len(NAMES)
    heading, *rows = aictl("hw", "doctor", "--disk-gib", "0", cwd=tmp_path).stdout.splitlines()
    assert heading.split("\t") == ["check", "state", "required", "message", "cure"]
    assert [row.split("\t")[0] for row in rows] == NAMES


def test_a_required_check_that_fails_is_5_and_the_report_is_shown_and_kept(aictl, place):
    done = aictl("hw", "doctor", "--disk-gib", "1e9", "--name", "here", cwd=place)
    assert done.returncode == 5
    assert "and the job needs" in done.stderr
    assert "what to do" in done.stderr and "not fit: disk" in done.stderr
    kept = Path(done.stdout.strip())
    (disk,) = [one for one in json.loads((kept / "diagnosis.json").read_text())["checks"] if one["check"] == "disk"]
    assert (disk["state"], disk["required"]) == ("fails", True)
    assert aictl("artifact", "show", "here", "--get", "metrics.required_failed", cwd=place).stdout.strip() == "1"
    assert aictl("artifact", "check", cwd=place).returncode == 0


def test_a_purpose_decides_what_is_required(aictl, tmp_path, nvml):
    pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    done = aictl("hw", "doctor", "--for", "trt", "--json", cwd=tmp_path, env=nvml("count=0"))
    found = {one["check"]: one for one in json.loads(done.stdout)["checks"]}
    assert done.returncode == 5
    assert found["accelerator driver"]["state"] == "fails"  # TensorRT and no GPU
    assert found["TensorRT"]["required"] and not found["RDMA ports"]["required"]
    wrong = aictl("hw", "doctor", "--for", "cooking", cwd=tmp_path)
    assert wrong.returncode == 2 and "--for" in wrong.stderr


def test_gpus_that_are_unwell(aictl, tmp_path, nvml):
    pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    words = ("hw", "doctor", "--json", "--disk-gib", "0")
    done = aictl(*words, cwd=tmp_path, env=nvml("lost=3 ecc=1 narrow=0 lane busy"))
    found = {one["check"]: one for one in json.loads(done.stdout)["checks"]}
    assert done.returncode == 5
    assert found["accelerator driver"]["message"] == "of 4 GPUs: GPU 3 lost"
    assert found["accelerator health"]["message"].endswith("(GPU 1: 3)")
    assert found["PCIe links"]["message"].startswith("nvidia 0 runs gen5 x8 of 16")
    assert "GPU 0 lane 2" in found["NVLink"]["message"]
    assert found["MIG"]["message"] == "partitioned: GPU 2 in 2"
    hung = aictl(*words, "--timeout-s", "3", cwd=tmp_path, env=nvml("hang=1"))
    (driver, *_) = json.loads(hung.stdout)["checks"]
    assert hung.returncode == 5 and driver["message"] == "NVIDIA's driver does not answer (GPU 1)"


def test_a_folder_that_is_not_there_is_not_found(aictl, tmp_path):
    done = aictl("hw", "doctor", "--path", "nowhere", cwd=tmp_path)
    assert done.returncode == 3 and "nowhere" in done.stderr


def test_the_purpose_can_be_set_in_the_workspace_s_settings(aictl, place):
    (place / "aictl.toml").write_text('[hw.doctor]\nfor = "distributed"\ndisk_gib = 0.0\n')
    shown = json.loads(aictl("hw", "doctor", "--dry-run", "--json", cwd=place).stdout)
    assert shown["options"]["for"]["value"] == "distributed"


def test_a_diagnosis_fits_its_terminal(tmp_path):
    row = {"check": "disk", "required": True, "message": "word " * 40, "cure": "another " * 20}
    rows = [{**row, "state": "fails"}, {**row, "check": "clock", "state": "not applicable"}]
    (tmp_path / "diagnosis.json").write_text(json.dumps({"for": "train", "checks": rows}))
    made = Diagnosis(tmp_path)
    assert (made.exit_code, made.in_a_line()) == (5, "0 pass, 0 warn, 1 fail; not fit for train: disk")
    for width in (80, 120):
        drawn = lines(made.answer().sections, width, colour=False)
        assert drawn[0] == "checks for train" and max(map(len, drawn)) <= width


@pytest.mark.parametrize("text", ["[", "{}", '{"for": null, "checks": [{"state": "so", "required": true}]}'])
def test_a_broken_diagnosis_is_damaged(tmp_path, text):
    (tmp_path / "diagnosis.json").write_text(text)
    with pytest.raises(Damaged):
        Diagnosis(tmp_path).check()

"""Software that is there, and what of it really loads."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from aictl.hw import limited, loading, services, software
from aictl.hw.limited import Reply


def test_the_build_of_torch_is_read_without_importing_it(tmp_path):
    package = tmp_path / "torch"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    script = "import json; from aictl.hw.software import torch_build; print(json.dumps(torch_build()))"

    def build(version):
        (package / "version.py").write_text(version)
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONPATH": f"{tmp_path}:{':'.join(path for path in sys.path if path)}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return json.loads(done.stdout)

    cuda = build(
        "from typing import Optional\n__version__ = '2.9.0+cu128'\n"
        "cuda: Optional[str] = '12.8'\nhip: Optional[str] = None\n"
    )
    assert (cuda["version"], cuda["build"], cuda["cuda"]) == ("2.9.0+cu128", "cuda", "12.8")
    rocm = build("__version__ = '2.9.0+rocm6.4'\ncuda: Optional[str] = None\nhip: Optional[str] = '6.4.43482'\n")
    assert (rocm["build"], rocm["rocm"]) == ("rocm", "6.4.43482")
    assert build("__version__ = '2.9.0+cpu'\ncuda: Optional[str] = None\n")["build"] == "cpu"


def test_a_session_is_opened_with_every_provider_that_is_listed():
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    reply = limited.python("aictl.hw.loading", "tell_providers", timeout_s=120).reply()
    found = software.probe(replies={"providers": reply})["onnxruntime"]
    assert found["asked"] == "answered" and "CPUExecutionProvider" in found["loaded"]
    assert set(found["loaded"]) | set(found["not_loaded"]) == set(found["listed"])


def test_the_model_of_one_operator_is_a_model():
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    model = onnx.load_from_string(loading.identity())
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Identity"]


def test_what_a_library_prints_before_its_answer_is_not_taken_for_it():
    noisy = Reply("answered", 'warning: something\n{"loaded": []}\n')
    assert software.probe(replies={"providers": noisy})["onnxruntime"]["loaded"] == []
    for reply, asked in ((Reply("unanswered", "", "late"), "unanswered"), (Reply("answered", "no"), "failed")):
        assert software.probe(replies={"providers": reply})["onnxruntime"]["asked"] == asked


def test_cuda_and_tensorrt_of_the_system(machine):
    files = {
        "usr/local/cuda/version.json": '{"cuda" : {"name" : "CUDA SDK", "version" : "12.8.1"}, "x": {}}',
        "usr/lib/x86_64-linux-gnu/libnvinfer.so.10": "",
        "etc/os-release": 'NAME="Ubuntu"\nPRETTY_NAME="Ubuntu 24.04 LTS"\n',
    }
    found = software.probe(machine(files))
    assert (found["cuda"]["state"], found["cuda"]["toolkit"]) == ("present", "12.8.1")
    assert found["tensorrt"]["libraries"] == ["libnvinfer.so.10"]
    assert found["system"] == "Ubuntu 24.04 LTS"
    assert software.probe(machine("amx-pod"))["container"] == "kubepods"


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """``programs(docker="echo 1")`` puts shell scripts of these names, and no others, on the path."""

    def make(**scripts):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        for name, script in scripts.items():
            (folder / name.replace("_", "-")).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name.replace("_", "-")).chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))

    return make


def asked(timeout_s=60.0):
    return services.facts({name: one.reply() for name, one in services.ask(timeout_s).items()})


def test_engines_that_run_do_not_run_and_hang(programs):
    programs(docker="echo 27.1", podman="echo 'no daemon' >&2; exit 125", nerdctl="/bin/sleep 600", nvidia_ctk="")
    found = asked(2.0)["containers"]
    assert found["docker"] == {"state": "present", "version": "27.1"}
    assert found["podman"] == {"state": "not running", "note": "no daemon"}
    assert found["nerdctl"] == {"state": "unanswered", "note": "no answer within 2 s"}
    assert found["apptainer"] == {"state": "absent"}
    assert found["nvidia_toolkit"] == {"state": "present"}


def test_clusters_that_are_reached_and_not(programs, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    programs(kubectl='echo \'{"gitVersion": "v1.32.1"}\'')
    assert asked()["kubernetes"]["state"] == "absent"  # no context: nothing is asked
    (tmp_path / "config").write_text('apiVersion: v1\ncurrent-context: "lab"\ncontexts: []\n')
    found = asked()["kubernetes"]
    assert (found["state"], found["context"], found["version"]) == ("reached", "lab", "v1.32.1")
    programs(kubectl="echo 'Unable to connect to the server' >&2; exit 1")
    assert asked()["kubernetes"]["state"] == "not reached"
    programs(kubectl="/bin/sleep 600")
    assert asked(1.5)["kubernetes"]["state"] == "unanswered"


def test_a_pod_knows_its_namespace(machine):
    found = services.facts({}, machine("amx-pod"))["kubernetes"]
    assert (found["inside"], found["namespace"]) == (True, "research")

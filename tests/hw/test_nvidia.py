"""NVIDIA's library, stood in for by one compiled here: the real binding calls real C.

The stand-in has two GPUs; the second answers fewer questions, and some functions are missing, as in
an old driver.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")

STAND_IN = r"""
#include <string.h>
typedef int R;
typedef struct { int number; } *Device;
typedef struct { unsigned long long total, free, used; } Memory;
static struct { int number; } devices[2] = {{0}, {1}};
enum { OK = 0, NOT_SUPPORTED = 3 };

R nvmlInitWithFlags(unsigned flags) { return OK; }
R nvmlInit_v2(void) { return OK; }
R nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(R r) { return "stand-in"; }
R nvmlSystemGetDriverVersion(char *to, unsigned n) { strncpy(to, "570.86.15", n); return OK; }
R nvmlSystemGetCudaDriverVersion(int *v) { *v = 12080; return OK; }
R nvmlDeviceGetCount_v2(unsigned *n) { *n = 2; return OK; }
R nvmlDeviceGetHandleByIndex_v2(unsigned i, Device *d) { *d = (Device)&devices[i]; return OK; }
R nvmlDeviceGetName(Device d, char *to, unsigned n) {
  strncpy(to, d->number ? "Small GPU" : "Test H100", n); return OK; }
R nvmlDeviceGetUUID(Device d, char *to, unsigned n) { strncpy(to, d->number ? "GPU-1" : "GPU-0", n); return OK; }
R nvmlDeviceGetMemoryInfo(Device d, Memory *m) {
  m->total = 85899345920ULL; m->free = 80530636800ULL; m->used = m->total - m->free;
  return d->number ? NOT_SUPPORTED : OK; }
R nvmlDeviceGetCudaComputeCapability(Device d, int *major, int *minor) { *major = 9; *minor = 0; return OK; }
R nvmlDeviceGetPowerManagementLimit(Device d, unsigned *mw) { *mw = 700000; return d->number ? NOT_SUPPORTED : OK; }
R nvmlDeviceGetMigMode(Device d, unsigned *now, unsigned *next) {
  *now = *next = 0; return d->number ? NOT_SUPPORTED : OK; }
"""

SCRIPT = "import json; from aictl.hw import nvidia; print(json.dumps(nvidia.probe()))"


@pytest.fixture
def ask(tmp_path):
    """``nvidia.probe()`` in a process whose loader finds the stand-in first."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to build the stand-in with")

    def run(source):
        (tmp_path / "nvml.c").write_text(source)
        library = tmp_path / "libnvidia-ml.so.1"
        subprocess.run([compiler, "-shared", "-fPIC", "-w", "-o", library, tmp_path / "nvml.c"], check=True)
        environment = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
        result = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        return json.loads(result.stdout)

    return run


def test_two_gpus_of_which_one_says_less(ask):
    found = ask(STAND_IN)
    assert (found["state"], found["driver"], found["cuda"]) == ("present", "570.86.15", "12.8")
    first, second = found["devices"]
    assert first["name"] == "Test H100"
    assert first["memory_bytes"] == 80 * 2**30
    assert first["compute_capability"] == "9.0"
    assert first["power_limit_w"] == 700
    assert first["mig"] is False
    assert first["temperature_c"] is None  # the stand-in lacks the function altogether
    assert second["name"] == "Small GPU"
    assert second["memory_bytes"] is second["power_limit_w"] is second["mig"] is None


def test_a_driver_without_a_gpu_is_absent(ask):
    found = ask(STAND_IN.replace("*n = 2;", "*n = 0;"))
    assert found["state"] == "absent"
    assert found["devices"] == []


def test_a_driver_that_does_not_start_is_a_note(ask):
    found = ask(STAND_IN.replace("(unsigned flags) { return OK; }", "(unsigned flags) { return 9; }"))
    assert set(found) == {"note"}


def test_without_the_binding_there_is_a_note_with_the_install_line(monkeypatch):
    from aictl.hw import nvidia

    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert "aictl[hw]" in nvidia.probe()["note"]

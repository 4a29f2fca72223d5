"""What a process takes before it has a model."""

from __future__ import annotations

import pytest

from aictl.hw.bench import runtime
from aictl.hw.bench.devices import devices


@pytest.fixture(scope="module")
def processor():
    return devices(["cpu"], None, 0.1)[0]


@pytest.mark.slow
def test_it_is_that_of_a_process_with_its_libraries_loaded(processor):
    held = runtime.measure(processor)
    assert 100e6 < held["torch"] < 3e9  # importing torch alone takes 200 MB, CUDA's libraries two more GB
    assert 40e6 < held["onnxruntime"] < held["torch"]


@pytest.mark.slow
def test_what_the_measuring_process_holds_itself_does_not_count(processor):
    held = bytearray(2**30)
    assert runtime.measure(processor)["onnxruntime"] < len(held) / 2


def test_a_runtime_that_is_not_installed_is_left_out(processor, monkeypatch):
    absent = "import sys, no_such_runtime"
    monkeypatch.setattr(runtime, "PROGRAMS", {"absent": absent, "python": "import sys\nsys.stdin.readline()"})
    held = runtime.measure(processor)
    assert list(held) == ["python"]
    assert 2e6 < held["python"] < 60e6

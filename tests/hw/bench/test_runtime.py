"""What a process takes before it has a model."""

from __future__ import annotations

import pytest

from aictl.hw.bench.devices import devices
from aictl.hw.bench.runtime import runtime_bytes


@pytest.mark.slow
def test_it_is_that_of_a_process_with_torch_and_transformers_loaded():
    (processor,) = devices(["cpu"], None, 0.1)
    size = runtime_bytes(processor)
    assert size and 100e6 < size < 3e9  # importing torch alone takes 200 MB, CUDA's libraries two more GB
    assert runtime_bytes(processor._replace(threads=1)) == pytest.approx(size, rel=0.2)

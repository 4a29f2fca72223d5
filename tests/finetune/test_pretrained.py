"""The model under an adapter takes no more memory than its weights."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import pytest
import torch

from aictl.training import language_models, precision
from aictl.training.spec import PrecisionSpec


@pytest.mark.skipif(sys.platform != "linux", reason="what a process maps is read from /proc")
@pytest.mark.parametrize("number_format", ["bf16", "fp32"])
def test_no_page_of_the_file_stays_mapped(checkpoint, number_format):
    gc.collect()  # models of other tests, which map the same file
    model = language_models.load(checkpoint, precision.choose(PrecisionSpec(precision=number_format, device="cpu")))
    mapped = Path("/proc/self/maps").read_text()
    assert not [line for line in mapped.splitlines() if str(checkpoint.folder) in line]
    embeddings, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    tied = model.config.tie_word_embeddings
    assert embeddings.dtype == torch.float32 and (embeddings.data_ptr() == head.data_ptr()) == tied

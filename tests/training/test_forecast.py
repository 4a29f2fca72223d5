from __future__ import annotations

import pytest
import torch
from tests.training.conftest import tiny_model

from aictl.core.errors import MachineLacks
from aictl.training.forecast import Work, forecast
from aictl.training.precision import Compute
from aictl.training.spec import ParallelSpec

CPU = Compute(torch.device("cpu"), "fp32")
LARGE = {
    "model_type": "llama", "vocab_size": 32_000, "hidden_size": 4096, "intermediate_size": 11_008,
    "num_hidden_layers": 32, "num_attention_heads": 32, "max_position_embeddings": 4096,
}  # fmt: skip


def test_parameters_are_those_of_the_model_and_the_parts_add_up():
    model = tiny_model()
    found = forecast(Work(model.config.to_dict(), 4, 16, 10, 1024), CPU, None)
    matrices = sum(p.numel() for p in model.parameters())
    assert found.parameters == pytest.approx(matrices, rel=0.02)
    assert found.trained == found.parameters
    assert sum(size for name, size in found.memory_bytes.items() if name != "total") == found.memory_bytes["total"]
    assert found.tokens == 640
    assert found.seconds == pytest.approx(640 / found.tokens_per_s)
    assert found.fits


def test_on_a_processor_the_process_and_the_copy_of_a_checkpoint_lie_beside():
    found = forecast(Work(LARGE, 1, 512, 10, 512), CPU, None).memory_bytes
    assert found["process"] > 50e6  # torch alone takes more
    assert found["checkpoint"] == pytest.approx(12 * 6.74e9, rel=0.01)  # weights and two moments, all in float32
    adapter = forecast(Work(LARGE, 1, 512, 10, 512, method="lora", rank=16), CPU, None).memory_bytes
    assert adapter["checkpoint"] < found["checkpoint"] / 100


def test_attention_by_blocks_keeps_its_weights():
    bf16 = Compute(torch.device("cpu"), "bf16")
    kept = forecast(Work(LARGE, 8, 128, 10, 1024), bf16, None).memory_bytes["scores"]
    assert kept == 32 * 8 * 128 * 32 * 128 * 6  # layers, positions, heads, keys, and 4 and 2 bytes of each
    longer = forecast(Work(LARGE, 4, 256, 10, 1024), bf16, None).memory_bytes["scores"]
    assert longer == 1.5 * kept  # half of the positions see one block, half see two
    assert forecast(Work(LARGE, 1, 1024, 10, 1024), bf16, None).memory_bytes["scores"] == 0
    padded = forecast(Work(LARGE, 8, 1024, 10, 1024, padded=True), bf16, None).memory_bytes["scores"]
    assert padded == 2.5 * kept  # of two rows with 512 tokens, the longest that are attended to by blocks
    assert forecast(Work(LARGE, 8, 128, 10, 1024), CPU, None).memory_bytes["scores"] == 0


def test_what_cannot_fit_is_refused_with_what_to_lower():
    whole = forecast(Work(LARGE, 8, 4096, 10, 16_384), CPU, 24e9)
    assert whole.memory_bytes["weights"] == pytest.approx(4 * 6.74e9, rel=0.01)
    with pytest.raises(MachineLacks, match=r"would take .* GB") as raised:
        whole.require_room()
    assert "--ignore-memory" in (raised.value.cure or "")
    fewer = forecast(Work(LARGE, 8, 4096, 10, 4096), CPU, 24e9)
    assert fewer.memory_bytes["activations"] == pytest.approx(whole.memory_bytes["activations"] / 4)
    again = forecast(Work(LARGE, 8, 4096, 10, 16_384, recompute=True), CPU, 24e9)
    assert again.memory_bytes["activations"] < whole.memory_bytes["activations"] / 8


def test_an_adapter_takes_far_less():
    bf16 = Compute(torch.device("cpu"), "bf16")
    adapter = forecast(Work(LARGE, 1, 512, 10, 512, method="lora", rank=16), bf16, 24e9)
    assert adapter.trained < 0.01 * adapter.parameters
    assert (
        adapter.memory_bytes["total"] < 0.25 * forecast(Work(LARGE, 1, 512, 10, 512), bf16, 24e9).memory_bytes["total"]
    )
    adapter.require_room()


def test_processes_on_one_cpu_share_its_memory_and_its_speed():
    work = Work(LARGE, 8, 512, 10, 4096)
    alone, two = (forecast(work._replace(parallel=ParallelSpec(nproc=n)), CPU, 24e9) for n in ("1", "2"))
    assert (alone.processes, two.processes) == (1, 2)
    assert two.usable_bytes == alone.usable_bytes / 2
    assert two.memory_bytes["weights"] == alone.memory_bytes["weights"]
    assert two.memory_bytes["activations"] == pytest.approx(alone.memory_bytes["activations"] / 2)
    assert two.tokens == alone.tokens
    assert two.tokens_per_s == pytest.approx(alone.tokens_per_s, rel=0.5)
    assert "no waiting for one another" in two.assumed
    with pytest.raises(MachineLacks, match="in each of 2 processes"):
        two.require_room()


def test_shards_and_tensor_parallel_processes_hold_a_part_each():
    def weights(**options):
        spec = ParallelSpec(nproc="4", **options)
        return forecast(Work(LARGE, 8, 512, 10, 4096, parallel=spec), CPU, None, timed=False).memory_bytes

    assert weights(shard="full")["weights"] == pytest.approx(weights()["weights"] / 4)
    assert weights(shard="full")["optimizer"] == pytest.approx(weights()["optimizer"] / 4)
    assert weights(tensor_parallel=4)["weights"] == pytest.approx(weights()["weights"] / 4, rel=0.01)

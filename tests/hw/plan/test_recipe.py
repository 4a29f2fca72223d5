from __future__ import annotations

import pytest
from tests.planning.test_benched import MACHINE

from aictl.hw.plan.recipe import recipe_of
from aictl.hw.plan.spec import WorkSpec
from aictl.planning.benched import benched
from aictl.planning.catalogue import accelerator
from aictl.planning.layout import Layout
from aictl.planning.memory import training_memory
from aictl.planning.shape import Shape

SHAPE = Shape(layers=4, hidden=256, heads=4, key_value_heads=4, head_width=64, feed_forward=1024, vocabulary=4096)


def processor():
    return benched(MACHINE, "benchmark.json")[0]


@pytest.mark.parametrize(
    ("chip", "options", "attention"),
    [
        ("processor", {"precision": "bf16", "sequence_length": 512}, "blocks"),
        ("processor", {"precision": "bf16", "sequence_length": 513}, "flash2"),
        ("processor", {"precision": "fp32", "sequence_length": 512}, "flash2"),
        ("processor", {"precision": "bf16", "sequence_length": 512, "attention": "unfused"}, "unfused"),
        ("a100-80gb", {"precision": "bf16", "sequence_length": 512, "kernels": "transformers"}, "flash2"),
    ],
)
def test_short_rows_in_bf16_are_attended_to_by_blocks_on_a_processor_alone(chip, options, attention):
    found, _ = recipe_of(
        WorkSpec(batch=4, **options), SHAPE, processor() if chip == "processor" else accelerator(chip), 1
    )
    assert found.attention == attention


def test_blocks_keep_their_weights():
    found, _ = recipe_of(WorkSpec(batch=4, precision="bf16", sequence_length=512), SHAPE, processor(), 1)
    kept = training_memory(SHAPE, found, Layout(microbatch=4)).activations
    flash = training_memory(SHAPE, found._replace(attention="flash2"), Layout(microbatch=4)).activations
    # Four blocks of 128 queries: the means of 128, 256, 384 and 512 keys, of 4 + 2 bytes, by layer, head and token.
    assert kept - flash == pytest.approx(4 * 4 * (4 * 512) * 320 * 6)

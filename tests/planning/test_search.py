"""The search: every layout it offers can be, fits, and is ranked; and where none fits it says what would."""

from __future__ import annotations

import pytest
from tests.bench.planner_serving import LLAMA_8B

from aictl.core.errors import BadRequest
from aictl.planning.advice import changes, overflow
from aictl.planning.catalogue import accelerator
from aictl.planning.constants import SHIPPED
from aictl.planning.layout import Layout, Recipe, check
from aictl.planning.search import divisors, layouts, search
from aictl.planning.shape import Shape

GPT3 = Shape(96, 12288, 96, 51200, 96, 128, 4 * 12288)
MIXTRAL = Shape(32, 4096, 32, 32000, 8, 128, 14336, gated=True, experts=8, experts_per_token=2)
A100, H100 = accelerator("a100-80gb"), accelerator("h100-80gb")


@pytest.mark.parametrize(
    ("shape", "chip", "count", "recipe"),
    [
        (GPT3, A100, 1024, Recipe(2048, 1536)),
        (GPT3, A100, 384, Recipe(2048, 1536)),
        (MIXTRAL, H100, 64, Recipe(4096, 512)),
        (LLAMA_8B, H100, 1, Recipe(4096, 64)),
        (LLAMA_8B, accelerator("tpu-v4"), 256, Recipe(4096, 256)),
        (LLAMA_8B, H100, 96, Recipe(131072, 96)),
    ],
)
def test_every_layout_can_be(shape, chip, count, recipe):
    seen = list(layouts(shape, recipe, chip, count, {}))
    assert len(seen) == len(set(seen)) > 5
    for layout in seen:
        fields = {name: value for name, value in layout._asdict().items() if name != "interleave" or value > 1}
        check(shape, fields, count, recipe.batch)
        assert layout.ranks == count
        assert shape.heads % layout.tensor_parallel == 0
        assert layout.tensor_parallel <= max(16, chip.per_node)
        assert recipe.microbatches(layout) >= layout.pipeline_parallel or layout.pipeline_parallel == 1


def test_what_is_found_fits_and_is_ranked():
    found = search(GPT3, Recipe(2048, 1536), A100, 1024, keep=20)
    totals = [one.step.total for one in found.fitting]
    assert totals == sorted(totals)
    assert len(totals) == 20
    assert all(one.memory.total <= SHIPPED.usable_memory * A100.memory_bytes for one in found.fitting)


def test_what_is_fixed_stays():
    fixed = {"tensor_parallel": 4, "recompute": "full", "sharding": 1, "microbatch": 2}
    found = search(GPT3, Recipe(2048, 1536), A100, 1024, fixed=fixed, keep=5)
    assert found.fitting
    for one in found.fitting:
        assert fixed.items() <= one.layout._asdict().items()


def test_sixteen_thousand_accelerators_are_a_few_thousand_layouts():
    """What a search of so many costs is the number of layouts it looks at."""
    llama = Shape(126, 16384, 128, 128256, 8, 128, 53248, gated=True)
    found = search(llama, Recipe(8192, 2048), H100, 16384)
    assert 50 < found.considered < 20_000
    best = found.fitting[0].layout
    assert best.tensor_parallel == 8
    assert best.pipeline_parallel > 1


def test_small_models_need_no_model_parallelism():
    best = search(LLAMA_8B, Recipe(4096, 512), H100, 8).fitting[0].layout
    assert (best.data_parallel, best.tensor_parallel, best.pipeline_parallel) == (8, 1, 1)


def test_where_nothing_fits_the_tightest_layout_and_every_change_that_helps():
    recipe = Recipe(2048, 1536)
    found = search(GPT3, recipe, A100, 8)
    assert found.fitting == []
    over = overflow(found.tightest, SHIPPED.usable_memory * A100.memory_bytes)
    assert over.over_bytes > 200e9
    assert over.part == "optimizer"
    tried = list(changes(GPT3, recipe, A100, 8, {}))
    more = int(tried[0].options.removeprefix("--count "))
    assert search(GPT3, recipe, A100, more).fitting
    assert not search(GPT3, recipe, A100, more // 2).fitting


def test_one_small_card_is_told_what_would_do():
    card = accelerator("rtx-4090")
    found = [one.options for one in changes(LLAMA_8B, Recipe(2048, 16), card, 1, {})]
    assert any(one.startswith("--count") for one in found)
    assert any(one.startswith("--accelerator") for one in found)


def test_a_fixed_field_that_stands_in_the_way_is_named_first():
    fixed = {"recompute": "none", "microbatch": 16}
    first = next(changes(LLAMA_8B, Recipe(8192, 64), H100, 4, fixed))
    assert "left to choose" in first.what


@pytest.mark.parametrize(
    ("fixed", "said"),
    [
        ({"data_parallel": 3, "tensor_parallel": 2, "pipeline_parallel": 2}, "multiplies to 12"),
        ({"data_parallel": 16}, "data 16 does not divide 8"),
        ({"tensor_parallel": 3}, "does not divide 8"),
        ({"pipeline_parallel": 5}, "does not divide 8"),
        ({"microbatch": 7}, "no multiple of 7"),
        ({"expert_parallel": 2}, "has none"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(fixed, said):
    with pytest.raises(BadRequest, match=said):
        check(LLAMA_8B, fixed, 8, 64)


def test_heads_and_layers_are_cut_evenly():
    with pytest.raises(BadRequest, match="32 heads cannot be cut into 5"):
        check(LLAMA_8B, {"tensor_parallel": 5}, 10, 64)
    with pytest.raises(BadRequest, match="32 layers cannot fill 64 stages"):
        check(LLAMA_8B, {"pipeline_parallel": 64}, 64, 64)


def test_divisors():
    assert divisors(12) == (1, 2, 3, 4, 6, 12)
    assert divisors(1) == (1,)
    assert Layout(data_parallel=2, tensor_parallel=3).ranks == 6

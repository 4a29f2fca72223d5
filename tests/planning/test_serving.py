"""Serving against arithmetic by hand and against published throughputs."""

from __future__ import annotations

import pytest
from tests.bench import planner, planner_serving

from aictl.planning.catalogue import accelerator
from aictl.planning.constants import SERVED, SHIPPED
from aictl.planning.serving import Service
from aictl.planning.shape import Latent, Shape

LLAMA_70B = planner_serving.MODELS["llama-3.1-70b"]
ON_H100 = Service.of(LLAMA_70B, accelerator("h100-80gb"), 4)


def test_the_error_that_every_plan_states_is_that_of_the_rows():
    found = planner.agreement([row.error for row in planner_serving.saturated()])
    assert (found.rows, round(found.median, 3), round(found.worst, 3)) == (SERVED.rows, SERVED.median, SERVED.worst)
    assert found.median <= 0.15
    assert found.worst <= 0.35


@pytest.mark.parametrize("title", planner_serving.TABLES)
def test_the_goals_hold_on_every_table(title):
    errors = [row.error for row in planner_serving.TABLES[title]() if not row.calibrates]
    found = planner.agreement(errors)
    assert found.rows >= 6
    assert found.median <= 0.15
    assert found.worst <= 0.35


def test_multi_head_models_in_static_batches_are_met():
    rows = [row for row in planner_serving.static_batches() if row.what.startswith(("gptj", "llama-7b"))]
    assert max(abs(row.error) for row in rows) <= 0.15


def test_the_shipped_constants_are_their_fit():
    found = planner_serving.fit_serving()
    for name in (name for names, _, _ in planner_serving.FITS for name in names):
        assert getattr(found, name) == pytest.approx(getattr(SHIPPED, name), rel=0.03), name


def test_a_cache_that_each_query_head_reads_anew_is_slower_to_read_but_no_larger():
    repeated = ON_H100._replace(decode_attention="repeated")
    assert repeated.reads_of_cache == pytest.approx(1 + SHIPPED.repeated_reads * 7)  # 8 query heads a group
    assert repeated.requests_at_once(4096) == ON_H100.requests_at_once(4096)
    assert repeated.first_token_s(2048) == ON_H100.first_token_s(2048)
    assert repeated.token_s(64, 2048) > 1.5 * ON_H100.token_s(64, 2048)
    heads = ON_H100._replace(shape=LLAMA_70B._replace(key_value_heads=64))
    assert heads._replace(decode_attention="repeated").token_s(8, 2048) == heads.token_s(8, 2048)
    latent = LLAMA_70B._replace(latent=Latent(512, 64))
    assert repeated._replace(shape=latent).reads_of_cache == 1


def test_an_all_reduce_has_a_rings_latency_once_it_is_no_single_exchange():
    small, large = ON_H100._all_reduce(2**19), ON_H100._all_reduce(2**19 + 2)
    assert large - small == pytest.approx(2 * ON_H100.fabric.gather(0, 4, 4), rel=0.01)
    assert Service.of(LLAMA_70B, accelerator("h200"))._all_reduce(2**20) == 0


def test_requests_at_once_fill_the_room_and_no_more():
    requests = ON_H100.requests_at_once(4096)
    each = LLAMA_70B.cache_bytes_per_token() * 4096
    assert requests * each <= ON_H100.cache_room_bytes < (requests + 1) * each
    assert ON_H100.weights_total_bytes == pytest.approx(2 * 70.6e9, rel=0.01)


def test_a_model_that_does_not_fit_holds_nothing():
    one = Service.of(LLAMA_70B, accelerator("h100-80gb"), 1)
    assert one.cache_room_bytes < 0
    assert one.requests_at_once(1) == 0
    assert one.longest_context() == 0


def test_a_token_costs_at_least_what_has_to_be_read():
    for requests in (1, 16, 128):
        read = ON_H100.weights_total_bytes + requests * 2048 * ON_H100.cache_bytes_per_token
        assert ON_H100.token_s(requests, 2048) > 0.9 * read / 4 / 3350e9


def test_more_requests_are_slower_each_and_faster_in_all():
    times = [ON_H100.token_s(n, 1024) for n in (1, 8, 64, 256)]
    rates = [ON_H100.steady_tokens_per_s(n, 512, 512) for n in (1, 8, 64, 256)]
    assert times == sorted(times)
    assert rates == sorted(rates)


def test_quantised_weights_and_caches_are_smaller_and_faster():
    eight = Service.of(LLAMA_70B, accelerator("h100-80gb"), 4, weights="fp8", cache="fp8")
    four = Service.of(LLAMA_70B, accelerator("h100-80gb"), 4, weights="int4")
    assert four.weights_total_bytes < eight.weights_total_bytes < ON_H100.weights_total_bytes
    assert eight.cache_bytes_per_token == ON_H100.cache_bytes_per_token / 2
    assert eight.token_s(1, 1024) < ON_H100.token_s(1, 1024)


def test_few_tokens_read_few_experts():
    mixtral = Shape(32, 4096, 32, 32000, 8, 128, 14336, gated=True, experts=8, experts_per_token=2)
    one = Service.of(mixtral, accelerator("h100-80gb"), 2)
    assert one.token_s(1, 128) < 0.5 * one.token_s(64, 128)


def test_heads_that_are_fewer_than_accelerators_are_copied():
    shared = Service.of(LLAMA_70B._replace(key_value_heads=2), accelerator("h100-80gb"), 8)
    assert shared.cache_bytes_per_token == 4 * shared.shape.cache_bytes_per_token()
    latent = Shape(61, 7168, 128, 129280, 128, 128, 2048, latent=Latent(512, 64))
    assert Service.of(latent, accelerator("h200"), 8).cache_bytes_per_token == 8 * 61 * 576 * 2

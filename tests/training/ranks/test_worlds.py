from __future__ import annotations

import pytest
import torch

WORLDS = {"ddp": {}, "fsdp": {"shard": "full"}, "tensor": {"tensor_parallel": 2}}

pytestmark = pytest.mark.slow  # each is several processes


def weights(trainers, name: str) -> dict[str, torch.Tensor]:
    return torch.load(trainers.scratch(name) / "weights.pt", weights_only=True)


@pytest.mark.parametrize("world", WORLDS)
def test_the_losses_and_weights_are_those_of_one_process(trainers, world):
    assert trainers.run("one")[0][0] == 0
    said = trainers.run("two", 2, parallel=WORLDS[world])
    assert [code for code, _ in said] == [0, 0], said
    assert "training with 2 processes" in said[0][1]
    trainers.assert_same_curve("one", "two")
    one, two = weights(trainers, "one"), weights(trainers, "two")
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=1e-4)


def test_four_processes_do_two_replicas_each_by_two(trainers):
    assert trainers.run("one")[0][0] == 0
    said = trainers.run("four", 4, parallel=WORLDS["tensor"])
    assert [code for code, _ in said] == [0] * 4, said
    assert "2 to each matrix product and shards over 2" in said[0][1]
    trainers.assert_same_curve("one", "four")


def test_norms_over_parts_of_heads_sum_their_gradients(trainers):
    assert trainers.run("one", qwen=True)[0][0] == 0
    said = trainers.run("two", 2, qwen=True, parallel=WORLDS["tensor"])
    assert [code for code, _ in said] == [0, 0], said
    trainers.assert_same_curve("one", "two")


@pytest.mark.parametrize("world", ["ddp", "fsdp"])
def test_low_rank_changes_of_a_frozen_model_are_learnt_together(trainers, world):
    assert trainers.run("one", lora=True)[0][0] == 0
    said = trainers.run("two", 2, lora=True, parallel=WORLDS[world])
    assert [code for code, _ in said] == [0, 0], said
    trainers.assert_same_curve("one", "two")


def test_tensors_of_low_rank_changes_are_not_cut(trainers):
    said = trainers.run("two", 2, lora=True, parallel=WORLDS["tensor"])
    assert [code for code, _ in said] == [2, 2]
    assert "there is no plan that cuts the matrices of a PeftModel" in said[0][1]


@pytest.mark.parametrize("world", ["ddp", "fsdp"])
def test_processes_with_unlike_shares_and_none_at_all_stay_in_step(trainers, world):
    """Three rows, of which one process has two and the other one; then one row, of which the other has none."""
    for rows in (3, 1):
        assert trainers.run(f"one{rows}", rows=rows, at_once=16, steps=6)[0][0] == 0
        said = trainers.run(f"two{rows}", 2, rows=rows, at_once=16, steps=6, parallel=WORLDS[world])
        assert [code for code, _ in said] == [0, 0], said
        trainers.assert_same_curve(f"one{rows}", f"two{rows}")


@pytest.mark.parametrize("world", ["ddp", "fsdp", "tensor"])
@pytest.mark.parametrize("ranks", [(2, 1), (1, 2)], ids=["2 to 1", "1 to 2"])
def test_another_number_of_processes_goes_on_where_the_first_left_off(trainers, world, ranks):
    assert trainers.run("whole")[0][0] == 0
    before, after = ranks
    parallel = {1: {}, 2: WORLDS[world]}
    said = trainers.run("cut", before, parallel=parallel[before], dies_at=9, who=before - 1, signal=15)
    assert {code for code, _ in said} == {143}, said
    said = trainers.run("cut", after, parallel=parallel[after])
    assert {code for code, _ in said} == {0}, said
    assert "going on from step" in said[0][1]
    trainers.assert_same_curve("whole", "cut")


@pytest.mark.parametrize("world", ["ddp", "fsdp"])
def test_with_dropout_the_same_number_of_processes_ends_bit_for_bit_alike(trainers, world):
    common = {"parallel": WORLDS[world], "dropout": 0.2}
    assert {code for code, _ in trainers.run("whole", 2, **common)} == {0}
    assert {code for code, _ in trainers.run("cut", 2, dies_at=6, who=0, signal=15, **common)} == {143}
    assert {code for code, _ in trainers.run("cut", 2, **common)} == {0}
    whole, cut = weights(trainers, "whole"), weights(trainers, "cut")
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


@pytest.mark.parametrize(
    ("world", "precision"), [("ddp", "fp16"), ("fsdp", "fp16"), ("fsdp", "bf16"), ("tensor", "bf16")]
)
def test_mixed_precision_learns_as_one_process_does(trainers, world, precision):
    assert trainers.run("one", precision=precision)[0][0] == 0
    said = trainers.run("two", 2, precision=precision, parallel=WORLDS[world])
    assert [code for code, _ in said] == [0, 0], said
    one, two = trainers.rows("one"), trainers.rows("two")
    assert two[-1]["held_out_loss"] == pytest.approx(one[-1]["held_out_loss"], rel=0.02)


def test_fp16_is_refused_where_some_gradients_are_parted_and_some_are_not(trainers):
    said = trainers.run("two", 2, precision="fp16", parallel=WORLDS["tensor"])
    assert [code for code, _ in said] == [2, 2]
    assert "--tensor-parallel with fp16" in said[0][1]


def test_tensors_that_cannot_be_divided_are_refused(trainers):
    code, said = trainers.run("one", parallel={"tensor_parallel": 2})[0]
    assert code == 2
    assert "--tensor-parallel 2: 1 process cannot be divided so" in said

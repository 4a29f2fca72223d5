from __future__ import annotations

import signal

import pytest

pytestmark = pytest.mark.slow  # each is several processes


@pytest.mark.parametrize("parallel", [{}, {"shard": "full"}], ids=["ddp", "fsdp"])
def test_when_one_is_killed_the_other_stops_names_it_and_the_run_goes_on_later(trainers, parallel):
    assert trainers.run("whole", 2, parallel=parallel)[0][0] == 0
    processes = trainers.start("cut", 2, parallel=parallel, dies_at=9, who=1, signal=int(signal.SIGKILL))
    (code, said), (killed, _) = trainers.ended("cut", processes)
    assert killed == -signal.SIGKILL
    assert code == 75
    assert "rank 1 of 2 ended in the middle of training" in said
    again = trainers.run("cut", 2, parallel=parallel)
    assert [code for code, _ in again] == [0, 0]
    assert "going on from step" in again[0][1]  # 8, or 4 if what was saved there was not yet whole
    assert trainers.rows("cut") == trainers.rows("whole")


def test_one_that_hangs_is_lost_after_the_time_limit(trainers):
    limit = {"process_timeout_s": 4}
    first, second = trainers.start("run", 2, parallel=limit, dies_at=5, who=1, signal=int(signal.SIGSTOP))
    ((code, said),) = trainers.ended("run", [first])
    assert code == 75
    assert "rank 1 of 2 ended in the middle of training, or hangs" in said
    second.kill()


def test_when_the_first_is_killed_the_others_say_so(trainers):
    processes = trainers.start("run", 2, dies_at=5, who=0, signal=int(signal.SIGKILL))
    (killed, _), (code, said) = trainers.ended("run", processes)
    assert (killed, code) == (-signal.SIGKILL, 75)
    assert "rank 0, or its machine, is gone" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_one_stops_all_after_the_same_step_with_a_checkpoint(trainers, number):
    said = trainers.run("run", 2, every=1000, dies_at=7, who=1, signal=int(number))
    assert [code for code, _ in said] == [128 + number] * 2, said
    (saved,) = trainers.scratch("run").glob("checkpoints/step-*")
    assert [row["step"] for row in trainers.rows("run")][-1] == int(saved.name.removeprefix("step-"))


def test_whoever_does_not_come_is_named(trainers):
    (process,) = trainers.start("run", 3, only=(0,), parallel={"process_timeout_s": 3})
    code, said = trainers.ended("run", [process])[0]
    assert code == 75
    assert "ranks 1, 2 of 3 did not come within" in said


def test_a_checkpoint_with_a_torn_shard_is_not_gone_on_from(trainers):
    parallel = {"shard": "full"}
    assert {code for code, _ in trainers.run("whole", 2, parallel=parallel)} == {0}
    assert {code for code, _ in trainers.run("cut", 2, parallel=parallel, dies_at=9, who=0, signal=15)} == {143}
    newest = max(trainers.scratch("cut").glob("checkpoints/step-*"))
    shard = max(newest.glob("shard-*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    said = trainers.run("cut", 2, parallel=parallel)
    assert [code for code, _ in said] == [0, 0], said
    assert f"checkpoint {newest.name} is torn" in said[0][1]
    assert "going on from step 8 of 12" in said[0][1]
    assert trainers.rows("cut") == trainers.rows("whole")

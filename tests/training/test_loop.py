from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import torch
from safetensors import safe_open

from aictl.core.errors import Interrupted, MachineLacks, WorkFailed
from aictl.core.events import Advanced, Events, silent
from aictl.training.batches import TokenBatch
from aictl.training.loop import fit
from aictl.training.precision import Compute
from aictl.training.spec import LoopSpec, OptimizerSpec


def weights(job) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in job.model.named_parameters()}


def _header(path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return file.metadata()


def interrupt_at(step: int) -> Events:
    def sink(event: object) -> None:
        if isinstance(event, Advanced) and event.task == "train" and event.done == step:
            raise Interrupted(signal.SIGINT)

    return Events(sink)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_the_loss_falls_and_the_record_says_so(job):
    outcome = fit(job(max_steps=60), silent)
    metrics = outcome.metrics()
    assert outcome.held_out_after < outcome.held_out_before - 1
    assert metrics["held_out"]["loss_after"] == outcome.held_out_after
    assert metrics["train"]["loss_last"] < metrics["train"]["loss_first"]
    assert metrics["tokens"] == 60 * 4 * 16
    assert metrics["peak_memory_bytes"] > 50e6  # torch alone takes more
    json.dumps(metrics, allow_nan=False)


def test_what_checkpoints_cost_adds_up_over_an_interruption(job):
    each = LoopSpec(seed=5, evaluate_every=5, checkpoint_every=1)
    with pytest.raises(Interrupted):
        fit(job(loop=each), interrupt_at(6))
    facts = json.loads(_header(max(job().scratch.rglob("state.safetensors")))["facts"])
    outcome = fit(job(loop=each), silent)
    assert 0 < facts["saving_s"] < outcome.saving_s
    assert outcome.metrics()["saving_s"] == round(outcome.saving_s, 3)


def test_history_has_every_step_and_evaluation(job):
    rows = fit(job(max_steps=12), silent).history.rows
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, 13))
    assert [row["step"] for row in rows if "held_out_loss" in row] == [0, 5, 10, 12]


def test_equal_seeds_give_equal_weights(job):
    one, other, third = job("a"), job("b"), job("c", loop=LoopSpec(seed=6, evaluate_every=5))
    for each in (one, other, third):
        each.model.config.attention_dropout = 0.2
        for layer in each.model.model.layers:
            layer.self_attn.attention_dropout = 0.2
        fit(each, silent)
    assert same(weights(one), weights(other))
    assert not same(weights(one), weights(third))


@pytest.mark.parametrize("stop", [1, 5, 7, 12])
def test_an_interrupted_run_ends_bit_for_bit_like_one_that_was_not(job, stop):
    def with_dropout(name):
        made = job(name)
        for layer in made.model.model.layers:
            layer.self_attn.attention_dropout = 0.2
        return made

    whole = with_dropout("whole")
    expected = fit(whole, silent)
    with pytest.raises(Interrupted):
        fit(with_dropout("cut"), interrupt_at(stop))
    resumed = with_dropout("cut")
    outcome = fit(resumed, silent)
    assert same(weights(whole), weights(resumed))
    assert outcome.history.rows == expected.history.rows
    assert outcome.tokens == expected.tokens


def test_an_interrupt_inside_a_step_resumes_from_the_step_before(job):
    whole = job("whole")
    fit(whole, silent)
    cut = job("cut")
    calls = []

    def objective(model: torch.nn.Module, batch: TokenBatch) -> torch.Tensor:
        calls.append(1)
        torch.rand(1)  # the step has drawn random numbers already
        if len(calls) == 12:
            raise KeyboardInterrupt
        from aictl.training.objective import next_token_loss

        return next_token_loss(model, batch)

    with pytest.raises(KeyboardInterrupt):
        fit(job("cut", objective=objective), silent)
    assert list(cut.scratch.glob("checkpoints/step-*/state.safetensors"))
    told: list[object] = []
    fit(cut, Events(told.append))
    assert same(weights(whole), weights(cut))
    assert next(event.done for event in told if isinstance(event, Advanced)) > 0


def test_accumulated_small_batches_equal_one_large_batch(job):
    large = job("large", max_steps=4)
    parts = [large.batches[step] for step in range(4)]

    class Halves:
        def __getitem__(self, position: int) -> TokenBatch:
            batch = parts[position // 2]
            rows = slice(0, 1) if position % 2 == 0 else slice(1, None)  # of unequal size
            inputs, targets = batch.inputs[rows], batch.targets[rows]
            return TokenBatch(inputs, targets, targets.numel())

    small = job("small", max_steps=4, batches=Halves(), optimizer=OptimizerSpec(accumulate=2))
    fit(large, silent)
    fit(small, silent)
    for name, value in weights(large).items():
        torch.testing.assert_close(weights(small)[name], value, rtol=1e-3, atol=1e-5)


def test_a_batch_that_is_cut_to_bound_memory_gives_the_same_gradients(job):
    whole = job("whole", max_steps=4)
    cut = job("cut", max_steps=4, compute=Compute(torch.device("cpu"), "fp32", tokens_at_once=20))
    sizes = []
    cut.model.get_input_embeddings().register_forward_hook(lambda module, given, out: sizes.append(given[0].numel()))
    one, other = fit(whole, silent), fit(cut, silent)
    assert max(sizes) == 16
    assert other.held_out_after == pytest.approx(one.held_out_after, rel=1e-4)
    for name, value in weights(whole).items():
        torch.testing.assert_close(weights(cut)[name], value, rtol=1e-3, atol=1e-5)


def test_a_diverging_run_fails_and_says_at_which_step(job):
    broken = job()

    def objective(model: torch.nn.Module, batch: TokenBatch) -> torch.Tensor:
        return model(input_ids=batch.inputs).logits.sum() * float("nan")

    with pytest.raises(WorkFailed, match="diverged at step 1") as raised:
        fit(job(held_out=broken.held_out, objective=objective), silent)
    assert "--learning-rate" in (raised.value.cure or "")


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_learns_with_float32_weights(job, precision):
    mixed = job(max_steps=40, compute=Compute(torch.device("cpu"), precision))
    outcome = fit(mixed, silent)
    assert outcome.held_out_after < outcome.held_out_before - 0.5
    assert {value.dtype for value in mixed.model.parameters()} == {torch.float32}


def test_fp16_resumes_with_its_loss_scale(job):
    compute = Compute(torch.device("cpu"), "fp16")
    whole = job("whole", compute=compute)
    fit(whole, silent)
    with pytest.raises(Interrupted):
        fit(job("cut", compute=compute), interrupt_at(6))
    resumed = job("cut", compute=compute)
    fit(resumed, silent)
    assert same(weights(whole), weights(resumed))


@pytest.mark.slow
def test_kill_9_resumes_and_ends_the_same(job, tmp_path):
    """A separate process is killed without warning, again and again, until one gets through."""
    program = tmp_path / "train.py"
    program.write_text(
        textwrap.dedent("""
        import sys, time, importlib.util
        from pathlib import Path
        from safetensors.torch import save_file
        spec = importlib.util.spec_from_file_location("shared", sys.argv[1])
        shared = importlib.util.module_from_spec(spec); spec.loader.exec_module(shared)
        import torch
        from aictl.core.events import Advanced, Events
        from aictl.training.loop import Job, fit
        from aictl.training.precision import Compute
        from aictl.training.spec import LoopSpec, OptimizerSpec
        from aictl.training.tokens import PackedBatches, held_out
        scratch, out = Path(sys.argv[2]), Path(sys.argv[3])
        scratch.mkdir(exist_ok=True)
        tokens = shared.counting_tokens()
        job = Job(shared.tiny_model(), PackedBatches(tokens[:1800], 4, 16, seed=3),
                  held_out(tokens[1800:], 4, 16, most=128), 30, 1e-2, OptimizerSpec(),
                  LoopSpec(seed=5, evaluate_every=5, save_every_s=0), Compute(torch.device("cpu"), "fp32"), scratch)
        def sink(event):
            if isinstance(event, Advanced):
                print(int(event.done), flush=True)
                time.sleep(0.02)
        fit(job, Events(sink))
        save_file({n: p.detach().clone() for n, p in job.model.named_parameters()}, out)
        """)
    )
    from pathlib import Path

    conftest = Path(__file__).with_name("conftest.py")

    def start(name: str) -> subprocess.Popen[str]:
        words = [
            sys.executable,
            str(program),
            str(conftest),
            str(tmp_path / name),
            str(tmp_path / f"{name}.safetensors"),
        ]
        return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)

    whole = start("whole")
    whole.communicate(timeout=120)
    assert whole.returncode == 0
    firsts = []
    for kill_after in (4, 3, None):
        process = start("cut")
        assert process.stdout
        firsts.append(int(process.stdout.readline()))
        if kill_after:
            for _ in range(kill_after):
                process.stdout.readline()
            time.sleep(0.005)
            process.kill()
        process.communicate(timeout=120)
    assert firsts[0] == 0
    assert firsts[1] >= 3
    assert firsts[2] > firsts[1]
    from safetensors.torch import load_file

    assert same(load_file(tmp_path / "whole.safetensors"), load_file(tmp_path / "cut.safetensors"))
    assert (tmp_path / "whole/metrics.jsonl").read_text() == (tmp_path / "cut/metrics.jsonl").read_text()


def test_the_best_weights_are_kept_where_that_is_asked_for(job):
    """A rate that is far too high in the end spoils what was learnt before."""
    rising = OptimizerSpec(warmup_fraction=1.0, max_gradient_norm=1e9)
    loop = LoopSpec(seed=5, evaluate_every=5, keep="best", spike_patience=0)
    made = job(max_steps=60, peak_rate=0.9, optimizer=rising, loop=loop)
    outcome = fit(made, silent)
    losses = {row["step"]: row["held_out_loss"] for row in outcome.history.evaluations()}
    assert outcome.kept_step == min(losses, key=lambda step: losses[step]) != 60
    assert outcome.metrics()["held_out"]["loss_after"] == min(losses.values())
    from aictl.training.objective import judged_by, means, next_token_loss

    again = means(made.model, made.held_out, made.compute, judged_by(next_token_loss))["loss"]
    assert again == pytest.approx(min(losses.values()), rel=1e-5)


def test_running_out_of_memory_says_what_to_lower(job):
    def objective(model: torch.nn.Module, batch: TokenBatch) -> torch.Tensor:
        return torch.empty(2**60, dtype=torch.uint8).sum()

    with pytest.raises(MachineLacks, match="out of memory on the cpu") as raised:
        fit(job(objective=objective), silent)
    assert "--tokens-at-once 512" in (raised.value.cure or "")


def test_muon_trains_the_inner_matrices_and_resumes_bit_for_bit(job):
    spec = OptimizerSpec(optimizer="muon")
    whole = job("whole", optimizer=spec, max_steps=40)
    outcome = fit(whole, silent)
    assert outcome.held_out_after < outcome.held_out_before - 1
    with pytest.raises(Interrupted):
        fit(job("cut", optimizer=spec, max_steps=40), interrupt_at(17))
    resumed = job("cut", optimizer=spec, max_steps=40)
    assert fit(resumed, silent).history.rows == outcome.history.rows
    assert same(weights(whole), weights(resumed))


def test_recomputed_activations_give_the_same_weights(job):
    plain, again = job("plain"), job("again", compute=Compute(torch.device("cpu"), "fp32", recompute=True))
    calls = []
    again.model.model.layers[0].input_layernorm.register_forward_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    fit(plain, silent)
    fit(again, silent)
    assert same(weights(plain), weights(again))
    assert sum(calls) == 2 * 12 + 1  # forward and once more on the way back, and once to count what a step costs


def test_what_has_to_stay_true_of_the_weights_is_after_every_step(job):
    name = next(name for name, one in job().model.named_parameters() if one.dim() == 2)
    seen = []

    def constrain(model: torch.nn.Module) -> None:
        weight = model.get_parameter(name).data
        seen.append(bool(weight[0].any()))
        weight[0] = 0

    begun = job(max_steps=3, constrain=constrain)
    fit(begun, silent)
    assert not begun.model.get_parameter(name)[0].any()
    assert len(seen) == 3

"""``hw plan train`` through the program."""

from __future__ import annotations

import json

import pytest

from aictl.cli.report import lines
from aictl.core.events import silent
from aictl.hw.plan.serve import plan_serving
from aictl.hw.plan.spec import AnswerSpec, FinetuneSpec, HardwareSpec, LayoutSpec, ModelSpec, ServeSpec, TrainSpec
from aictl.hw.plan.train import plan_finetuning, plan_training

GPT3 = ("--params", "175e9", "--layers", "96", "--hidden", "12288", "--tokens", "300e9")
GPT3 += ("--accelerator", "a100-80gb", "--count", "1024")


def test_gpt_3_on_1024_a100(aictl, tmp_path):
    done = aictl("hw", "plan", "train", *GPT3, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["days"] == pytest.approx(34, rel=0.35)  # published with the kernels of 2021
    assert plan["accelerator_hours"] == pytest.approx(plan["days"] * 24 * 1024)
    assert plan["mfu"] * 312 == pytest.approx(plan["tflops_per_accelerator"])
    assert plan["tokens_per_s"] * plan["days"] * 86400 * plan["goodput"] == pytest.approx(300e9)
    layout = plan["layout"]
    ranks = (
        layout["data_parallel"] * layout["tensor_parallel"] * layout["pipeline_parallel"] * layout["context_parallel"]
    )
    assert ranks == 1024
    assert sum(plan["step_time_s"].values()) == pytest.approx(plan["step_s"])
    parts = {name: size for name, size in plan["memory_bytes"].items() if name != "total"}
    assert sum(parts.values()) == pytest.approx(plan["memory_bytes"]["total"], rel=1e-6)
    assert plan["memory_bytes"]["total"] < 85e9
    assert len(plan["layouts"]) > 3
    assert [one["days"] for one in plan["layouts"]] == sorted(one["days"] for one in plan["layouts"])
    assert plan["layouts"][0]["days"] >= plan["days"]
    assert any("vocabulary" in one for one in plan["assumed"])


def test_the_software_of_2021_takes_the_time_of_2021(aictl, tmp_path):
    words = [*GPT3, "--attention", "unfused", "--recompute", "full", "--sharding", "0", "--tensor-parallel", "8"]
    words += ["--pipeline-parallel", "8", "--batch", "1536", "--goodput", "1"]
    plan = json.loads(aictl("hw", "plan", "train", *words, "--json", cwd=tmp_path).stdout)
    assert plan["days"] == pytest.approx(34, rel=0.15)
    assert plan["hardware_tflops_per_accelerator"] == pytest.approx(140, rel=0.15)
    assert plan["step_time_s"]["recomputation"] > 0.2 * plan["step_s"]


def test_the_page_fits_a_hundred_columns(aictl, tmp_path):
    assert aictl("init", "w", cwd=tmp_path).returncode == 0
    done = aictl("hw", "plan", "train", *GPT3, "--explain", "--name", "gpt3", cwd=tmp_path / "w")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("gpt3@1")
    assert "time of a step" in done.stderr
    assert "median error is" in done.stderr
    again = aictl("hw", "plan", "train", *GPT3, "--explain", "--name", "gpt3", "--json", cwd=tmp_path / "w")
    assert json.loads(again.stdout)["up_to_date"] is True


def test_by_cost_fewer_accelerators_are_looked_at_too(aictl, tmp_path):
    words = [*GPT3, "--price-per-hour", "2", "--json"]
    by_time = json.loads(aictl("hw", "plan", "train", *words, cwd=tmp_path).stdout)
    by_cost = json.loads(aictl("hw", "plan", "train", *words, "--rank", "cost", cwd=tmp_path).stdout)
    assert by_cost["cost"] < by_time["cost"]
    assert by_cost["days"] > by_time["days"]
    assert by_cost["count"] < by_time["count"] == 1024
    costs = [one["cost"] for one in by_cost["layouts"]]
    assert costs == sorted(costs)
    assert by_time["cost"] == pytest.approx(2 * by_time["accelerator_hours"])
    assert [one["count"] for one in by_time["scaling"]] == [128, 256, 512, 1024, 2048, 4096]


@pytest.mark.parametrize("explain", [False, True])
def test_no_line_of_a_page_is_longer_than_a_hundred_columns(tmp_path, explain):
    answer = AnswerSpec(explain=explain)
    model = ModelSpec(params=175e9, layers=96, hidden=12288)
    hardware = HardwareSpec(accelerator="a100-80gb", count=1024, price_per_hour=2)
    spec = TrainSpec(tokens=300e9, model=model, hardware=hardware, answer=answer)
    small = HardwareSpec(accelerator="t4", count=8)
    pages = [
        plan_training(None, None, spec, tmp_path, events=silent, draws=False).answer(),
        plan_training(None, None, spec.model_copy(update={"hardware": small}), tmp_path, events=silent).answer(),
        plan_finetuning(None, None, FinetuneSpec(model=ModelSpec(params=7e9)), tmp_path, events=silent).answer(),
        plan_serving(
            None, None, ServeSpec(model=ModelSpec(params=7e9), requests_per_s=50), tmp_path, events=silent
        ).answer(),
    ]
    for page in pages:
        drawn = lines(page.sections, 100, colour=False)
        assert len(drawn) > 10
        assert max(map(len, drawn)) <= 100
        assert "None" not in " ".join(drawn)


def test_the_memory_explained_comes_out_of_its_numbers(tmp_path):
    mixture = ModelSpec(layers=32, hidden=4096, feed_forward=14336, gated=True, experts=8)
    for model in (mixture, ModelSpec(params=7e9)):
        answer, hardware = AnswerSpec(explain=True), HardwareSpec(accelerator="h100-80gb", count=64)
        spec = TrainSpec(tokens=1e12, model=model, hardware=hardware, layout=LayoutSpec(sharding=1), answer=answer)
        facts = plan_training(None, None, spec, tmp_path, events=silent, draws=False).facts
        explained = {line["what"]: line["numbers"] for line in facts["explained"]}
        each, held = explained["memory of optimizer"].split(" · ")
        assert float(each) == 12  # an fp32 copy and AdamW's two moments, of experts too
        terms = [term.split(" / ") for term in held.strip("()").split(" + ")]
        total = 12 * sum(float(parameters) / float(ranks) for parameters, ranks in terms)
        assert total == pytest.approx(facts["memory_bytes"]["optimizer"], rel=1e-3)

"""``hw plan serve`` and ``hw plan finetune`` through the program, of files, artifacts and this machine."""

from __future__ import annotations

import json
import shutil

import pytest
from tests.hw.plan.test_refusals import LLAMA
from tests.planning.test_benched import MACHINE

SMALL = LLAMA | {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2}
SMALL |= {"intermediate_size": 768, "vocab_size": 4096, "max_position_embeddings": 1024, "tie_word_embeddings": True}


@pytest.fixture
def planned(aictl, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    (tmp_path / "small.json").write_text(json.dumps(SMALL))
    (tmp_path / "benchmark.json").write_text(json.dumps(MACHINE))

    def plan(*words: str, workspace: bool = False):
        done = aictl("hw", "plan", *words, "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return plan


def test_a_load_needs_replicas_and_costs_money(planned):
    words = ("config.json", "--accelerator", "h100-80gb", "--count", "8", "--weights", "fp8", "--price-per-hour", "3")
    one = planned("serve", *words, "--requests-per-s", "5")
    ten = planned("serve", *words, "--requests-per-s", "50")
    assert ten["replicas"] == pytest.approx(10 * one["replicas"], abs=10)
    assert ten["enough"] is False
    assert one["tokens_per_s"] * one["replicas"] * one["utilisation"] >= 5 * one["output_tokens"]
    hourly = 3 * one["tensor_parallel"] / (one["tokens_per_s"] * one["utilisation"] * 3600) * 1e6
    assert one["cost_per_million_tokens"] == pytest.approx(hourly)
    parts = one["memory_bytes"]
    assert parts["weights"] + parts["cache"] + parts["reserved"] == pytest.approx(parts["total"], rel=1e-6)
    assert parts["total"] <= 85.5e9
    assert [row["requests"] for row in one["at_once"]][:2] == [1, 4]
    assert one["tokens_per_s_per_request"] * one["requests_at_once"] == pytest.approx(one["tokens_per_s"])
    assert one["request_s"] * one["requests_per_s"] == pytest.approx(one["requests_at_once"])
    assert one["request_s"] > one["output_tokens"] * one["token_s"]  # others' prompts come between


def test_fewer_at_once_are_answered_faster(planned):
    few = planned("serve", "config.json", "--concurrency", "4", "--tensor-parallel", "8")
    many = planned("serve", "config.json", "--concurrency", "256", "--tensor-parallel", "8")
    assert few["token_s"] < many["token_s"]
    assert few["tokens_per_s"] < many["tokens_per_s"]
    assert few["first_token_s"] == many["first_token_s"]


def test_an_engine_whose_query_heads_share_nothing_is_slower_with_the_same_memory(planned):
    on = ("serve", "config.json", "--tensor-parallel", "8")
    today, once = planned(*on), planned(*on, "--decode-attention", "repeated")
    assert (today["decode_attention"], once["decode_attention"]) == ("grouped", "repeated")
    assert once["tokens_per_s"] < today["tokens_per_s"]
    assert once["memory_bytes"] == today["memory_bytes"]


def test_qlora_fits_where_lora_and_full_training_do_not(planned):
    on = ("config.json", "--accelerator", "a100-80gb", "--count", "1")
    fits = {method: planned("finetune", *on, "--method", method)["fits"] for method in ("full", "lora", "qlora")}
    assert fits == {"full": False, "lora": False, "qlora": True}


def test_adapters_are_sharded_over_a_node(planned):
    plan = planned("finetune", "config.json", "--accelerator", "a100-80gb", "--count", "8", "--method", "lora")
    assert plan["layout"]["sharding"] == 3
    assert plan["layout"]["tensor_parallel"] == 1
    assert plan["trained"] < 0.01 * plan["model"]["parameters"]
    assert plan["memory_bytes"]["optimizer"] < 0.05 * plan["memory_bytes"]["weights"]


def test_this_machine_as_benched(planned):
    plan = planned("train", "small.json", "--machine", "benchmark.json", "--tokens", "1e6")
    assert plan["accelerator"]["name"] == "here"
    assert plan["accelerator"]["is"] == "A Processor"
    assert plan["precision"] == "bf16"  # the faster of the two here
    assert plan["count"] == 1
    assert plan["mfu"] < 1
    served = planned("serve", "small.json", "--machine", "benchmark.json")
    assert served["first_token_s"] > 0
    assert served["accelerator"]["memory_bytes_per_s"] == 20e9


def test_an_artifact_is_planned_as_its_configuration_is(aictl, planned, tmp_path, monkeypatch):
    """A checkpoint made by another verb's hand is taken by its name."""
    from aictl.artifacts.checkpoint import Checkpoint
    from aictl.testing.workspace import Bench

    bench = Bench(tmp_path / "w")
    folder = bench.folder("made")
    (folder / "config.json").write_text(json.dumps(SMALL))
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    bench.keep(Checkpoint(folder), "small")
    shutil.copyfile(tmp_path / "benchmark.json", bench.root / "benchmark.json")
    words = ("hw", "plan", "train", "small", "--tokens", "1e6", "--count", "1", "--name", "p")
    done = aictl(*words, cwd=bench.root)
    assert done.returncode == 0, done.stderr
    assert "256" in done.stderr
    made = json.loads((bench.root / "artifacts" / "plan" / "p@1" / "plan.json").read_text())
    same = planned("train", "small.json", "--tokens", "1e6", "--count", "1")
    assert made["days"] == same["days"]
    assert aictl("artifact", "lineage", "p", cwd=bench.root).stdout.count("small") >= 1


def test_the_plot_is_no_part_of_what_a_plan_is(aictl, tmp_path):
    from aictl.artifacts.plan import Plan
    from aictl.core.events import silent
    from aictl.hw.plan.spec import ModelSpec, TrainSpec
    from aictl.hw.plan.train import plan_training

    spec = TrainSpec(tokens=1e9, model=ModelSpec(params=1e8))
    ids = []
    for name, draws in (("drawn", True), ("plain", False)):
        folder = tmp_path / name
        folder.mkdir()
        plan = plan_training(None, None, spec, folder, events=silent, draws=draws)
        files = {path.name: {"sha256": str(hash(path.read_bytes())), "size": 1} for path in folder.iterdir()}
        ids.append(plan.content(files))
        assert isinstance(plan, Plan)
    assert ids[0] == ids[1]


def test_without_matplotlib_the_plan_says_so(tmp_path, monkeypatch):
    from aictl.core.events import Events
    from aictl.hw.plan import chart
    from aictl.hw.plan.spec import ModelSpec, TrainSpec
    from aictl.hw.plan.train import plan_training

    monkeypatch.setattr(chart, "find_spec", lambda name: None)
    told = []
    plan_training(None, None, TrainSpec(model=ModelSpec(params=1e8)), tmp_path, events=Events(told.append))
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]
    assert "aictl[plots]" in str(told[0])

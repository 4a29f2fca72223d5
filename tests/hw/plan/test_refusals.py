"""What ``hw plan`` refuses, with its exit code and its cure, and what it says where nothing fits."""

from __future__ import annotations

import json

import pytest

LLAMA = {
    "model_type": "llama",
    "hidden_size": 8192,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "intermediate_size": 28672,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": False,
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    (tmp_path / "broken.json").write_text('{"model_type": "llama"')
    (tmp_path / "odd.json").write_text(json.dumps(LLAMA | {"num_attention_heads": 63}))
    return tmp_path


@pytest.mark.parametrize(
    ("words", "code", "said", "cure"),
    [
        ("train", 2, "no model", "--params 7e9"),
        ("train --params 0", 2, "greater than 0", "help"),
        ("train --params 7e9 --tokens 1e-300", 2, "greater than or equal to 1", "help"),
        ("train --params 7e9 --count 16 --network-bytes-per-s 1e-300", 2, "greater than or equal to 1", "help"),
        ("train --params 7e9 --price-per-hour 1e308", 2, "less than or equal to 1000000000", "help"),
        ("train --params 7e9 --goodput 1e-320", 2, "greater than or equal to 0.001", "help"),
        ("serve --params 7e9 --requests-per-s 1 --utilisation 1e-320", 2, "greater than or equal to 0.001", "help"),
        ("train --params 1e40", 2, "not the size of a language model", "7e9"),
        ("train --params 7e9 --accelerator h10", 2, "no accelerator 'h10'", "h100-80gb"),
        ("train --params 7e9 --network wifi", 2, "no link 'wifi'", "ib-hdr"),
        ("train --params 7e9 --accelerator here", 2, "this machine as benched", "--machine"),
        (
            "train --params 7e9 --data-parallel 3 --tensor-parallel 2 --pipeline-parallel 2",
            2,
            "multiplies to 12",
            "change one",
        ),
        ("train --params 7e9 --tensor-parallel 3", 2, "does not divide 8", "--count"),
        ("train --params 1e9 --layers 2 --hidden 16000", 2, "--params says 1e\\+09", "correct one"),
        ("train config.json --params 8e9", 2, "MODEL has a shape of its own", "leave one"),
        ("train broken.json", 2, "cannot be read as JSON", ""),
        ("train odd.json", 2, "63 heads do not divide", ""),
        ("train absent.json", 3, "does not exist", ""),
        ("train --params 7e9 --accelerator t4 --precision bf16", 2, "has no bf16", "fp16"),
        ("train config.json --accelerator t4 --count 4 --if-fits", 5, "fits on no layout", "--count"),
        ("train --params 1e15 --count 1000000 --if-fits", 5, "gathered weights take", ""),
        ("finetune config.json --accelerator t4 --count 1 --if-fits", 5, "fits on no layout", "--"),
        ("serve config.json --accelerator l4 --count 1 --if-fits", 5, "fits on no replica", "--count 8"),
        ("serve config.json --tensor-parallel 16", 2, "there are 8", ""),
        ("serve config.json --accelerator a100-80gb --weights fp8", 2, "has no fp8", "int8"),
    ],
)
def test_refusal(aictl, folder, words, code, said, cure):
    done = aictl("hw", "plan", *words.split(), cwd=folder)
    assert done.returncode == code, done.stdout + done.stderr
    error = " ".join(done.stderr.split())
    assert said.replace("\\", "") in error
    assert cure in error
    assert done.stdout == ""


def test_what_does_not_fit_is_a_plan_that_says_so(aictl, folder):
    done = aictl("hw", "plan", "train", "config.json", "--accelerator", "l4", "--count", "4", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["fits"] is False
    assert plan["tightest"]["over_bytes"] > 1e11
    assert plan["tightest"]["part"] == "optimizer"
    more = [one["options"] for one in plan["changes"] if one["options"].startswith("--count")]
    then = ["hw", "plan", "train", "config.json", "--accelerator", "l4", *more[0].split(), "--json", "--if-fits"]
    assert aictl(*then, cwd=folder).returncode == 0

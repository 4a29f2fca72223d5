from __future__ import annotations

import pytest

from aictl.cli.report import lines
from aictl.commands.model.show import command
from aictl.core.errors import Damaged, NotFound, WrongKind


@pytest.fixture
def show(bench):
    return lambda ref: bench.run_command(command, path="model.show", ref=ref).answer


def test_a_checkpoint_by_its_headers_configuration_and_tokenizer(show):
    value = show("base").value
    assert value["parameters"] == 92
    assert value["dtypes"] == {"BF16": 88, "F32": 4}
    assert value["parts"] == [
        {"name": "model.layers", "copies": 2, "parameters": 48},
        {"name": "model.embed_tokens", "copies": 1, "parameters": 40},
        {"name": "model.norm", "copies": 1, "parameters": 4},
    ]
    assert value["shape"] == {"layers": 2, "vocabulary": 10}
    assert value["text"]["special_tokens"] == {"eos_token": "t1"}
    assert value["text"]["chat_template_characters"] == len("{{ messages }}")
    assert value["metrics"]["perplexity"] == 12.5
    assert value["files"]["tokenizer.json"] > 0
    uses = [one["command"] for one in value["uses"]]
    assert "aictl finetune lora base CHATS --name NAME" in uses and "aictl export onnx base --name NAME" in uses


def test_an_adapter_has_the_text_of_its_base(show):
    value = show("support").value
    assert value["base"] == "base"
    assert value["adapter"] == {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 2, "target_modules": ["up_proj"]}
    assert value["text"]["tokens"] == 10


def test_an_adapter_without_its_base_is_shown_without_its_text(show, remove):
    remove("base")
    value = show("support").value
    assert value["base"] == "(removed)" and "text" not in value


def test_a_graph_says_what_it_takes_and_gives(show, bench, graph):
    bench.keep(graph, name="digits")
    value = show("digits").value
    assert value["signature"]["inputs"] == [{"name": "image", "type": "float32", "shape": ("batch", 8, 8, 1)}]
    assert value["operators"] == {"Reshape": 1, "MatMul": 1}
    assert value["dtypes"] == {"float32": 640, "int64": 2}
    assert value["opset"] == 18
    assert not any("generate" in one["command"] for one in value["uses"])


def test_it_is_drawn_for_a_person(show, bench, graph):
    bench.keep(graph, name="digits")
    for name in ("base", "support", "digits"):
        text = "\n".join(lines(show(name).sections, 100, colour=False))
        assert f"'{name}'" in text and "What next" in text
    text = "\n".join(lines(show("base").sections, 100, colour=False))
    assert "text-generation (a model that goes on with a text)" in text
    assert ["model.layers", "2", "48", "52.2%"] in [line.split() for line in text.splitlines()]


def test_what_is_no_model_is_refused(show):
    with pytest.raises(WrongKind, match="'docs' is of kind dataset"):
        show("docs")
    with pytest.raises(NotFound):
        show("nothing")


def test_damage_is_told(show, bench):
    (bench.root / "artifacts/checkpoint/base@1/config.json").write_text("{")
    with pytest.raises(Damaged, match=r"config\.json"):
        show("base")

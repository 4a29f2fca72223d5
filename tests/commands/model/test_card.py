from __future__ import annotations

import json

import pytest

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.page import Page
from aictl.commands.model.card import command
from aictl.core.command import Command, Takes
from aictl.core.errors import BadInput, BadRequest, MachineLacks, NotFound

hub = pytest.importorskip("huggingface_hub", reason="a card needs the extra hub")


@pytest.fixture
def card(bench):
    def card(ref, **options):
        return bench.run_command(command, path="model.card", ref=ref, **options).answer

    return card


def test_the_hub_reads_its_front_matter(card):
    read = hub.ModelCard(card("base", license="Apache-2.0", language=["en", "de"]).text)
    data = read.data
    assert (data.license, data.language, data.library_name) == ("apache-2.0", ["en", "de"], "transformers")
    assert (data.pipeline_tag, data.tags) == ("text-generation", ["aictl"])
    assert data.base_model is None and data.datasets is None  # neither is known to the hub
    assert {(one.metric_name, one.metric_value) for one in data.eval_results} == {
        ("perplexity", 12.5),
        ("held_out.loss_after", 2.5),
    }
    assert {(one.dataset_name, one.dataset_split) for one in data.eval_results} == {("docs", "validation")}


def test_it_tells_what_the_model_was_made_from_and_with_which_options(card, bench):
    text = card("support").text
    assert "## What it was made from" in text
    for name in ("base", "support", "docs"):
        assert f"**{name}**" in text
    assert "| steps | 3 |" in text
    assert "`aictl train` made checkpoint **base**" in text and "python 3." in text
    assert "It is nothing without its base, base." in text
    assert "| `perplexity` | 9 |" in text
    assert "PeftModel" in text


def test_what_nobody_has_recorded_is_said_to_be_unknown(card):
    text = card("base").text
    assert "| licence | not recorded |" in text and "| languages | not recorded |" in text
    assert "No evaluation on data that had no part in making it is recorded." in text
    assert "Bias, safety and behaviour under attack: nothing is recorded" in text
    assert "license" not in hub.ModelCard(text).data.to_dict()


def test_nothing_of_this_machine_but_its_processor_is_told(card, bench):
    import platform

    text = card("base").text
    assert str(bench.root) not in text and (len(platform.node()) < 4 or platform.node() not in text)


def test_an_evaluation_brings_its_figures_with_their_intervals(card, bench):
    def evaluate(work):
        (work.folder / "index.html").write_text("<!doctype html>")
        return Page(work.folder, metrics={"accuracy": {"value": 0.9, "low": 0.85, "high": 0.94}, "loss": 0.3})

    takes = [Takes("model", (Checkpoint,), help="m"), Takes("dataset", (Dataset,), help="d")]
    made = Command(run=evaluate, takes=takes, makes=(Page,))
    bench.run_command(made, {"model": "base", "dataset": "docs"}, path="evaluate")
    text = card("base").text
    assert "Measured by `aictl evaluate` on **docs**" in text
    assert "| `accuracy` | 0.9 (0.85 to 0.94) |" in text
    data = hub.ModelCard(text).data
    assert {"accuracy", "loss"} <= set(data.metrics)
    accuracy = next(one for one in data.eval_results if one.metric_name == "accuracy")
    assert accuracy.metric_args == {"interval": [0.85, 0.94]}


@pytest.mark.parametrize(
    ("given", "license", "name"),
    [
        ("MIT License", "mit", None),
        ("Our Own Licence, v2", "other", "our-own-licence-v2"),
        ("gemma", "gemma", None),
    ],
)
def test_a_licence_that_the_hub_does_not_know_gets_a_name(card, given, license, name):
    data = hub.ModelCard(card("base", license=given).text).data
    assert (data.license, data.license_name) == (license, name)


def test_a_description_stands_first_and_may_be_any_markdown(card, tmp_path):
    (tmp_path / "about.md").write_text("It answers for a *shop*.\n")
    text = card("base", description=tmp_path / "about.md", title="Shop | model: one").text
    assert "# Shop | model: one\n\nIt answers for a *shop*.\n" in text
    assert hub.ModelCard(text).data.model_name == "Shop | model: one"


def test_it_is_written_where_it_is_wanted_and_nothing_is_lost(card, tmp_path):
    out = tmp_path / "README.md"
    answer = card("base", out=out)
    assert answer.text == str(out) and out.read_text() == card("base").text
    card("base", out=out)  # the same again changes nothing
    out.write_text("by hand")
    with pytest.raises(BadRequest, match="says something else"):
        card("base", out=out)
    assert out.read_text() == "by hand"
    card("base", out=out, overwrite=True)
    assert out.read_text().startswith("---\n")
    with pytest.raises(MachineLacks):
        card("base", out=tmp_path / "not" / "there.md")
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


@pytest.mark.parametrize(
    ("content", "error"), [(None, NotFound), (b"\xff\xfe\x00", BadInput), (b"---\nlicense: mit\n---\n", BadInput)]
)
def test_a_description_that_is_none_is_refused(card, tmp_path, content, error):
    path = tmp_path / "about.md"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match="--description"):
        card("base", description=path)


def test_a_language_that_is_none_is_refused(card):
    with pytest.raises(BadRequest, match="--language english"):
        card("base", language=["english"])


def test_of_every_kind_there_is_a_card(card, bench, graph, remove):
    bench.keep(graph, name="digits")
    assert "onnxruntime" in card("digits").text
    remove("base")
    assert "It is nothing without its base, (removed)." in card("support").text


def test_as_it_is_typed(aictl, bench):
    done = aictl("model", "card", "base", "--license", "mit", "--language", "en,de", cwd=bench.root)
    assert done.returncode == 0, done.stderr
    assert hub.ModelCard(done.stdout).data.language == ["en", "de"]
    value = json.loads(aictl("model", "card", "base", "--json", cwd=bench.root).stdout)
    assert value["metadata"]["pipeline_tag"] == "text-generation" and value["card"].startswith("---\n")

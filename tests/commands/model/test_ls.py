from __future__ import annotations

import pytest

from aictl.commands.model.ls import command


@pytest.fixture
def ls(bench):
    def ls(**options):
        document = bench.run_command(command, path="model.ls", **options).answer
        return {row["name"]: row for row in document.value}, document

    return ls


def test_each_model_is_listed_with_what_it_can_do_and_its_size(ls, bench, graph):
    bench.keep(graph, name="digits")
    rows, document = ls()
    assert set(rows) == {"base@1", "support@1", "digits@1"}  # the dataset is no model
    base = rows["base@1"]
    assert (base["can"], base["architecture"]) == ("text-generation", "LlamaForCausalLM")
    assert base["parameters"] == 2 * 4 * 6 + 10 * 4 + 4  # the table of whole numbers is no weight
    assert base["precision"] == "BF16+F32"
    assert (base["context"], base["base"], base["state"]) == (64, None, "fresh")
    support = rows["support@1"]
    assert (support["can"], support["parameters"], support["base"]) == ("text-generation", 12, "base")
    assert support["context"] == 64
    digits = rows["digits@1"]
    assert (digits["can"], digits["parameters"], digits["precision"]) == ("image-classification", 640, "fp32")
    assert digits["context"] is None
    assert [dict(zip(document.table.columns, row, strict=True)) for row in document.table.rows] == document.value


def test_models_for_one_thing_can_be_asked_for(ls, bench, graph):
    bench.keep(graph, name="digits")
    assert set(ls(can="image-classification")[0]) == {"digits@1"}
    assert not ls(can="embedding")[0]


def test_an_adapter_whose_base_was_removed_says_so(ls, remove):
    remove("base")
    support = ls()[0]["support@1"]
    assert (support["base"], support["can"], support["parameters"]) == ("(removed)", "text-generation", 12)
    assert support["state"] == "stale"


def test_a_model_whose_files_cannot_be_read_is_listed_as_damaged_and_the_others_whole(ls, bench):
    (next((bench.root / "artifacts/checkpoint").glob("base@1")) / "model.safetensors").write_bytes(b"cut")
    rows = ls()[0]
    assert rows["base@1"]["state"] == "damaged"
    assert "not a whole safetensors file" in rows["base@1"]["about"]
    assert (rows["support@1"]["parameters"], rows["support@1"]["base"]) == (12, "(damaged)")


def test_a_record_that_cannot_be_read_is_listed_as_damaged(ls, bench):
    (bench.root / "artifacts/checkpoint/base@1/artifact.json").write_text("{")
    assert any(row["state"] == "damaged" and row["kind"] == "checkpoint" for row in ls()[0].values())


def test_as_it_is_typed(aictl, bench):
    done = aictl("model", "ls", cwd=bench.root)
    assert done.returncode == 0, done.stderr
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert lines[0][:5] == ["kind", "name", "can", "architecture", "parameters"]
    assert [line[1] for line in lines[1:]] == ["support@1", "base@1"]
    wrong = aictl("model", "ls", "--can", "telepathy", cwd=bench.root)
    assert wrong.returncode == 2 and "text-generation" in wrong.stderr

"""Freshness and lineage: exactly what depends on a changed byte is stale, and nothing else."""

from __future__ import annotations

import pytest

from aictl.core.events import silent
from aictl.workspace.lineage import Freshness, dependents, trace
from aictl.workspace.listing import list_artifacts, show_artifact, show_lineage


@pytest.fixture
def chain(bench, write):
    """two sources → a, b; sum = a + b; total = sum; alone = b."""
    bench.count(write("a.txt", "one two"), name="a")
    bench.count(write("b.txt", "three"), name="b")
    bench.add("a", "b", name="sum")
    bench.add("sum", name="total")
    bench.add("b", name="alone")
    return bench


def states(bench) -> dict[str, str]:
    table = list_artifacts(bench.project.root, silent, kind=None, older=False)
    return {row[1].partition("@")[0]: row[2] for row in table.rows}


def test_a_changed_byte_makes_stale_what_was_made_from_it(chain, write):
    assert set(states(chain).values()) == {"fresh"}
    write("a.txt", "one two three four")
    assert states(chain) == {"a": "stale", "sum": "stale", "total": "stale", "b": "fresh", "alone": "fresh"}


def test_remade_with_the_same_result_all_is_fresh_again(chain, write, tmp_path):
    write("a.txt", "one\ntwo")
    assert states(chain)["total"] == "stale"
    chain.count(tmp_path / "a.txt", name="a")
    assert set(states(chain).values()) == {"fresh"}


def test_remade_with_another_result_what_follows_stays_stale(chain, write, tmp_path):
    write("a.txt", "one two three")
    chain.count(tmp_path / "a.txt", name="a")
    assert states(chain) == {"a": "fresh", "sum": "stale", "total": "stale", "b": "fresh", "alone": "fresh"}


def test_a_source_that_is_gone_says_so(chain, tmp_path):
    (tmp_path / "a.txt").unlink()
    shown = show_artifact(chain.project.root, "total", silent, get=None).value
    assert shown["state"] == "stale" and "a.txt is gone" in shown["stale_because"]


def test_lineage_reaches_the_raw_files(chain):
    document = show_lineage(chain.project.root, "total", silent)
    assert document.value["inputs"][0]["inputs"][1]["inputs"][0]["label"].endswith("b.txt")
    assert "a.txt" in document.drawn and "└─ " in document.drawn


def test_dependents(chain):
    store = chain.runner().store
    of = {name: store.names.current("probe", name) for name in ("a", "sum", "total")}
    assert dependents(store, of["a"]) == [of["sum"]]
    assert dependents(store, of["total"]) == []


def test_trace_survives_a_removed_input(chain, project):
    from aictl.workspace.removal import remove

    remove(project.root, ["a"], force=True)
    runner = chain.runner()
    node = trace(
        runner.store, Freshness(runner.store, runner.inputs.digest_now), runner.store.names.current("probe", "sum")
    )
    assert [inner.summary for inner in node.inputs][0] == "(removed)"
    assert "was removed" in node.stale


def test_json_says_of_everything_in_a_lineage_whether_it_still_stands(chain, project, write):
    write("a.txt", "changed")
    a = chain.runner().store.names.current("probe", "a")
    tree = show_lineage(project.root, "sum", silent).value
    source = tree["inputs"][0]["inputs"][0]
    assert source["kind"] == "source" and source["stale"].endswith("a.txt has changed")
    (project.store / a / "artifact.json").write_text("{")
    damaged = show_lineage(project.root, "sum", silent)
    assert "artifact.json" in damaged.value["inputs"][0]["stale"] and "(damaged)" in damaged.drawn


def test_one_value_of_a_record(chain, project):
    def get(path):
        return show_artifact(project.root, "sum", silent, get=path)

    assert get("metrics.total").text == "3"
    assert get("inputs.0.name").text == "a"
    with pytest.raises(Exception, match="has no 'metrics.loss'"):
        get("metrics.loss")

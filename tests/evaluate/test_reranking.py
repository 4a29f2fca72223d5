"""A question's own answer is ranked among others of the split by the scores that a reranker gives each pair."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.model.networks import WORDS, write
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import BadInput, WorkFailed
from aictl.inference.reranking import Reranker

ASKED = list(dict.fromkeys(WORDS[4:]))[:14]
ROWS = [{"input": f"what is {word} ?", "output": f"my {word} on the floor", "source": "t"} for word in ASKED]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Checkpoint:
    return Checkpoint(write(tmp_path_factory.mktemp("reranker") / "made", "reranking"), name="reranker")


def test_ranks_are_those_of_scores_among_ten(model, write_dataset, run, rows):
    again = {**ROWS[0], "output": "my warm kitchen"}  # an answer to the same question is no wrong one
    made = run(model, write_dataset("pairs", "pair", {"validation": [*ROWS, again]}))
    assert made.facts["details"] == {"among": 10}
    assert set(made.values()) == {"recall@1", "recall@5", "mrr", "ndcg@10"}
    found = rows(made)
    assert {row["rank"] for row in found} <= set(range(1, 11))
    assert len({row["rank"] for row in found}) > 2
    reranker = Reranker(model.folder, device="cpu")
    for row in found:
        asked, own = row["input"], row["output"]
        own_score, best = reranker.score([(asked, own), (asked, row["found"])]).scores
        assert best >= own_score
        assert (row["rank"] == 1) == (own == row["found"])
    assert found[0]["found"] != again["output"]
    assert found[-1]["found"] != ROWS[0]["output"]
    assert made.values()["mrr"] == pytest.approx(np.mean([1 / row["rank"] for row in found]))


def test_the_same_others_are_drawn_for_both_and_a_seed_draws_others(model, write_dataset, run, rows):
    data = write_dataset("pairs", "pair", {"validation": ROWS})
    made = run(model, data, model)
    assert made.facts["measures"][0]["difference"]["value"] == 0
    assert [row["rank"] for row in rows(run(model, data, name="again"))] == [row["rank"] for row in rows(made)]
    assert [row["rank"] for row in rows(run(model, data, name="other", seed=1))] != [row["rank"] for row in rows(made)]


def test_scores_are_those_of_transformers(model):
    """Which of the two texts a token is of goes in as well."""
    pairs = [(one["input"], one["output"]) for one in ROWS[:3]]
    pairs.append((pairs[0][0], "a much longer text , that the others are padded for"))
    tokenizer = AutoTokenizer.from_pretrained(model.folder)
    network = AutoModelForSequenceClassification.from_pretrained(model.folder).eval()
    wanted = []
    with torch.no_grad():
        for asked, answer in pairs:
            (one,) = Reranker(model.folder, device="cpu")._tokenizer.encode_batch([(asked, answer)])
            fields = {"input_ids": one.ids, "token_type_ids": one.type_ids}
            assert set(one.type_ids) == {0, 1}
            assert one.ids == tokenizer(asked, answer)["input_ids"]
            wanted.append(network(**{name: torch.tensor([row]) for name, row in fields.items()}).logits.item())
    assert Reranker(model.folder, device="cpu").score(pairs).scores == pytest.approx(wanted, abs=1e-5)


def test_what_cannot_be_judged_is_said(model, write_dataset, run, tmp_path):
    same = write_dataset("same", "pair", {"validation": [{**one, "output": "my cat"} for one in ROWS]})
    with pytest.raises(BadInput, match="nothing to tell"):
        run(model, same)
    asked = write_dataset(
        "asked", "pair", {"validation": [*ROWS, *({**ROWS[0], "output": one["output"]} for one in ROWS)]}
    )
    with pytest.raises(BadInput, match="those to 'what is the"):
        run(model, asked, name="asked")
    network = AutoModelForSequenceClassification.from_pretrained(model.folder)
    network.classifier.bias.data[:] = torch.nan
    network.save_pretrained(tmp_path / "nan")
    (tmp_path / "nan/tokenizer.json").write_bytes((model.folder / "tokenizer.json").read_bytes())
    with pytest.raises(WorkFailed, match="not finite"):
        run(Checkpoint(tmp_path / "nan", name="nan"), write_dataset("pairs", "pair", {"validation": ROWS}), name="nan")

"""The whole of data label: the same documents, each with a label, and a report of what gave it."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter

import numpy as np
import pytest

from aictl.core.errors import BadInput, BadRequest, Damaged, TryLater, WorkFailed
from aictl.data.label import texts as texts_module
from aictl.testing.workspace import Bench

TABLES = """
[functions.rain]
kind = "keywords"
label = "weather"
keywords = ["rain", "snow"]

[functions.clock]
kind = "keywords"
label = "alarm"
keywords = ["alarm"]

[functions.sky]
kind = "regex"
label = "weather"
pattern = "sky"
"""


@pytest.fixture
def some(texts):
    return texts(
        ["rain in the sky", "an alarm", "nothing", "snow alarm", "the sky"] * 4, ["rain", "nothing here", "alarm"]
    )


def told(workspace: Bench) -> str:
    return "\n".join(event.message for event in workspace.told if hasattr(event, "message"))


def test_the_same_documents_in_the_same_splits_and_order(some, label):
    made = label(some, TABLES, name="labelled").artifact
    assert made.splits == some.splits == {"train": 20, "validation": 3}
    for split in some.splits:
        before, after = list(some.documents(split)), list(made.documents(split))
        assert [{key: one[key] for key in ("text", "source")} for one in after] == before
    first = next(made.documents())
    assert first["label"] == "weather" and 0.5 < first["confidence"] <= 1 and "votes" not in first
    nothing = list(made.documents())[2]
    assert nothing["label"] is None and nothing["confidence"] is None
    assert made.classes == ("weather", "alarm", "other") and some.classes == ()
    assert made.summary.startswith("18 of 23 documents labelled (78.3%): weather ")


def test_the_report_says_what_each_function_did(some, label):
    outcome = label(some, TABLES)
    report = json.loads((outcome.path / "labels.json").read_text())
    assert (report["coverage"], report["overlaps"], report["conflicts"]) == (0.7826, 0.3478, 0.1739)
    rain, clock, sky = report["functions"]
    assert (rain["coverage"], rain["overlaps"], rain["conflicts"]) == (0.3913, 0.3478, 0.1739)
    assert (clock["votes"], sky["conflicts"]) == ({"alarm": 9}, 0)
    assert sky["estimated_accuracy"] > clock["estimated_accuracy"] > 0.5
    assert sum(one["documents"] for one in report["labels"]) == 18
    votes = np.load(outcome.path / "votes.npy", allow_pickle=False)
    assert votes.dtype == np.int8 and votes[:4].tolist() == [[0, -1, 0], [-1, 1, -1], [-1, -1, -1], [0, 1, -1]]
    said = Counter(one["label"] for split in some.splits for one in outcome.artifact.documents(split))
    assert outcome.artifact.metrics["labels"] == {"alarm": said["alarm"], "weather": said["weather"]}


def test_votes_stand_in_the_documents_where_they_are_asked_for(some, label):
    documents = list(label(some, TABLES, votes=True).artifact.documents())
    assert documents[3]["votes"] == {"rain": "weather", "clock": "alarm"} and documents[2]["votes"] == {}


def test_what_nothing_covers_is_left_out_by_choice(some, label, tmp_path):
    outcome = label(some, TABLES, uncovered="drop", review_out=tmp_path / "review.csv")
    assert outcome.artifact.splits == {"train": 16, "validation": 2}
    assert all(document["label"] for document in outcome.artifact.documents())
    assert len(np.load(outcome.path / "votes.npy")) == 18
    assert len((tmp_path / "review.csv").read_text().splitlines()) == 19


def test_uncertain_labels_are_none(some, label):
    made = label(some, TABLES, min_confidence=0.9).artifact
    kept = [document["confidence"] for document in made.documents() if document["label"]]
    every = [document["confidence"] for document in label(some, TABLES).artifact.documents() if document["label"]]
    assert kept == [one for one in every if one >= 0.9] and 0 < len(kept) < len(every)
    with pytest.raises(WorkFailed, match="no document gets a label"):
        label(some, TABLES, min_confidence=1)


def test_a_labelled_dataset_is_labelled_anew(some, label):
    first = label(some, TABLES, votes=True).artifact
    again = label(first, TABLES).artifact
    plain = label(some, TABLES).artifact
    assert list(again.documents()) == list(plain.documents()) and again.record.id == plain.record.id


def test_the_result_does_not_depend_on_how_batches_are_cut_or_a_run_was_killed(some, label, monkeypatch):
    from aictl.data.label.matching import Matching

    whole = label(some, TABLES).artifact.record.id
    monkeypatch.setattr(texts_module, "BATCH_DOCUMENTS", 3)
    assert label(some, TABLES, force=True).artifact.record.id == whole
    vote, asked = Matching.vote, []

    def watched(self, texts, number):
        if number >= 12 and killed:
            raise TryLater("killed")
        if len(texts) > 1:  # a pattern is tried on one empty text when it is compiled
            asked.append(number)
        return vote(self, texts, number)

    killed = True
    longer = TABLES.replace('"sky"', '"sky|sk[y]"')  # another key, so that it is made anew
    monkeypatch.setattr(Matching, "vote", watched)
    with pytest.raises(TryLater):
        label(some, longer)
    assert sorted(set(asked)) == [0, 3, 6, 9]
    asked.clear()
    killed = False
    assert label(some, longer).artifact.record.id == whole
    assert sorted(set(asked)) == [12, 15, 18, 21], "what was voted on is not asked again"


def test_conversations_are_read_by_their_roles(write_dataset, workspace, label, tmp_path):
    talk = [
        {"role": "system", "content": "you know of snow"},
        {"role": "user", "content": "set an alarm"},
        {"role": "assistant", "content": "rain is near"},
    ]
    chats = workspace.keep(write_dataset("chats", "chat", {"train": [{"messages": talk, "source": "a:1"}]}), "chats")
    path = tmp_path / "roles.toml"
    labels = '[labels]\nweather = ""\nalarm = ""\n'
    path.write_text('roles = ["user"]\n' + labels + TABLES)
    made = label(chats, path, votes=True).artifact
    (document,) = made.documents()
    assert document["votes"] == {"clock": "alarm"} and document["messages"] == talk and made.format == "chat"
    path.write_text(labels + TABLES)
    (document,) = label(chats, path, votes=True).artifact.documents()
    assert document["votes"] == {"rain": "weather", "clock": "alarm"}


def test_what_a_person_should_look_at_is_told(texts, label, workspace):
    documents = texts(["rain alarm"] * 10 + ["snow alarm"] * 10 + ["fog"] * 5)
    every = '[functions.every]\nkind = "regex"\nlabel = "other"\npattern = "[^x]"\n'
    never = '[functions.never]\nkind = "keywords"\nlabel = "other"\nkeywords = ["hail"]\n'
    label(documents, TABLES + every + never)
    said = told(workspace)
    assert "never votes on no document" in said and "sky votes on no document" in said
    assert "every says other of every document, which tells nothing" in said
    assert "rain is contradicted on 100% of the documents on which others vote too" in said
    label(texts(["rain in the sky", "snow"]), TABLES.partition("[functions.clock]")[0])
    assert "no functions vote on the same documents; from fewer than 3 nobody can tell" in told(workspace)


def test_nothing_covers_anything(texts, label):
    with pytest.raises(WorkFailed, match="no document gets a label"):
        label(texts(["hail", "fog"]), TABLES)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "tiny"}, "--model was given, and no function is of kind llm"),
        ({"embedder_file": "x"}, "--embedder-file was given, and no function is of kind embedding"),
    ],
)
def test_an_option_that_no_function_uses_is_a_mistake(some, label, options, said):
    with pytest.raises(BadRequest, match=said):
        label(some, TABLES, **options)


def test_an_embedding_function_needs_a_model(some, label):
    with pytest.raises(BadRequest, match=r"\[functions.near\]: a function of kind embedding needs an embedding model"):
        label(some, TABLES + '[functions.near]\nkind = "embedding"\n')


def test_a_dataset_that_is_none(workspace, write_dataset, label):
    broken = workspace.keep(write_dataset("broken", "text", {"train": [{"words": "x", "source": "a"}]}), "broken")
    with pytest.raises(Damaged, match="document 1 of the dataset has no text"):
        label(broken, TABLES)


def test_answers_need_a_dataset_that_has_some(some, label):
    with pytest.raises(BadRequest, match="no language model was asked for it"):
        label(some, TABLES, answers=some)


def test_memory_does_not_grow_with_the_documents(texts, label, monkeypatch):
    """Ten times the documents take a few bytes each more: votes, a pattern, a known label."""
    monkeypatch.setattr(texts_module, "BATCH_DOCUMENTS", 100)
    peaks = []
    for count in (2_000, 20_000):
        documents = texts([f"rain {number} " + "x" * 500 for number in range(count)])
        label(documents, TABLES.replace('"rain"', f'"rain", "hail{count}"'))
        tracemalloc.start()
        label(documents, TABLES.replace('"rain"', f'"rain", "fog{count}"'))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 18_000 * 100, "the texts alone are 9 MB"


def test_a_bad_declaration_is_told_before_any_work(some, label, workspace):
    with pytest.raises(BadInput, match="no label is called 'wether'"):
        label(some, TABLES.replace('"weather"', '"wether"'))
    assert "vote" not in str(workspace.told)

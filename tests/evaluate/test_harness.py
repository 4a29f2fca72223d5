"""Tasks of lm-evaluation-harness come to what the harness's own models come to."""

from __future__ import annotations

import json

import pytest

from aictl.core.artifact import Source
from aictl.core.errors import BadRequest

pytest.importorskip("lm_eval", reason="lm_eval is of the extra harness")

QUESTIONS = [
    {
        "question": f"What is {one} and {other}?",
        "choices": ["red", "blue", "green and white"],
        "answer": (one + other) % 3,
    }
    for one in range(4)
    for other in range(3)
]
CHOICE = """
task: colours
dataset_path: json
dataset_kwargs: {{data_files: {{test: {path}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}\\nAnswer:"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: answer
metric_list: [{{metric: acc}}, {{metric: acc_norm}}]
"""
WRITING = """
task: saying
dataset_path: json
dataset_kwargs: {{data_files: {{test: {path}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{choices[answer]}}}}"
generation_kwargs: {{until: ["\\n"], max_gen_toks: 4, do_sample: false}}
metric_list: [{{metric: exact_match}}]
"""


@pytest.fixture
def tasks(tmp_path, monkeypatch) -> Source:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "tasks"
    folder.mkdir()
    path = tmp_path / "questions.jsonl"
    path.write_text("\n".join(map(json.dumps, QUESTIONS)))
    (folder / "colours.yaml").write_text(CHOICE.format(path=path))
    (folder / "saying.yaml").write_text(WRITING.format(path=path))
    return Source(str(folder), folder, "digest")


def test_the_scores_are_those_of_the_harness_itself(chat_model, tasks, run, rows):
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    made = run(chat_model, None, tasks="colours,saying", tasks_folder=tasks)
    theirs = simple_evaluate(
        model=HFLM(str(chat_model.folder), device="cpu", dtype="float32", prefix_token_id=0),
        tasks=["colours"],
        task_manager=TaskManager(include_path=str(tasks.path)),
        bootstrap_iters=0,
    )
    wanted = theirs["results"]["colours"]
    values = made.values()
    assert list(values) == ["colours.acc", "colours.acc_norm", "saying.exact_match"]
    assert values["colours.acc"] == pytest.approx(wanted["acc,none"])
    assert values["colours.acc_norm"] == pytest.approx(wanted["acc_norm,none"])
    ours = [row["output"] for row in rows(made) if row["task"] == "colours"]
    for mine, sample in zip(ours, theirs["samples"]["colours"], strict=True):
        assert [one for one, _ in mine] == pytest.approx([one for one, _ in sample["filtered_resps"]], rel=1e-4)


def test_two_models_answer_the_same_questions(chat_model, tasks, run):
    made = run(chat_model, None, chat_model, tasks=["colours"], tasks_folder=tasks, gate=["colours.acc>=other"], most=5)
    assert made.facts["documents"] == 5
    assert not made.facts["measures"][0]["difference"]["is_real"]
    assert made.exit_code == 0


def test_what_cannot_be_asked_is_refused(chat_model, tasks, run, write_dataset):
    with pytest.raises(BadRequest, match="no task 'riddles'"):
        run(chat_model, None, tasks=["riddles"], tasks_folder=tasks)
    with pytest.raises(BadRequest, match="one of them at a time"):
        run(chat_model, None)
    texts = write_dataset("texts", "text", {"validation": [{"text": "one", "source": "t"}]})
    with pytest.raises(BadRequest, match="one of them at a time"):
        run(chat_model, texts, tasks=["colours"], tasks_folder=tasks)

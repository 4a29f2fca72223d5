"""One answer from a tiny model, called as a function and as the program."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import BadRequest
from aictl.core.events import Events, Noted, silent
from aictl.generate.oneshot import generate
from aictl.generate.spec import GenerateSpec


def said(model: Checkpoint, prompt: str, **options: object) -> str:
    return "".join(generate(model, prompt, GenerateSpec(**options), silent))


@pytest.fixture
def wordless(chat_model: Checkpoint, tmp_path: Path) -> Checkpoint:
    """The same model without its chat template."""
    folder = tmp_path / "wordless"
    shutil.copytree(chat_model.folder, folder)
    (folder / "chat_template.jinja").unlink()
    return Checkpoint(folder, name="wordless")


def test_the_chat_template_is_used_unless_raw_is_asked_for(chat_model, wordless):
    rendered = "<|user|>hi<|assistant|>"
    in_chat = said(chat_model, "hi", max_tokens=12)
    assert in_chat == said(chat_model, rendered, raw=True, max_tokens=12)
    assert in_chat != said(chat_model, "hi", raw=True, max_tokens=12)
    assert said(wordless, "hi", max_tokens=12) == said(chat_model, "hi", raw=True, max_tokens=12)


def test_instructions_come_first(chat_model):
    rendered = "<|system|>be brief<|user|>hi<|assistant|>"
    assert said(chat_model, "hi", system="be brief", max_tokens=12) == said(
        chat_model, rendered, raw=True, max_tokens=12
    )


def test_instructions_without_a_place_are_refused(chat_model, wordless):
    for model, options in ((wordless, {}), (chat_model, {"raw": True})):
        with pytest.raises(BadRequest, match="--system"):
            said(model, "hi", system="be brief", **options)


def test_a_stop_text_ends_the_answer(chat_model):
    text = said(chat_model, "hi", max_tokens=20)
    assert said(chat_model, "hi", max_tokens=20, stop=[text[5:7]]) == text[: text.index(text[5:7])]


def test_a_seed_repeats_the_answer(chat_model):
    options = {"max_tokens": 20, "temperature": 1.5}
    assert said(chat_model, "hi", seed=1, **options) == said(chat_model, "hi", seed=1, **options)
    assert said(chat_model, "hi", seed=1, **options) != said(chat_model, "hi", seed=2, **options)


@pytest.mark.parametrize("prompt", ["", " \n", "x" * 5000], ids=["empty", "blank", "too long"])
def test_a_prompt_that_cannot_be_answered_is_refused(chat_model, prompt):
    with pytest.raises(BadRequest, match="prompt"):
        said(chat_model, prompt)


def test_a_cut_off_answer_is_said(chat_model):
    notes = []
    events = Events(lambda event: notes.append(event.message) if isinstance(event, Noted) else None)
    list(generate(chat_model, "hi", GenerateSpec(max_tokens=3), events))
    assert any("cut off after 3 tokens" in note for note in notes)


def test_what_was_used_is_told_at_the_end(chat_model):
    def ended(**options: object) -> dict:
        pieces = generate(chat_model, "hi", GenerateSpec(**options), silent)
        while True:
            try:
                next(pieces)
            except StopIteration as end:
                return end.value

    cut = ended(max_tokens=5)
    prompt = len("<|user|>hi<|assistant|>")  # a token a byte
    usage = {"prompt_tokens": prompt, "completion_tokens": 5, "total_tokens": prompt + 5}
    assert cut == {"model": "tiny", "finish_reason": "length", "usage": usage}
    text = said(chat_model, "hi", max_tokens=20)
    stopped = ended(max_tokens=20, stop=[text[5:7]])
    assert stopped["finish_reason"] == "stop" and stopped["usage"]["completion_tokens"] < 20


@pytest.mark.slow
def test_the_program_takes_its_prompt_as_an_argument_or_from_stdin(chat_workspace, aictl):
    asked = ["generate", "tiny", "--max-tokens", "8"]
    given = aictl(*asked, "hi", cwd=chat_workspace)
    assert given.returncode == 0, given.stderr
    piped = aictl(*asked, "--json", cwd=chat_workspace, stdin="hi\n")
    answer = json.loads(piped.stdout)
    assert list(answer) == ["text", "model", "finish_reason", "usage"]
    assert (answer["model"], answer["finish_reason"], answer["usage"]["completion_tokens"]) == ("tiny", "length", 8)
    assert given.stdout == answer["text"] + "\n" != "\n"
    assert aictl(*asked, cwd=chat_workspace, stdin="").returncode == 2

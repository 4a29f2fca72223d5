from __future__ import annotations

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from aictl.core.errors import BadRequest
from aictl.training.dialogue import DialogueEncoder, Unusable

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
MARKED = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] }}{% endgeneration %}"
    "{% else %}{{ message['content'] }}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
)
PLAIN = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
FORGETFUL = (  # writes earlier answers without what they begin with, as templates that drop thoughts do
    "{% for message in messages %}{% if message['role'] == 'assistant' and not loop.last %}"
    "{{ '<|im_start|>assistant\n' + message['content'].split('|')[-1] + '<|im_end|>\n' }}"
    "{% else %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
STRICT = "{% if messages[0]['role'] != 'user' %}{{ raise_exception('a user speaks first') }}{% endif %}" + CHATML

TALK = [
    {"role": "user", "content": "How are you?"},
    {"role": "assistant", "content": "Well – thank you. 你好"},
    {"role": "user", "content": "Good."},
    {"role": "assistant", "content": "Bye\nnow"},
]


@pytest.fixture(scope="module")
def bare() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|end|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(["Well thank you, how are you? Bye now. assistant user\n"] * 20, trainer)
    return tokenizer


@pytest.fixture
def encoder(bare):
    def make(template: str | None, longest: int = 500, end: str = "<|im_end|>") -> DialogueEncoder:
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=bare, eos_token=end)
        tokenizer.chat_template = template
        made = DialogueEncoder(tokenizer, [tokenizer.convert_tokens_to_ids(end)], longest)
        made.text = tokenizer.decode  # type: ignore[attr-defined]
        return made

    return make


def learnt(encoder: DialogueEncoder, messages) -> list[str]:
    """The runs of learnt tokens, as text."""
    made = encoder.encode(messages)
    runs: list[list[int]] = []
    before = False
    for token, wanted in zip(made.ids, made.learnt, strict=True):
        if wanted:
            runs.append([*runs.pop(), token] if before else [token])
        before = wanted
    return [encoder.text(run) for run in runs]  # type: ignore[attr-defined]


@pytest.mark.parametrize("template", [CHATML, MARKED], ids=["prefixes", "marks"])
def test_every_answer_is_learnt_with_the_token_that_ends_it_and_nothing_else(encoder, template):
    assert learnt(encoder(template), TALK) == ["Well – thank you. 你好<|im_end|>", "Bye\nnow<|im_end|>"]


def test_the_ids_are_those_of_the_whole_conversation(encoder):
    made = encoder(CHATML).encode(TALK)
    text = "".join(f"<|im_start|>{one['role']}\n{one['content']}<|im_end|>\n" for one in TALK)
    assert encoder(CHATML).text(made.ids) == text


@pytest.mark.parametrize("template", [CHATML, PLAIN], ids=["chatml", "plain"])
def test_what_comes_before_an_answer_is_what_the_model_is_given_to_answer(encoder, template):
    made = encoder(template)
    tokenizer = made._tokenizer
    prompt = tokenizer.apply_chat_template(TALK[:1], add_generation_prompt=True, tokenize=False)
    given = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    for answer in ("Well", " thank you", "\nBye", "you?"):
        dialogue = made.encode([TALK[0], {"role": "assistant", "content": answer}])
        assert dialogue.ids[: len(given)] == given
        assert dialogue.learnt.index(True) == len(given)


def test_a_template_without_an_end_token_gets_one(encoder):
    assert learnt(encoder(PLAIN, end="<|end|>"), TALK[:2]) == ["Well – thank you. 你好\n<|end|>"]


def test_where_earlier_answers_are_rewritten_the_last_is_learnt(encoder):
    talk = [TALK[0], {"role": "assistant", "content": "thought|word"}, TALK[2], TALK[3]]
    assert learnt(encoder(FORGETFUL), talk) == ["Bye\nnow<|im_end|>"]


def test_a_system_message_is_context(encoder):
    assert learnt(encoder(CHATML), [{"role": "system", "content": "Be kind."}, *TALK[:2]]) == [
        "Well – thank you. 你好<|im_end|>"
    ]


def test_a_cut_conversation_keeps_what_fits(encoder):
    whole = encoder(CHATML).encode(TALK)
    first = whole.learnt.index(True)
    made = encoder(CHATML, longest=first + 2).encode(TALK)
    assert len(made.ids) == first + 2
    assert sum(made.learnt) == 2
    with pytest.raises(Unusable, match="first"):
        encoder(CHATML, longest=first).encode(TALK)


def test_conversations_without_an_answer_or_against_the_template_are_unusable(encoder):
    with pytest.raises(Unusable, match="assistant"):
        encoder(CHATML).encode(TALK[:1])
    with pytest.raises(Unusable, match="a user speaks first"):
        encoder(STRICT).encode([{"role": "assistant", "content": "Hello"}])


def test_a_model_without_a_template_is_refused(encoder):
    with pytest.raises(BadRequest, match="no chat template"):
        encoder(None)

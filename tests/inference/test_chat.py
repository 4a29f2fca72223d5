"""Chat templates render as transformers renders them, in a sandbox."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aictl.core.errors import BadRequest, Damaged
from aictl.inference.chat import ChatTemplate

SMOLLM2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}"
    "{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# What other models' templates use: namespaces, loop controls, tojson, generation marks, whitespace control.
ELABORATE = """\
{{- bos_token }}
{%- set ns = namespace(seen=0) %}
{%- for message in messages %}
    {%- if message.role == 'tool' %}{% continue %}{% endif %}
    {%- set ns.seen = ns.seen + 1 %}
    {%- if message.role == 'assistant' %}
        {%- generation %}{% set inner = 1 %}{{ message.content }}{{ eos_token }}{% endgeneration %}
    {%- else %}
{{ ns.seen }} {{ message | tojson }} {{ dict(a=1) }}
    {%- endif %}
{% endfor %}
{%- if inner is defined %}leaked{% endif %}
{%- if add_generation_prompt %}>{% endif %}
"""
TALK = [
    {"role": "user", "content": "What is <b>2 & 2</b>?\n"},
    {"role": "assistant", "content": 'It\'s 4 – "four".'},
    {"role": "user", "content": "¿Y 3? 🙂"},
]


@pytest.mark.parametrize("template", [SMOLLM2, ELABORATE])
@pytest.mark.parametrize("messages", [TALK[:1], TALK, [{"role": "system", "content": "Be brief."}, *TALK]])
def test_it_renders_as_transformers_does(chat_model, tmp_path, template, messages):
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(chat_model.folder)
    theirs.add_special_tokens({"bos_token": "<s>", "eos_token": "</s>"})
    theirs.chat_template = template
    theirs.save_pretrained(tmp_path)
    ours = ChatTemplate.read(tmp_path)
    assert ours is not None
    assert ours.render(messages) == theirs.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


def test_a_template_inside_the_tokenizers_configuration_is_found(tmp_path: Path):
    named = [{"name": "tool_use", "template": "no"}, {"name": "default", "template": "{{ eos_token }}yes"}]
    config = {"chat_template": named, "eos_token": {"content": "</s>"}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    template = ChatTemplate.read(tmp_path)
    assert template is not None
    assert template.render([]) == "</s>yes"


def test_no_template_is_no_error_until_it_is_needed(tmp_path: Path):
    assert ChatTemplate.read(tmp_path) is None


@pytest.mark.parametrize(
    "source",
    [
        "{{ raise_exception('roles must alternate') }}",
        "{{ messages.append(1) }}",
        "{{ ''.__class__.__mro__ }}{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{% set ns = namespace(__class__=1) %}",
        "{{ 1 + 'a' }}",
    ],
)
def test_what_a_template_may_not_do_is_a_bad_request(source):
    with pytest.raises(BadRequest):
        ChatTemplate(source, {}).render(TALK)


def test_a_template_that_cannot_be_parsed_is_damage():
    with pytest.raises(Damaged):
        ChatTemplate("{% for %}", {})

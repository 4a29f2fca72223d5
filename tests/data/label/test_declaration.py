"""labels.toml: what is read of it, and how a person is told of what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aictl.core.errors import BadInput
from aictl.data.label.declaration import read
from aictl.data.label.kinds import KINDS, Keywords, Regex

GOOD = """
roles = ["user"]

[labels]
weather = "asks about the weather"
alarm = { description = "sets an alarm", examples = ["wake me at seven"] }

[functions.rain]
kind = "keywords"
label = "weather"
keywords = ["rain", "umbrella"]

[functions."set it"]
kind = "regex"
label = "alarm"
pattern = '\\bset\\b.*\\balarm\\b'
"""


@pytest.fixture
def write(tmp_path):
    def written(text: str | bytes) -> Path:
        path = tmp_path / "labels.toml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return written


def test_reads_labels_and_functions_in_their_order(write):
    declared = read(write("\ufeff" + GOOD))
    assert declared.names == ["weather", "alarm"] and declared.roles == ("user",)
    assert declared.labels[1].examples == ("wake me at seven",)
    rain, set_it = declared.functions
    assert isinstance(rain.settings, Keywords) and rain.settings.ignore_case
    assert isinstance(set_it.settings, Regex) and set_it.settings.pattern == r"\bset\b.*\balarm\b"
    assert rain.where.endswith("labels.toml, line 8, [functions.rain]")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('label = "weather"', 'label = "wether"', "line 10, [functions.rain]: no label is called 'wether'; did you me"),
        ('kind = "regex"', 'kind = "regexp"', "line 14, [functions.set it]: no kind is called 'regexp'; did you mean"),
        ('kind = "regex"\n', "", "[functions.set it]: the key 'kind' is missing"),
        ("pattern =", "patern =", "has no key 'patern'; did you mean 'pattern'?"),
        (
            "keywords = [",
            "ignore_case = 3\nkeywords = [",
            "line 11, [functions.rain]: ignore_case: input should be a",
        ),
        ('"umbrella"', "7", "[functions.rain]: keywords[1]: input should be a valid string"),
        ('["rain", "umbrella"]', "[]", "keywords: list should have at least 1 item"),
        ('weather = "asks about the weather"', "weather = 3", "line 5: 'weather' should be a text, or a table"),
        ("examples =", "exampels =", "line 6: 'alarm' has no key 'exampels'; did you mean 'examples'?"),
        ('["wake me at seven"]', '"wake me"', "the examples of 'alarm' should be a list of texts"),
        ('roles = ["user"]', 'roles = ["bot"]', "line 2: roles should be a list of system, user, assistant"),
        ('roles = ["user"]', "role = 3", "line 2: no key is called 'role'; did you mean 'roles'?"),
        ("weather = ", '"=cmd()" = "x"\nweather = ', "'=cmd()' is no name for a label"),
        ("[functions.rain]", "[functions.rain", "line 8, column 16: expected ']' at the end of a table declaration"),
    ],
)
def test_a_mistake_is_named_with_its_place(write, old, new, said):
    assert old in GOOD
    with pytest.raises(BadInput) as told:
        read(write(GOOD.replace(old, new, 1)))
    assert said in told.value.message and "labels.toml" in told.value.message and told.value.cure


def test_all_mistakes_are_named_at_once(write):
    text = GOOD.replace('"weather"\n', '"wether"\n').replace("pattern =", "patern =")
    with pytest.raises(BadInput) as told:
        read(write(text))
    assert len(told.value.message.splitlines()) == 4  # the file, a label, a key that is missing and one too many


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "labels.toml: between 2 and 1000 labels are needed, and there are none given"),
        ("[labels]\na = ''\n", "2 and 1000 labels are needed, and there are 1 given"),
        ("[labels]\na = ''\nb = ''\n", "between 1 and 500 functions are needed"),
        ("[labels]\na = ''\nb = ''\n[functions]\nrain = 3\n", "line 5, [functions.rain]: 'rain' should be a table"),
        ("a = \xe9".encode("latin-1"), "line 1: byte 0xe9 is not UTF-8"),
        (b"\0\1\2", "labels.toml, line 1"),
    ],
)
def test_what_is_no_declaration(write, text, said):
    with pytest.raises(BadInput) as told:
        read(write(text))
    assert said in told.value.message


def test_a_choice_of_one_label_is_none(write):
    with pytest.raises(BadInput, match="at least two labels are needed to choose between"):
        read(write(GOOD + '\n[functions.near]\nkind = "embedding"\nlabels = ["alarm"]\n'))


def test_a_folder_is_no_declaration(tmp_path):
    with pytest.raises(BadInput, match="is a folder"):
        read(tmp_path)


def test_every_kind_has_its_name():
    for name, settings in KINDS.items():
        assert settings.model_fields["kind"].annotation.__args__ == (name,)

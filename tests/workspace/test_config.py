"""Settings: four layers, and every bad value named with where it came from."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from aictl.core.errors import BadRequest
from aictl.core.spec import Spec, flat_fields, option, result_options
from aictl.workspace.config import in_force, read_toml, settle


class Inner(Spec):
    learning_rate: float = option(1e-3, gt=0, help="step size")


class Outer(Spec):
    preset: Literal["tiny", "small"] = option("tiny", help="which")
    max_steps: int = option(10, ge=1, affects_result=True, help="how long")
    stop: list[str] = option([], help="where to stop")
    jobs: int = option(1, affects_result=False, help="how many")
    inner: Inner = Inner()


def settled(tmp_path: Path, toml: str = "", environment: dict[str, str] | None = None, **given):
    path = tmp_path / "aictl.toml"
    path.write_text(toml)
    return settle("train", Outer, given, toml=path, environment=environment or {})


def test_each_layer_goes_before_the_last(tmp_path):
    toml = '[train]\nmax-steps = 20\npreset = "small"\nlearning_rate = 0.5\n'
    got = settled(tmp_path, toml, {"AICTL_TRAIN_MAX_STEPS": "30", "AICTL_TRAIN_STOP": "a,b"}, learning_rate="0.25")
    assert (got.spec.preset, got.spec.max_steps, got.spec.inner.learning_rate) == ("small", 30, 0.25)
    assert got.spec.stop == ["a", "b"]
    assert got.origin["max_steps"] == "AICTL_TRAIN_MAX_STEPS" and got.origin["jobs"] == "default"
    assert got.origin["preset"].endswith("aictl.toml") and got.origin["learning_rate"] == "--learning-rate"


def test_all_bad_values_are_named_at_once_with_their_source(tmp_path):
    with pytest.raises(BadRequest) as caught:
        settled(tmp_path, '[train]\npreset = "huge"\nmax_stpes = 3\n', {"AICTL_TRAIN_JOBS": "many"}, learning_rate="-1")
    said = caught.value.message
    assert "aictl.toml preset = huge" in said and "'tiny' or 'small'" in said
    assert "did you mean 'max_steps'" in said
    assert "AICTL_TRAIN_JOBS jobs = many" in said
    assert "--learning-rate -1" in said


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("[trian]\nx = 1\n", r"did you mean \[train\]"),
        ("train = 3\n", "is a command"),
        ('[train]\npreset = "tiny"\nstop = [1 2]\n', r"aictl.toml, line 3, column 11: unclosed array"),
        ("[train\n", r"aictl.toml, line 1, column 7: expected '\]'"),
        ("[train]\nstop = [\n\n", r"aictl.toml, line 2, column 9: invalid value"),
        ("[finetune.lroa]\nrank = 3\n", r"finetune.lora"),
    ],
)
def test_a_bad_file_says_what_is_near(tmp_path, toml, says):
    with pytest.raises(BadRequest, match=says):
        settled(tmp_path, toml)


def test_a_file_that_is_no_utf8_says_where(tmp_path):
    path = tmp_path / "aictl.toml"
    path.write_bytes(b"# caf\xc3\xa9\n# caf\xe9\n")
    with pytest.raises(BadRequest, match=r"aictl.toml, line 2, column 6: byte 0xe9 is not UTF-8") as caught:
        read_toml(path)
    assert "iconv" in caught.value.cure


def test_a_byte_order_mark_is_no_content(tmp_path):
    path = tmp_path / "aictl.toml"
    path.write_bytes(b'\xef\xbb\xbf[train]\npreset = "tiny"\n')
    assert read_toml(path) == {"train": {"preset": "tiny"}}


def test_a_file_that_may_not_be_read_says_so(unprivileged):
    path = unprivileged / "aictl.toml"
    path.write_text("")
    path.chmod(0)
    with pytest.raises(BadRequest, match="cannot be read: Permission denied") as caught:
        read_toml(path)
    assert f"ls -l {path}" in caught.value.cure


def test_result_options_leave_out_what_cannot_change_it():
    assert result_options(Outer()) == {"preset": "tiny", "max_steps": 10, "stop": [], "learning_rate": 1e-3}


def test_a_name_declared_twice_is_an_error():
    class Clash(Spec):
        learning_rate: float = option(1.0, help="outer")
        inner: Inner = Inner()

    with pytest.raises(TypeError, match="learning_rate"):
        list(flat_fields(Clash))


def test_in_force_reads_every_layer_also_where_something_must_be_typed(tmp_path):
    class Needs(Spec):
        what: str = option(positional=True, help="what")
        max_steps: int = option(10, help="how long")

    path = tmp_path / "aictl.toml"
    path.write_text("[train]\nmax-steps = 20\n")
    rows = in_force("train", Needs, toml=path, environment={"AICTL_TRAIN_WHAT": "x"})
    assert rows == [("what", "x", "AICTL_TRAIN_WHAT"), ("max_steps", 20, str(path))]

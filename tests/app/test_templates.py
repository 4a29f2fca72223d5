"""Finding templates, and their digest as part of what was asked for."""

from __future__ import annotations

import pytest

from aictl.app.spec import ScaffoldSpec
from aictl.app.templates import find, shipped
from aictl.core.errors import BadInput, NotFound
from aictl.core.spec import result_options


def test_an_unknown_template_lists_those_there_are():
    with pytest.raises(NotFound, match=r"'pizza'.*customer-service"):
        ScaffoldSpec(template="pizza", name="x")


def test_a_folder_without_questions_is_no_template(tmp_path):
    with pytest.raises(NotFound):
        find(str(tmp_path))


def test_an_edited_template_is_another_one(template):
    first = result_options(ScaffoldSpec(template=str(template), name="x"))
    assert result_options(ScaffoldSpec(template=str(template), name="x")) == first
    (template / "__pycache__").mkdir()
    (template / "__pycache__/x.pyc").write_bytes(b"x")
    assert result_options(ScaffoldSpec(template=str(template), name="x")) == first
    (template / "run.sh").chmod(0o644)
    second = result_options(ScaffoldSpec(template=str(template), name="x"))
    assert second != first
    (template / "run.sh").write_text("#!/bin/bash\n")
    assert result_options(ScaffoldSpec(template=str(template), name="x")) not in (first, second)


def test_a_digest_pins_the_template():
    pinned = find("customer-service").pinned
    assert find(pinned) == find("customer-service")
    with pytest.raises(BadInput, match="sha256"):
        find("customer-service#sha256=0")


def test_every_shipped_template_has_its_test():
    assert list(shipped()) == ["customer-service"]

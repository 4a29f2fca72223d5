"""The command keeps the contract, and does in a workspace what it says."""

import pytest
from aictl_draw.draw import command

from aictl.artifacts.dataset import Dataset, DatasetWriter
from aictl.core.errors import BadRequest
from aictl.testing.contract import check_command
from aictl.testing.workspace import Bench, workspace  # noqa: F401


@pytest.fixture
def hundred(workspace: Bench) -> Dataset:  # noqa: F811
    with DatasetWriter(workspace.folder("hundred"), "text") as writer:
        for number in range(100):
            writer.add("train", {"text": f"document {number}", "source": "test"})
        writer.add("validation", {"text": "held out", "source": "test"})
    return workspace.keep(Dataset(writer.folder), name="hundred")


def test_contract() -> None:
    check_command(command, "aictl_draw.draw")


def test_draws_as_many_as_asked_for(workspace: Bench, hundred: Dataset) -> None:  # noqa: F811
    made = workspace.run_command(command, {"dataset": hundred}, count=10).artifact
    assert made.splits == {"train": 10, "validation": 1}
    texts = [document["text"] for document in made.documents()]
    assert len(set(texts)) == 10 and texts == sorted(texts, key=lambda text: int(text.split()[1]))


def test_another_seed_draws_other_documents(workspace: Bench, hundred: Dataset) -> None:  # noqa: F811
    first, same, other = (
        workspace.run_command(command, {"dataset": hundred}, count=10, seed=seed) for seed in (1, 1, 2)
    )
    assert same.up_to_date and same.path == first.path
    assert list(other.artifact.documents()) != list(first.artifact.documents())


def test_more_than_there_are_is_refused(workspace: Bench, hundred: Dataset) -> None:  # noqa: F811
    with pytest.raises(BadRequest, match="100 documents"):
        workspace.run_command(command, {"dataset": hundred}, count=101)

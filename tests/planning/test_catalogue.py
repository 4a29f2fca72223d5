"""The catalogue: every figure has a source, and a name that is not there suggests one that is."""

from __future__ import annotations

import tomllib

import pytest

from aictl.core.errors import BadRequest
from aictl.planning import catalogue
from aictl.planning.kernels import Kernels

PAGE = tomllib.loads(catalogue.PAGE.read_text("utf-8"))
NVIDIA = {"a100-80gb", "h100-80gb", "h200", "b200", "l4", "l40s", "t4", "rtx-4090"}
WANTED = NVIDIA | {"mi300x", "tpu-v4", "tpu-v5e", "tpu-v5p"}


@pytest.mark.parametrize("name", catalogue.names())
def test_an_accelerator_says_where_its_figures_are_from(name):
    row, chip = PAGE["accelerators"][name], catalogue.accelerator(name)
    assert all("https://" in one for one in chip.sources[:1])
    assert row["checked"] in ("primary", "secondary", "known")
    assert chip.matmul_fraction_how.startswith(("measured", "assumed", "fitted"))
    assert chip.formats
    assert 1e9 < chip.memory_bytes < 1e12
    assert 1e11 < chip.memory_bytes_per_s < 1e13
    assert chip.reach >= chip.per_node
    assert set(chip.formats.values()) == {row[f"{one}_flops"] for one in chip.formats}
    assert (
        Kernels.of(chip, "bf16" if "bf16" in chip.formats else "fp16").sustained
        <= chip.formats["fp16" if "fp16" in chip.formats else "bf16"]
    )


def test_the_accelerators_that_people_ask_for_are_there():
    assert set(catalogue.names()) >= WANTED


@pytest.mark.parametrize("name", catalogue.link_names())
def test_a_link_says_where_its_figures_are_from(name):
    link = catalogue.link(name)
    assert 0 < link.achievable <= 1
    assert link.sources


@pytest.mark.parametrize(
    ("asked", "meant"), [("a100", "a100-80gb"), ("H100-80", "h100-80gb"), ("4090", "rtx-4090"), ("tpu-v3", "tpu-v4")]
)
def test_an_unknown_accelerator_suggests_the_nearest(asked, meant):
    with pytest.raises(BadRequest, match=f"no accelerator '{asked}'") as caught:
        catalogue.accelerator(asked)
    assert meant in caught.value.cure.partition("?")[0]
    with pytest.raises(BadRequest):
        catalogue.link("infiniband")


def test_a_format_that_the_hardware_lacks_is_named():
    with pytest.raises(BadRequest, match="has no bf16") as caught:
        Kernels.of(catalogue.accelerator("t4"), "bf16")
    assert "fp16" in caught.value.cure


def test_other_company_changes_the_links_alone():
    chip = catalogue.accelerator("h100-80gb")
    other = chip.with_links(catalogue.link("pcie5"), catalogue.link("ethernet-100-tcp"), 4)
    assert (other.link.name, other.network.name, other.per_node, other.reach) == ("pcie5", "ethernet-100-tcp", 4, 4)
    assert other.formats == chip.formats
    assert chip.with_links() == chip
    assert catalogue.accelerator("tpu-v4").with_links(per_node=8).reach == 4096

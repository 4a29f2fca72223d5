"""What a data sheet promises, and that what is not known is not guessed."""

from __future__ import annotations

import pytest

from aictl.hw.bench import sheet

GENOA = "vendor_id : AuthenticAMD\ncpu family : 25\nmodel : 17\nmodel name : AMD EPYC 9554\ncpu MHz : 3100.0\nflags : "


def cpuinfo(text, flags, count=4):
    return "\n\n".join(f"processor : {number}\ncore id : {number}\n{text}{flags}" for number in range(count)) + "\n"


def test_a_known_core_at_its_highest_clock(machine):
    root = machine(
        {
            "proc/cpuinfo": cpuinfo(GENOA, "avx2 fma avx512f avx512_bf16 avx512_vnni"),
            "sys/devices/system/cpu/online": "0-3",
            "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "3750000",
        }
    )
    found = sheet.processor(root)
    assert {name: rate for name, (rate, _) in found.items()} == {
        "fp32": 4 * 3.75e9 * 32,
        "bf16": 4 * 3.75e9 * 64,
        "int8": 4 * 3.75e9 * 128,
    }
    assert found["fp32"][1] == "4 Zen 4 cores x 3.75 GHz (highest clock) x 32 operations per cycle"
    assert sheet.processor(root, threads=1)["fp32"][0] == 3.75e9 * 32


def test_a_virtual_machine_s_clock_is_named_as_what_it_is(machine):
    found = sheet.processor(machine({"proc/cpuinfo": cpuinfo(GENOA, "avx2")}))
    assert set(found) == {"fp32"}, "formats that the machine hides are not promised"
    assert "boost not known" in found["fp32"][1]


def test_amx_counts_only_where_it_is_shown(machine):
    text = "vendor_id : GenuineIntel\ncpu family : 6\nmodel : 143\ncpu MHz : 2000\nflags : "
    with_amx = sheet.processor(machine({"proc/cpuinfo": cpuinfo(text, "avx512f avx512_bf16 amx_tile amx_bf16")}))
    assert with_amx["bf16"][0] == 4 * 2e9 * 2048
    without = sheet.processor(machine({"proc/cpuinfo": cpuinfo(text, "avx512f avx512_bf16")}))
    assert set(without) == {"fp32"}


@pytest.mark.parametrize("text", ["", "processor : 0\nvendor_id : Nobody\ncpu family : 1\nmodel : 1\ncpu MHz : 1\n"])
def test_an_unknown_processor_has_no_peak(machine, text):
    assert sheet.processor(machine({"proc/cpuinfo": text})) == {}


def test_every_measured_rate_has_a_row_and_only_a_known_one_a_fraction():
    device = {"name": "cpu", "flops_per_s": {"fp32": 50.0, "fp8": 1.0}, "memory_bytes_per_s": 10.0}
    rows = sheet.rows([device], {"cpu": {"fp32": (100.0, "a source")}})
    assert [(row["what"], row["fraction"], row["source"]) for row in rows] == [
        ("fp32", 0.5, "a source"),
        ("fp8", None, "unknown"),
        ("memory", None, "unknown"),
    ]


@pytest.mark.parametrize(
    ("model", "fp32", "memory"),
    [
        ("NVIDIA A100-SXM4-80GB", 19.5e12, 2039e9),
        ("NVIDIA H100 80GB HBM3", 67e12, 3350e9),
        ("Tesla T4", 8.1e12, None),
        ("AMD Instinct MI300X", 163.4e12, None),
    ],
)
def test_a_gpu_is_found_in_the_catalogue_by_what_torch_calls_it(model, fp32, memory):
    found = sheet.accelerator(model)
    assert found["fp32"][0] == pytest.approx(fp32, rel=0.02)
    assert memory is None or found["memory"][0] == pytest.approx(memory, rel=0.02)
    assert found["memory"][1]


@pytest.mark.parametrize("model", ["", "NVIDIA H100 NVL", "NVIDIA GeForce RTX 4090 D", "NVIDIA L40"])
def test_a_gpu_that_may_be_another_has_no_peak(model):
    assert sheet.accelerator(model) == {}


def test_every_name_leads_into_the_catalogue():
    from aictl.planning import catalogue

    assert set(sheet._GPUS.values()) <= set(catalogue.names())

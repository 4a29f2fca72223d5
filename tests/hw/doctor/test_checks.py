"""Every check on machines that are well and that are not."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from aictl.hw.doctor import allowance, gpu, libraries, surroundings
from aictl.hw.doctor.checks import CHECKS
from aictl.hw.doctor.finding import FAILS, NOT_APPLICABLE, PASSES, WARNS, Case
from aictl.hw.probe import look

GPU = {
    **{"index": 0, "state": "present", "name": "H100", "bus": "0000:03:00.0", "compute_capability": "9.0"},
    **{"pcie_generation": 5, "max_pcie_generation": 5, "pcie_width": 16, "max_pcie_width": 16, "slot_pcie_width": 16},
    **{"performance_state": 0, "utilization_percent": 90, "temperature_c": 60, "ecc_uncorrected": 0, "throttled": []},
    **{"mig": False, "mig_instances": [], "nvlinks": [{"link": 0, "active": True}, {"link": 1, "active": True}]},
}
LIMITS = {"open_files": {"soft": 65536, "hard": 65536}, "locked_bytes": {"soft": -1, "hard": -1}}
SOFTWARE = {
    "torch": {
        **{"state": "present", "version": "2.9.0+cu128", "build": "cuda", "cuda": "12.8", "rocm": None},
        **{"asked": "answered", "cuda_available": True, "computes": True, "devices": ["H100"]},
    },
    "onnxruntime": {
        **{"installed": {"onnxruntime-gpu": "1.24"}, "asked": "answered", "not_loaded": {}},
        "loaded": ["CUDAExecutionProvider", "CPUExecutionProvider"],
    },
    "tensorrt": {"state": "present", "packages": {"tensorrt-rtx-cu13": "1.7"}, "libraries": []},
    "containers": {"docker": {"state": "present", "version": "27"}, "nvidia_toolkit": {"state": "present"}},
    "kubernetes": {"kubectl": "present", "context": "lab", "state": "reached", "version": "v1.32"},
}


@pytest.fixture
def case(machine, tmp_path):
    """``case({"path.to.fact": value}, purpose)`` is a server that is well but for that."""
    facts = look(machine({"proc/meminfo": "MemTotal: 1000 kB\nSwapTotal: 0 kB\n"}), tmp_path)
    facts["limits"]["ulimits"] = LIMITS
    facts["clock"] = {"synchronised": True, "max_error_s": 0.01, "offset_s": 0.0}
    facts["disks"]["here"] |= {"total_bytes": 2**40, "free_bytes": 2**39, "kind": "NVMe", "filesystem": "ext4"}
    facts["disks"]["mounts"] = [{"mount": "/dev/shm", "total_bytes": 2**34, "free_bytes": 2**33}]
    facts["accelerators"]["nvidia"] = {"state": "present", "driver": "570.86", "cuda": "12.8", "devices": [GPU]}
    port = {"device": "mlx5_0", "port": "1", "state": "ACTIVE", "physical_state": "LinkUp"}
    facts["network"]["rdma"] = [{**port, "rate": "400 Gb/sec", "rate_gbit": 400.0}]
    facts["network"]["direct"]["nvidia_peermem"]["state"] = "loaded"
    facts["software"] |= SOFTWARE

    def make(changes: dict[str, Any] | None = None, purpose=None, disk_gib=5.0):
        changed = copy.deepcopy(facts)
        for path, value in (changes or {}).items():
            *way, last = path.split(".")
            place: Any = changed
            for step in way:
                place = place[int(step) if isinstance(place, list) else step]
            place[int(last) if isinstance(place, list) else last] = value
        return Case(changed, purpose, disk_gib)

    return make


def test_a_server_that_is_well_passes_every_check_that_applies(case):
    for purpose in (None, "train", "serve", "trt", "distributed"):
        found = {check.name: check.look(case(purpose=purpose)) for check in CHECKS}
        odd = {name: one for name, one in found.items() if one.state in (WARNS, FAILS) and name != "extras"}
        assert not odd
        assert {name for name, one in found.items() if one.state == NOT_APPLICABLE} <= {
            *("governor", "network speed", "huge pages")
        }


def test_a_machine_that_tells_nothing_fails_at_its_disk_alone(machine, tmp_path):
    bare = Case(look(machine({}), tmp_path))
    failed = {check.name for check in CHECKS if check.look(bare).state == FAILS}
    assert "disk" in failed and failed <= {"disk", "providers"}  # neither is asked of files alone


def test_names_are_told_apart_and_every_cure_says_something():
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names) == 28
    assert all(check.look.__doc__ for check in CHECKS)


NV = "accelerators.nvidia"
DEVICE = f"{NV}.devices.0"
TORCH = "software.torch"
ORT = "software.onnxruntime"
HERE = "disks.here"
PORT = "network.rdma.0"

# check, what is changed, the purpose, the state, a word of the message, a word of the cure
TROUBLE = [
    (gpu.driver, {NV: {"state": "unanswered", "devices": []}}, None, FAILS, "does not answer (GPU all)", "nvidia-smi"),
    (
        gpu.driver,
        {
            f"accelerators.{vendor}": {"state": "unanswered", "note": "late", "devices": []}
            for vendor in ("amd", "intel")
        },
        *(None, FAILS, "is not told (late)", "restart"),
    ),
    (gpu.driver, {f"{DEVICE}.state": "lost"}, None, FAILS, "of 1 GPU: GPU 0 lost", "dmesg"),
    (gpu.driver, {"accelerators.amd.state": "without driver"}, None, FAILS, "without a driver: amd", "amdgpu"),
    (gpu.driver, {f"{NV}.note": "nvidia-ml-py is not installed"}, None, WARNS, "not described", "aictl[hw]"),
    (gpu.driver, {NV: {"state": "absent", "devices": []}}, None, NOT_APPLICABLE, "no accelerator", ""),
    (gpu.driver, {NV: {"state": "absent", "devices": []}}, "trt", FAILS, "TensorRT runs on", "build here"),
    (gpu.health, {f"{DEVICE}.ecc_uncorrected": 2}, None, FAILS, "GPU 0: 2", "nvidia-smi"),
    (gpu.health, {f"{DEVICE}.temperature_c": 95}, None, WARNS, "95 °C", "cooling"),
    (
        gpu.health,
        {f"{DEVICE}.throttled": ["power cap", "hardware thermal"]},
        None,
        WARNS,
        "by hardware thermal",
        "cool",
    ),
    (gpu.health, {f"{DEVICE}.throttled": ["power cap"]}, None, PASSES, "60 °C", ""),
    (gpu.pcie_link, {f"{DEVICE}.pcie_width": 8}, None, WARNS, "gen5 x8 of 16", "seat the card"),
    (
        gpu.pcie_link,
        {f"{DEVICE}.pcie_width": 8, f"{DEVICE}.slot_pcie_width": 8},
        None,
        WARNS,
        "slot of nvidia 0",
        "slot",
    ),
    (gpu.pcie_link, {f"{DEVICE}.pcie_generation": 3}, None, WARNS, "gen3 of 5 x16", "firmware"),
    (
        *(gpu.pcie_link, {f"{DEVICE}.pcie_generation": 1, f"{DEVICE}.performance_state": 8}),
        *("train", WARNS, "gen1 of 5 x16", "riser"),  # it is slow while it works
    ),
    (
        gpu.pcie_link,
        {f"{DEVICE}.pcie_generation": 1, f"{DEVICE}.performance_state": 8, f"{DEVICE}.utilization_percent": 0},
        *(None, PASSES, "idle at a lower generation", ""),
    ),
    (gpu.pcie_link, {f"{DEVICE}.pcie_generation": 4, f"{DEVICE}.slot_pcie_generation": 4}, None, PASSES, "full", ""),
    (gpu.nvlink, {f"{DEVICE}.nvlinks.1.active": False}, None, WARNS, "GPU 0 lane 1", "nvlink -e"),
    (gpu.nvlink, {f"{DEVICE}.nvlinks": [{"link": 0, "active": False}]}, None, WARNS, "all NVLink", "fabricmanager"),
    (gpu.nvlink, {f"{DEVICE}.nvlinks": []}, None, NOT_APPLICABLE, "no GPU has", ""),
    (gpu.mig, {f"{DEVICE}.mig": True}, None, FAILS, "no instance", "-cgi"),
    (gpu.mig, {f"{DEVICE}.mig": True, f"{DEVICE}.mig_instances": [{}]}, "serve", PASSES, "GPU 0 in 1", ""),
    (gpu.mig, {f"{DEVICE}.mig": True, f"{DEVICE}.mig_instances": [{}]}, "train", WARNS, "more than one", "-mig 0"),
    (libraries.torch_build, {f"{TORCH}.build": "cpu"}, None, FAILS, "is not used", "pytorch.org"),
    (libraries.torch_build, {f"{TORCH}.build": "rocm"}, None, FAILS, "built for rocm", "pytorch.org"),
    (libraries.torch_build, {f"{TORCH}.cuda": "13.0"}, None, FAILS, "serves CUDA up to 12.8", "update the driver"),
    (libraries.torch_build, {f"{TORCH}.cuda": "12.9"}, None, WARNS, "compiled at run time", "update"),
    (libraries.torch_build, {f"{TORCH}.cuda": "11.8"}, None, PASSES, "serves 12.8", ""),
    (libraries.torch_build, {f"{NV}.cuda": None}, None, WARNS, "does not say", "aictl[hw]"),
    (libraries.torch_build, {f"{NV}.devices": []}, None, WARNS, "no such GPU", "CPU build"),
    (libraries.torch_build, {f"{NV}.devices": [], f"{TORCH}.build": "cpu"}, None, PASSES, "no GPU", ""),
    (libraries.torch_build, {TORCH: {"state": "absent"}}, None, NOT_APPLICABLE, "not installed", ""),
    (libraries.torch_computes, {f"{TORCH}.cuda_available": False}, None, FAILS, "finds no GPU", "CUDA_VISIBLE"),
    (
        libraries.torch_computes,
        {f"{TORCH}.computes": False, f"{TORCH}.error": "no kernel"},
        None,
        FAILS,
        "no kernel",
        "",
    ),
    (libraries.torch_computes, {f"{TORCH}.asked": "unanswered", f"{TORCH}.note": "late"}, None, FAILS, "late", "torch"),
    (libraries.torch_computes, {f"{TORCH}.cuda_available": False, f"{NV}.devices": []}, None, NOT_APPLICABLE, "", ""),
    (
        libraries.providers,
        {f"{ORT}.loaded": ["CPUExecutionProvider"], f"{ORT}.not_loaded": {"CUDAExecutionProvider": "libcudnn.so.9"}},
        *("serve", FAILS, "falls back to the processor (libcudnn.so.9)", "cudnn"),
    ),
    (
        libraries.providers,
        {f"{ORT}.loaded": ["CPUExecutionProvider"], f"{NV}.devices": []},
        *("serve", WARNS, "without a GPU", "extra cpu"),
    ),
    (
        libraries.providers,
        {f"{ORT}.installed": {"onnxruntime": "1.24"}, f"{ORT}.loaded": ["CPUExecutionProvider"]},
        *("serve", WARNS, "built for the processor", "aictl[gpu]"),
    ),
    (libraries.providers, {f"{ORT}.asked": "failed", f"{ORT}.note": "no numpy"}, None, FAILS, "no numpy", "again"),
    (libraries.providers, {ORT: {"installed": {}}}, None, NOT_APPLICABLE, "not installed", ""),
    (
        libraries.one_runtime,
        {f"{ORT}.installed": {"onnxruntime": "1", "onnxruntime-gpu": "1"}},
        *(None, FAILS, "onnxruntime and onnxruntime-gpu overwrite", "pip install onnxruntime-gpu"),
    ),
    (
        libraries.one_runtime,
        {f"{ORT}.installed": {"onnxruntime": "1", "onnxruntime-gpu": "1"}, f"{NV}.devices": []},
        *(None, FAILS, "overwrite", "uninstall -y onnxruntime onnxruntime-gpu; pip install onnxruntime"),
    ),
    (libraries.tensorrt, {"software.tensorrt.state": "absent"}, "trt", FAILS, "not installed", "aictl-tensorrt"),
    (libraries.tensorrt, {"software.tensorrt.state": "absent"}, None, NOT_APPLICABLE, "not installed", ""),
    (libraries.tensorrt, {f"{DEVICE}.compute_capability": "7.0"}, None, FAILS, "H100 has 7.0", "Turing"),
    (allowance.shared_memory, {"disks.mounts.0.total_bytes": 2**26}, None, FAILS, "of 64 MiB", "--shm-size"),
    (allowance.shared_memory, {"disks.mounts.0.free_bytes": 2**20}, None, WARNS, "1 MiB free", "ls -la /dev/shm"),
    (allowance.shared_memory, {"disks.mounts": []}, None, NOT_APPLICABLE, "", ""),
    (
        allowance.open_files,
        {"limits.ulimits.open_files": {"soft": 256, "hard": -1}},
        None,
        FAILS,
        "256",
        "ulimit -n 65536",
    ),
    (allowance.open_files, {"limits.ulimits.open_files": {"soft": 1024, "hard": 9000}}, None, WARNS, "1024", "-n 9000"),
    (allowance.open_files, {"limits.ulimits.open_files": {"soft": 1024, "hard": 1024}}, None, WARNS, "", "limits.conf"),
    (allowance.locked_memory, {"limits.ulimits.locked_bytes.soft": 2**23}, None, FAILS, "8 MiB", "memlock=-1"),
    (
        allowance.locked_memory,
        {"limits.ulimits.locked_bytes.soft": 2**23, "network.rdma": []},
        *(None, NOT_APPLICABLE, "no RDMA", ""),
    ),
    (
        allowance.memory_limit,
        {"memory.limit_bytes": 512000},
        None,
        WARNS,
        "500 KiB of the machine's 1000 KiB",
        "limits",
    ),
    (allowance.memory_limit, {"memory.limit_bytes": 1023999}, None, PASSES, "all", ""),
    (
        *(allowance.processor_limit, {"cpu.threads": 8, "cpu.usable_threads": 2, "cpu.quota_cpus": 2.0}, None, WARNS),
        *("2 threads of 8 (a quota of 2 cpus)", "--cpus"),
    ),
    (allowance.processor_limit, {"cpu.threads": 8, "cpu.usable_threads": 1}, None, WARNS, "1 thread of 8 (its aff", ""),
    (
        allowance.swap,
        {"memory.swap_bytes": 2**33, "memory.swap_free_bytes": 2**32},
        None,
        WARNS,
        "4 GiB of 8 GiB",
        "less",
    ),
    (allowance.swap, {"memory.swap_bytes": 2**33, "memory.swap_free_bytes": 2**33}, None, PASSES, "0 B of 8 GiB", ""),
    (allowance.huge_pages, {"memory.transparent_huge_pages": "never"}, None, WARNS, "off", "madvise"),
    (allowance.governor, {"cpu.governor": "powersave"}, None, WARNS, "powersave", "performance"),
    (allowance.governor, {"cpu.governor": "performance"}, None, PASSES, "performance", ""),
    (
        surroundings.disk,
        {f"{HERE}.free_bytes": 2**30},
        None,
        FAILS,
        "1 GiB free on ext4, and the job needs 5 GiB",
        "prune",
    ),
    (surroundings.disk, {f"{HERE}.free_bytes": None}, None, FAILS, "does not say", "df -h"),
    (surroundings.disk, {f"{HERE}.kind": "rotational"}, None, WARNS, "a rotating disk", "SSD"),
    (surroundings.mounts, {"disks.mounts.0.state": "unanswered"}, None, WARNS, "from /dev/shm", "umount"),
    (
        surroundings.rdma,
        {f"{PORT}.state": "DOWN", f"{PORT}.physical_state": "Polling"},
        None,
        FAILS,
        "(Polling)",
        "opensm",
    ),
    (surroundings.rdma, {"network.rdma": []}, None, NOT_APPLICABLE, "no RDMA", ""),
    (surroundings.gpudirect, {"network.direct.nvidia_peermem.state": "absent"}, None, WARNS, "not loaded", "modprobe"),
    (surroundings.gpudirect, {f"{NV}.devices": []}, None, NOT_APPLICABLE, "NVIDIA GPUs", ""),
    (surroundings.clock, {"clock.synchronised": False}, None, WARNS, "nothing keeps", "chrony"),
    (surroundings.clock, {"clock.max_error_s": 3.0}, None, WARNS, "wrong by 3.0 s", "timedatectl"),
    (surroundings.clock, {"clock": {}}, None, NOT_APPLICABLE, "", ""),
    (
        surroundings.containers,
        {"software.containers.docker": {"state": "not running", "note": "no socket"}},
        *(None, WARNS, "docker not running: no socket", "systemctl start docker"),
    ),
    (
        surroundings.containers,
        {"software.containers.nvidia_toolkit.state": "absent"},
        None,
        WARNS,
        "hand GPUs",
        "toolkit",
    ),
    (surroundings.containers, {"software.containers.docker.state": "absent"}, None, NOT_APPLICABLE, "", ""),
    (surroundings.cluster, {"software.kubernetes.state": "unanswered"}, None, WARNS, "lab unanswered", "use-context"),
    (surroundings.cluster, {"software.kubernetes.context": None}, None, NOT_APPLICABLE, "no context", ""),
    (surroundings.readable, {"not_readable": {"/sys/a": "Permission denied"}}, None, WARNS, "1 file may not", "user"),
]


@pytest.mark.parametrize(
    ("look_at", "changes", "purpose", "state", "message", "cure"),
    TROUBLE,
    ids=[f"{row[0].__name__}-{number}" for number, row in enumerate(TROUBLE)],
)
def test_trouble(case, look_at, changes, purpose, state, message, cure):
    found = look_at(case(changes, purpose))
    assert found.state == state
    assert message in found.message and cure in found.cure
    assert bool(found.cure) == (state in (WARNS, FAILS))


def test_a_port_that_trained_down_is_slower_than_the_others(case):
    port = case().facts["network"]["rdma"][0]
    slow = {**port, "device": "mlx5_1", "rate": "100 Gb/sec", "rate_gbit": 100.0}
    found = surroundings.rdma(case({"network.rdma": [port, slow]}))
    assert (found.state, "mlx5_1/1 100 Gb/sec" in found.message) == (WARNS, True)


def test_a_network_card_counts_for_distributed_work_alone(case):
    slow = {"name": "eth0", "virtual": False, "state": "up", "speed_mbit": 1000}
    changes = {"network.rdma": [], "network.interfaces": [slow]}
    assert surroundings.network_speed(case(changes)).state == NOT_APPLICABLE
    found = surroundings.network_speed(case(changes, "distributed"))
    assert (found.state, found.message) == (WARNS, "the fastest card does 1 Gbit/s")
    fast = {"network.rdma": [], "network.interfaces": [{**slow, "speed_mbit": 100_000}]}
    assert surroundings.network_speed(case(fast, "distributed")).state == PASSES


def test_what_a_purpose_needs_and_lacks_is_named_with_its_install_line(case, monkeypatch):
    monkeypatch.setattr(libraries, "missing", lambda extra: ["torch"] if extra == "train" else [])
    found = libraries.extras(case(purpose="train"))
    assert (found.state, found.message) == (FAILS, "the extra 'train' lacks torch")
    assert found.cure.startswith("pip install 'aictl[train")
    assert libraries.extras(case(purpose="serve")).state == PASSES
    assert libraries.extras(case()).message == "without: train"

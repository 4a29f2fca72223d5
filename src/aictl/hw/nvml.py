"""What runs beside us and asks NVIDIA's management library (NVML): a line of JSON for each fact.

Each fact is written as soon as it is known, and each GPU is asked by a thread of its own. So when a
call never returns, what is missing says which one it was, and the other GPUs have answered.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from typing import Any

import pynvml

Ask = Callable[[Any], Any]
_writing = threading.Lock()


def describe() -> None:
    """Write all that NVML knows of the driver and of each GPU."""
    if not _begin():
        return
    cuda = _known(pynvml.nvmlSystemGetCudaDriverVersion)
    count = _known(pynvml.nvmlDeviceGetCount) or 0
    version = f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None
    _say(system={"driver": _known(pynvml.nvmlSystemGetDriverVersion), "cuda": version, "count": count})
    _ask_each(range(count), FIELDS, peers=True)


def sample() -> None:
    """Write what changes from moment to moment, once for every line that comes in on stdin."""
    if not _begin():
        return
    count = _known(pynvml.nvmlDeviceGetCount) or 0
    _say(system={"count": count})
    for _ in sys.stdin:
        _ask_each(range(count), SAMPLED)
        _say(sampled=True)


def _begin() -> bool:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        _say(failed=f"NVML: {error}")
        return False
    return True


def _ask_each(numbers: range, fields: dict[str, Ask], *, peers: bool = False) -> None:
    def ask(number: int) -> None:
        # What joins two GPUs is asked last: a GPU that hangs must not leave its neighbours unknown.
        if (handle := _ask(number, fields)) and peers:
            _ask_peers(handle, number, numbers)

    threads = [threading.Thread(target=ask, args=(number,), daemon=True) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _ask(number: int, fields: dict[str, Ask]) -> Any:
    """Every field of one GPU; its handle, unless it was lost."""
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(number)
    except pynvml.NVMLError as error:
        _say(device=number, state="lost" if _lost(error) else "not opened", reason=_reason(error))
        return None
    for name, ask in fields.items():
        try:
            _say(device=number, field=name, value=ask(handle))
        except pynvml.NVMLError as error:
            _say(device=number, field=name, value=None, reason=_reason(error))
            if _lost(error):
                _say(device=number, state="lost", reason=_reason(error))
                return None
        except UnicodeDecodeError:
            _say(device=number, field=name, value=None, reason="is no text")
    _say(device=number, state="present")
    return handle


def _say(**facts: Any) -> None:
    with _writing:
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()


def _known(ask: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return ask(*arguments)
    except (pynvml.NVMLError, UnicodeDecodeError):
        return None


def _lost(error: Exception) -> bool:
    return isinstance(error, pynvml.NVMLError_GpuIsLost | pynvml.NVMLError_ResetRequired)


def _reason(error: Exception) -> str:
    for kind, words in (
        (pynvml.NVMLError_NotSupported, "not supported"),
        (pynvml.NVMLError_NoPermission, "no permission"),
        (pynvml.NVMLError_FunctionNotFound, "not in this driver"),
        (pynvml.NVMLError_GpuIsLost, "fallen off the bus"),
        (pynvml.NVMLError_ResetRequired, "has to be reset"),
    ):
        if isinstance(error, kind):
            return words
    return str(error)


# The facts, in the order in which they are asked for


def _mig(handle: Any) -> bool:
    return bool(pynvml.nvmlDeviceGetMigMode(handle)[0])


def _mig_instances(handle: Any) -> list[dict[str, Any]]:
    found = []
    for number in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            instance = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)
        except pynvml.NVMLError_NotFound:
            continue
        memory = _known(pynvml.nvmlDeviceGetMemoryInfo, instance)
        found.append(
            {
                "index": number,
                "name": _known(pynvml.nvmlDeviceGetName, instance),
                "uuid": _known(pynvml.nvmlDeviceGetUUID, instance),
                "gpu_instance": _known(pynvml.nvmlDeviceGetGpuInstanceId, instance),
                "compute_instance": _known(pynvml.nvmlDeviceGetComputeInstanceId, instance),
                "memory_bytes": memory.total if memory else None,
            }
        )
    return found


def _nvlinks(handle: Any) -> list[dict[str, Any]]:
    """Each lane: whether it is up, and what is at its other end: a GPU by its bus, or a switch."""
    kinds = {
        pynvml.NVML_NVLINK_DEVICE_TYPE_GPU: "gpu",
        pynvml.NVML_NVLINK_DEVICE_TYPE_IBMNPU: "cpu",
        pynvml.NVML_NVLINK_DEVICE_TYPE_SWITCH: "switch",
    }
    found = []
    for link in range(pynvml.NVML_NVLINK_MAX_LINKS):
        try:
            active = pynvml.nvmlDeviceGetNvLinkState(handle, link) == pynvml.NVML_FEATURE_ENABLED
        except (pynvml.NVMLError_NotSupported, pynvml.NVMLError_InvalidArgument):
            continue  # this GPU has no such lane
        remote = _known(pynvml.nvmlDeviceGetNvLinkRemotePciInfo, handle, link) if active else None
        kind = _known(pynvml.nvmlDeviceGetNvLinkRemoteDeviceType, handle, link) if active else None
        found.append(
            {
                "link": link,
                "active": active,
                "version": _known(pynvml.nvmlDeviceGetNvLinkVersion, handle, link) if active else None,
                "remote": remote.busId if remote else None,
                "remote_kind": kinds.get(kind) if kind is not None else None,
            }
        )
    return found


def _numa_node(handle: Any) -> int | None:
    """The NUMA node whose memory is nearest."""
    masks = pynvml.nvmlDeviceGetMemoryAffinity(handle, _NODE_MASKS, pynvml.NVML_AFFINITY_SCOPE_NODE)
    bits = (64 * at + bit for at, mask in enumerate(masks) for bit in range(64) if mask >> bit & 1)
    return next(bits, None)


_NODE_MASKS = 4  # of 64 nodes each

# What two GPUs have in common on the bus, in the words of `nvidia-smi topo -m`.
_COMMON = {
    pynvml.NVML_TOPOLOGY_INTERNAL: "PIX",
    pynvml.NVML_TOPOLOGY_SINGLE: "PIX",
    pynvml.NVML_TOPOLOGY_MULTIPLE: "PXB",
    pynvml.NVML_TOPOLOGY_HOSTBRIDGE: "PHB",
    pynvml.NVML_TOPOLOGY_NODE: "NODE",
    pynvml.NVML_TOPOLOGY_SYSTEM: "SYS",
}


def _ask_peers(handle: Any, number: int, numbers: range) -> None:
    """How this GPU reaches the others over PCIe, as the driver knows it: all so far, after each."""
    found: dict[int, str] = {}
    for other in numbers:
        peer = _known(pynvml.nvmlDeviceGetHandleByIndex, other) if other != number else None
        level = _known(pynvml.nvmlDeviceGetTopologyCommonAncestor, handle, peer) if peer else None
        if level in _COMMON:
            found[other] = _COMMON[level]
            _say(device=number, field="peers", value=found)


_THROTTLES = {
    "power cap": 0x04,
    "hardware slowdown": 0x08,
    "software thermal": 0x20,
    "hardware thermal": 0x40,
    "power brake": 0x80,
}  # https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html


def _throttled(handle: Any) -> list[str]:
    bits = pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)
    return [name for name, bit in _THROTTLES.items() if bits & bit]


def _uncorrected(handle: Any) -> int:
    return pynvml.nvmlDeviceGetTotalEccErrors(
        handle, pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, pynvml.NVML_VOLATILE_ECC
    )


def _processes(handle: Any) -> list[dict[str, Any]]:
    return [
        {"pid": one.pid, "memory_bytes": one.usedGpuMemory, "name": _known(pynvml.nvmlSystemGetProcessName, one.pid)}
        for one in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    ]


SAMPLED: dict[str, Ask] = {
    "name": pynvml.nvmlDeviceGetName,
    "utilization_percent": lambda handle: pynvml.nvmlDeviceGetUtilizationRates(handle).gpu,
    "memory_bytes": lambda handle: pynvml.nvmlDeviceGetMemoryInfo(handle).total,
    "memory_used_bytes": lambda handle: pynvml.nvmlDeviceGetMemoryInfo(handle).used,
    "power_draw_w": lambda handle: pynvml.nvmlDeviceGetPowerUsage(handle) / 1000,
    "power_limit_w": lambda handle: pynvml.nvmlDeviceGetPowerManagementLimit(handle) / 1000,
    "temperature_c": lambda handle: pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU),
    "sm_mhz": lambda handle: pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM),
    "processes": _processes,
}

FIELDS: dict[str, Ask] = {
    "name": SAMPLED["name"],
    "uuid": pynvml.nvmlDeviceGetUUID,
    "bus": lambda handle: pynvml.nvmlDeviceGetPciInfo(handle).busId,
    "memory_bytes": SAMPLED["memory_bytes"],
    "memory_used_bytes": SAMPLED["memory_used_bytes"],
    "compute_capability": lambda handle: ".".join(map(str, pynvml.nvmlDeviceGetCudaComputeCapability(handle))),
    "cuda_cores": pynvml.nvmlDeviceGetNumGpuCores,
    "utilization_percent": SAMPLED["utilization_percent"],
    "power_draw_w": SAMPLED["power_draw_w"],
    "power_limit_w": SAMPLED["power_limit_w"],
    "max_power_limit_w": lambda handle: pynvml.nvmlDeviceGetPowerManagementLimitConstraints(handle)[1] / 1000,
    "temperature_c": SAMPLED["temperature_c"],
    "sm_mhz": SAMPLED["sm_mhz"],
    "max_sm_mhz": lambda handle: pynvml.nvmlDeviceGetMaxClockInfo(handle, pynvml.NVML_CLOCK_SM),
    "memory_mhz": lambda handle: pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_MEM),
    "max_memory_mhz": lambda handle: pynvml.nvmlDeviceGetMaxClockInfo(handle, pynvml.NVML_CLOCK_MEM),
    "performance_state": pynvml.nvmlDeviceGetPerformanceState,
    "throttled": _throttled,
    "persistence": lambda handle: bool(pynvml.nvmlDeviceGetPersistenceMode(handle)),
    "ecc": lambda handle: bool(pynvml.nvmlDeviceGetEccMode(handle)[0]),
    "ecc_uncorrected": _uncorrected,
    "mig": _mig,
    "mig_instances": _mig_instances,
    "pcie_generation": pynvml.nvmlDeviceGetCurrPcieLinkGeneration,
    "max_pcie_generation": pynvml.nvmlDeviceGetMaxPcieLinkGeneration,
    "pcie_width": pynvml.nvmlDeviceGetCurrPcieLinkWidth,
    "max_pcie_width": pynvml.nvmlDeviceGetMaxPcieLinkWidth,
    "numa_node": _numa_node,
    "nvlinks": _nvlinks,
}

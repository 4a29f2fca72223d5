"""NVIDIA's GPUs as its management library (NVML) describes them.

``nvidia-ml-py`` is optional, and so is the driver: without either there is nothing to add.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def probe() -> dict[str, Any]:
    """``{"state", "driver", "cuda", "devices"}``, or a ``note`` that says why NVML told nothing."""
    try:
        import pynvml
    except ImportError:
        return {"note": "nvidia-ml-py is not installed: pip install 'aictl[hw]'"}
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return {"note": f"NVML: {error}"}
    try:
        cuda = _ask(pynvml.nvmlSystemGetCudaDriverVersion)
        devices = [_device(pynvml, index) for index in range(_ask(pynvml.nvmlDeviceGetCount) or 0)]
        return {
            "state": "present" if devices else "absent",
            "driver": _ask(pynvml.nvmlSystemGetDriverVersion),
            "cuda": f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None,
            "devices": devices,
        }
    finally:
        _ask(pynvml.nvmlShutdown)


def _device(pynvml: Any, index: int) -> dict[str, Any]:
    handle = _ask(pynvml.nvmlDeviceGetHandleByIndex, index)
    if handle is None:
        return {"index": index, "name": None, "note": "NVML cannot open it"}
    memory = _ask(pynvml.nvmlDeviceGetMemoryInfo, handle)
    capability = _ask(pynvml.nvmlDeviceGetCudaComputeCapability, handle)
    power = _ask(pynvml.nvmlDeviceGetPowerManagementLimit, handle)
    mig = _ask(pynvml.nvmlDeviceGetMigMode, handle)
    pci = _ask(pynvml.nvmlDeviceGetPciInfo, handle)
    ecc = _ask(pynvml.nvmlDeviceGetEccMode, handle)
    return {
        "index": index,
        "name": _ask(pynvml.nvmlDeviceGetName, handle),
        "uuid": _ask(pynvml.nvmlDeviceGetUUID, handle),
        "bus": pci.busId if pci else None,
        "memory_bytes": memory.total if memory else None,
        "memory_free_bytes": memory.free if memory else None,
        "compute_capability": ".".join(map(str, capability)) if capability else None,
        "cuda_cores": _ask(pynvml.nvmlDeviceGetNumGpuCores, handle),
        "power_limit_w": power / 1000 if power else None,
        "temperature_c": _ask(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU),
        "max_sm_mhz": _ask(pynvml.nvmlDeviceGetMaxClockInfo, handle, pynvml.NVML_CLOCK_SM),
        "mig": bool(mig[0]) if mig else None,
        "ecc": bool(ecc[0]) if ecc else None,
    }


def _ask(question: Callable[..., Any], *arguments: Any) -> Any:
    """The answer, or None where this device, driver or virtual machine does not give it."""
    import pynvml

    try:
        return question(*arguments)
    except (pynvml.NVMLError, UnicodeDecodeError):
        return None

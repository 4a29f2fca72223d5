"""Every check, in the order in which they are read, and what each is required for."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from aictl.hw.doctor import allowance, gpu, libraries, surroundings
from aictl.hw.doctor.finding import Case, Finding

ALWAYS = ("train", "serve", "trt", "distributed", "any")


class Check(NamedTuple):
    """A name, the function that looks, and the purposes for which it has to pass; ``any`` is no
    purpose in particular."""

    name: str
    look: Callable[[Case], Finding]
    required: tuple[str, ...] = ()

    def is_required(self, purpose: str | None) -> bool:
        return (purpose or "any") in self.required


CHECKS = (
    Check("accelerator driver", gpu.driver, ALWAYS),
    Check("accelerator health", gpu.health, ALWAYS),
    Check("PCIe links", gpu.pcie_link),
    Check("NVLink", gpu.nvlink),
    Check("MIG", gpu.mig, ALWAYS),
    Check("torch build", libraries.torch_build, ("train", "distributed")),
    Check("torch computes", libraries.torch_computes, ("train", "distributed")),
    Check("one onnxruntime", libraries.one_runtime, ALWAYS),
    Check("providers", libraries.providers, ("serve", "trt")),
    Check("TensorRT", libraries.tensorrt, ("trt",)),
    Check("extras", libraries.extras, ("train", "serve", "trt", "distributed")),
    Check("shared memory", allowance.shared_memory, ("train", "distributed")),
    Check("open files", allowance.open_files, ("serve", "distributed")),
    Check("locked memory", allowance.locked_memory, ("distributed",)),
    Check("memory limit", allowance.memory_limit),
    Check("processor limit", allowance.processor_limit),
    Check("swap", allowance.swap),
    Check("huge pages", allowance.huge_pages),
    Check("governor", allowance.governor),
    Check("disk", surroundings.disk, ALWAYS),
    Check("mounts", surroundings.mounts),
    Check("RDMA ports", surroundings.rdma, ("distributed",)),
    Check("GPUDirect", surroundings.gpudirect),
    Check("network speed", surroundings.network_speed),
    Check("clock", surroundings.clock),
    Check("containers", surroundings.containers),
    Check("cluster", surroundings.cluster),
    Check("readable", surroundings.readable),
)

"""Checks of software: builds that fit the driver, providers that load, extras that a purpose needs."""

from __future__ import annotations

from aictl.core.extras import EXTRAS, install_line, missing
from aictl.hw.doctor.finding import Case, Finding, fails, not_applicable, passes, warns

_CPU = ("CPUExecutionProvider", "AzureExecutionProvider")  # the second sends work away; it computes nothing
_GPU_PROVIDERS = {
    "onnxruntime-gpu": "CUDAExecutionProvider",
    "onnxruntime-rocm": "ROCMExecutionProvider",
    "onnxruntime-directml": "DmlExecutionProvider",
    "onnxruntime-openvino": "OpenVINOExecutionProvider",
}
# What `--for` asks of our own extras; trt needs its plugin as well, which has a check of its own.
_EXTRAS = {"train": ("train",), "distributed": ("train",), "serve": ("serve", "cpu"), "trt": ("export",)}


def torch_build(case: Case) -> Finding:
    """torch was built for this machine's accelerator, and for a CUDA that the driver serves."""
    torch, about = case.torch, case.facts["accelerators"]
    if torch["state"] == "absent":
        return not_applicable("torch is not installed")
    build, version = torch["build"], torch["version"]
    # AMD makes the graphics of ordinary processors too: only with ROCm is one meant to compute.
    rocm = about["amd"]["devices"] and (about["amd"].get("rocm") or build == "rocm")
    maker, wanted = ("nvidia", "cuda") if case.gpus else ("amd", "rocm") if rocm else ("", "cpu")
    if wanted == "cpu" and build == "cpu":
        return passes(f"torch {version} for the processor, and there is no GPU")
    if wanted == "cpu":
        message = f"torch {version} is built for {build}, and there is no such GPU"
        return warns(message, "it works all the same; the CPU build is a tenth of its size")
    if build != wanted:
        cure = "install the build for it: https://pytorch.org/get-started/locally"
        return fails(f"torch {version} is built for {build}, so the GPU ({maker}) is not used", cure)
    if build == "cuda":
        return _cuda(torch["cuda"], case.nvidia.get("cuda"), case.nvidia.get("driver"), version)
    return passes(f"torch {version} for ROCm {torch['rocm']}")


def _cuda(built: str | None, served: str | None, driver: str | None, version: str) -> Finding:
    """A driver serves every CUDA of its own major version and the older ones
    (https://docs.nvidia.com/deploy/cuda-compatibility)."""
    if not built or not served:
        message = f"torch {version} is built for CUDA {built}, and the driver does not say what it serves"
        return warns(message, "pip install 'aictl[hw]', or update the driver")
    needs, has = (tuple(map(int, text.split(".")[:2])) for text in (built, served))
    if needs[0] > has[0]:
        cure = f"update the driver, or install torch built for CUDA {has[0]}"
        return fails(f"torch is built for CUDA {built}, and driver {driver} serves CUDA up to {served}", cure)
    if needs > has:
        message = f"torch is built for CUDA {built}, and driver {driver} was made for {served}"
        return warns(f"{message}: kernels that are compiled at run time may fail", "update the driver")
    return passes(f"torch {version} for CUDA {built}, driver {driver} serves {served}")


def torch_computes(case: Case) -> Finding:
    """torch itself finds the GPU and adds two numbers on it."""
    torch = case.torch
    if torch["state"] == "absent" or torch.get("build") == "cpu":
        return not_applicable("torch is not built for a GPU")
    if torch.get("asked") != "answered":
        return fails(f"torch does not say what it finds: {torch.get('note', 'not asked')}", "python -c 'import torch'")
    if not torch["cuda_available"]:
        if not case.gpus and not case.facts["accelerators"]["amd"]["devices"]:
            return not_applicable("there is no GPU to find")
        return fails("torch finds no GPU", "CUDA_VISIBLE_DEVICES may hide them; see the driver's check")
    if not torch.get("computes"):
        return fails(
            f"torch cannot compute on the GPU: {torch.get('error')}", "install a build for its compute capability"
        )
    return passes(f"torch computes on {', '.join(torch['devices'])}")


def providers(case: Case) -> Finding:
    """No provider that is installed falls back to the processor."""
    runtime = case.runtime
    if not runtime["installed"]:
        return not_applicable("onnxruntime is not installed")
    if runtime.get("asked") != "answered":
        return fails(f"onnxruntime does not load: {runtime.get('note')}", "install it again, one build alone")
    computing = [name for name in runtime["loaded"] if name not in _CPU]
    for package, provider in _GPU_PROVIDERS.items():
        if package in runtime["installed"] and provider not in computing:
            why = runtime["not_loaded"].get(provider, "it is not among its providers")
            message = f"{package} is installed and {provider} does not load: work falls back to the processor ({why})"
            if case.gpus or package != "onnxruntime-gpu":
                return fails(message, "its CUDA and cuDNN must be there: pip install 'onnxruntime-gpu[cuda,cudnn]'")
            return warns(
                f"{package} on a machine without a GPU: work falls back to the processor", "install the extra cpu"
            )
    if case.gpus and not computing:
        return warns(
            "onnxruntime is built for the processor, and there is a GPU", "pip install 'aictl[gpu]' in place of cpu"
        )
    return passes(f"loads {', '.join(runtime['loaded'])}")


def one_runtime(case: Case) -> Finding:
    """One build of onnxruntime is installed: their files lie in one folder and overwrite each other."""
    installed = list(case.runtime["installed"])
    if len(installed) > 1:
        both = " and ".join(installed)
        again = "onnxruntime-gpu" if case.gpus and "onnxruntime-gpu" in installed else installed[0]
        return fails(
            f"{both} overwrite each other's files",
            f"pip uninstall -y {' '.join(installed)}; pip install {again}",
        )
    return passes(f"{installed[0]} alone") if installed else not_applicable("onnxruntime is not installed")


def tensorrt(case: Case) -> Finding:
    """TensorRT is installed, and the GPU is one that it supports."""
    found = case.facts["software"]["tensorrt"]
    if found["state"] == "absent":
        if case.purpose == "trt":
            return fails("TensorRT is not installed", "pip install 'aictl-tensorrt[rtx]'")
        return not_applicable("TensorRT is not installed")
    old = [one for one in case.gpus if one.get("compute_capability") and _version(one["compute_capability"]) < (7, 5)]
    if old:
        names = ", ".join(f"{one['name']} has {one['compute_capability']}" for one in old)
        return fails(f"TensorRT needs compute capability 7.5: {names}", "use a GPU of Turing or later")
    return passes(", ".join([f"{name} {version}" for name, version in found["packages"].items()] + found["libraries"]))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def extras(case: Case) -> Finding:
    """What a purpose needs is installed."""
    wanted = _EXTRAS.get(case.purpose or "", ())
    if not wanted:
        lacking = [name for name in EXTRAS if missing(name)]
        return passes(f"without: {', '.join(lacking)}" if lacking else "every extra is installed")
    for extra in wanted:
        if absent := missing(extra):
            return fails(f"the extra '{extra}' lacks {', '.join(absent)}", install_line(extra))
    return passes(f"{', '.join(wanted)}: installed")

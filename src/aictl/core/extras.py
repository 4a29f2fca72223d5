"""Optional dependencies: checked before the work starts, named in the error that says they lack."""

from __future__ import annotations

import importlib.util

from aictl.core.errors import ExtraMissing

# What must be importable for an extra to count as installed. The names of the extras are
# those of pyproject.toml; a test holds the two together.
EXTRAS: dict[str, tuple[str, ...]] = {
    "data": ("numpy", "orjson", "yaml", "re2", "ahocorasick_rs", "chardet", "ftfy", "phonenumbers", "py3langid"),
    "documents": ("pyarrow", "pypdfium2", "brotli"),
    "images": ("PIL",),
    "detection": ("PIL", "scipy"),
    "ray": ("ray",),
    "label": ("numpy", "polars", "httpx", "tokenizers"),
    "tokenizing": ("tokenizers", "numpy"),
    "fast-tokenizing": ("tokenizers", "numpy", "gigatoken"),
    "train": ("torch", "transformers", "tokenizers", "safetensors", "yaml"),
    "finetune": ("torch", "transformers", "peft"),
    "qlora": ("torch", "transformers", "peft", "bitsandbytes"),
    "float8": ("torch", "transformers", "torchao"),
    "tensorboard": ("torch", "transformers", "tensorboard"),
    "mlflow": ("torch", "transformers", "mlflow"),
    "wandb": ("torch", "transformers", "wandb"),
    "trackio": ("torch", "transformers", "trackio"),
    "gguf": ("torch", "transformers", "gguf"),
    "hub": ("huggingface_hub",),
    "evaluate": ("numpy", "tokenizers", "jinja2", "sacrebleu", "rouge_score"),
    "harness": ("sacrebleu", "rouge_score", "lm_eval"),
    "export": ("torch", "transformers", "onnx", "onnxscript", "onnxruntime"),
    "optimize": ("torch", "transformers", "onnx", "onnx_ir", "onnxruntime", "onnxruntime_genai"),
    "serve": ("starlette", "uvicorn", "prometheus_client", "tokenizers", "jinja2"),
    "app": ("copier",),
    "hw": ("pynvml",),
    "stores": ("fsspec", "s3fs", "hdfs_native", "requests"),
    "gcs": ("gcsfs",),
    "azure": ("adlfs",),
    "plots": ("matplotlib",),
    "bench": ("torch", "numpy", "matplotlib"),
    "cpu": ("onnxruntime",),
}
# onnxruntime comes in a build for CPUs and one for NVIDIA GPUs, which must never be installed
# together: which of them is the user's choice, so no verb's extra brings either.
_RUNTIME = ("onnxruntime", "onnxruntime_genai")


def install_line(extra: str) -> str:
    """The exact command that installs an extra, as it is missing here."""
    needed = [extra]
    if extra != "cpu" and any(name in _RUNTIME for name in missing(extra)):
        needed.append("cpu")
    line = f"pip install 'aictl[{','.join(needed)}]'"
    return f"{line}  (with an NVIDIA GPU: gpu in place of cpu)" if "cpu" in needed else line


def missing(extra: str) -> list[str]:
    """The modules of an extra that cannot be found; nothing is imported."""
    return [name for name in EXTRAS[extra] if importlib.util.find_spec(name) is None]


def require(extra: str) -> None:
    """Raise :class:`ExtraMissing` with the install line unless the extra is installed."""
    if lacking := missing(extra):
        raise ExtraMissing(
            f"this needs the extra '{extra}', and {', '.join(lacking)} is not installed",
            cure=install_line(extra),
        )

"""Quantised, fused graphs: onnxruntime-genai's model builder writes them, and their weights are rounded here.

The builder reads a checkpoint folder and writes GroupQueryAttention and other fused operators. It
does so in full precision, and :mod:`aictl.optimize.rounding` puts MatMulNBits in the place of the
matrices; or it rounds them itself, by k-quant. It is a script with a module path, a logger and a
progress bar of its own, so it runs in a process of its own, and never looks for a network.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import onnx

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import copy_text_files, write_facts
from aictl.core.errors import BadRequest, WorkFailed
from aictl.core.events import Events, silent
from aictl.inference.checkpoints import load_merged
from aictl.inference.quiet import quiet
from aictl.optimize.rounding.calibration import Texts
from aictl.optimize.rounding.grid import Bits
from aictl.optimize.rounding.rounder import Recipe, Report, Rounder
from aictl.optimize.spec import Method, Rounding

BITS: dict[Method, Bits] = {"int4": 4, "int8": 8}
BLOCKS: dict[Method, int] = {"int4": 128, "int8": 64}
"""The longest blocks: int4's are for speed; int8's are shorter, since inputs are rounded in the same blocks."""
K_QUANT: dict[Method, tuple[str, ...]] = {
    "int4": ("algo_config=k_quant", "matmul_mixed_precision=last_matmul:int8,mixed_layers:int8"),
    "int8": ("algo_config=k_quant",),
}
GRAPH_FILES = ("model.onnx", "model.onnx.data")
HEAD_MULTIPLE = 16
UNSUPPORTED = "is not currently supported"  # the builder's words for an architecture it does not know


def build(
    weights: Checkpoint | Adapter,
    method: Method,
    folder: Path,
    scratch: Path,
    *,
    rounding: Rounding = "k-quant",
    calibration: Texts = (),
    threads: int | None = None,
    events: Events = silent,
) -> Report:
    """Write a quantised model, its tokenizer and its description into ``folder``.

    ``calibration`` are token ids of text to round for, never of text that the result is judged on. GPTQ
    and AWQ need some; 4 bits by any way but k-quant need some to find which matrices want 8.

    Raises :class:`BadRequest` for an architecture that the builder does not know, or without text for a way of
    rounding that needs it; :class:`WorkFailed` if the builder fails otherwise.
    """
    base = weights.base if isinstance(weights, Adapter) else weights
    if rounding == "k-quant":
        built = _built(weights, scratch, precision=method, options=K_QUANT[method])
        report = Report()
        for name in GRAPH_FILES:
            shutil.move(built / name, folder / name)
    else:
        recipe = Recipe(BITS[method], rounding, BLOCKS[method])
        if recipe.reads and not any(calibration):
            raise BadRequest(
                f"rounding by {rounding} needs text to calibrate on", cure="name a dataset, or round by hqq"
            )
        built = full_precision(weights, scratch)
        report = Rounder(recipe, calibration, threads, events).round(built, folder, scratch=scratch)
    describe(built, base, folder, method)
    return report


def full_precision(weights: Checkpoint | Adapter, scratch: Path) -> Path:
    """A folder in ``scratch`` with the fused graph and nothing rounded: model.onnx, model.onnx.data and
    genai_config.json. Raises what :func:`build` raises of the builder."""
    return _built(weights, scratch, precision="fp32")


def describe(built: Path, base: Checkpoint, folder: Path, precision: str) -> None:
    """Write what belongs to the graph in ``folder``: how it is driven, as ``built`` says, its tokenizer, its facts."""
    shutil.copyfile(built / "genai_config.json", folder / "genai_config.json")
    copy_text_files(base.folder, folder)
    if base.config.get("eos_token_id") is None:
        _forget_end(folder / "genai_config.json")
    graph = onnx.load(folder / "model.onnx", load_external_data=False)
    opset = next(entry.version for entry in graph.opset_import if entry.domain in ("", "ai.onnx"))
    write_facts(folder, layout="fused", precision=precision, opset=opset)


def _require_fusible(base: Checkpoint) -> None:
    """GroupQueryAttention on the CPU takes heads whose width is a multiple of 16."""
    config = base.config
    width = config.get("head_dim") or config.get("hidden_size", 0) // config.get("num_attention_heads", 1)
    if width % HEAD_MULTIPLE:
        raise BadRequest(
            f"'{base.label}' has attention heads {width} wide, and fused attention takes multiples of {HEAD_MULTIPLE}",
            cure="train it with fewer heads, or serve the onnx model as it is",
        )


def _lay_out(weights: Checkpoint | Adapter, folder: Path) -> None:
    """A folder as the builder wants it: an adapter's weights merged, an end token named."""
    base = weights.base if isinstance(weights, Adapter) else weights
    folder.mkdir(parents=True)
    if isinstance(weights, Adapter):
        with quiet():
            load_merged(weights).save_pretrained(folder)
    else:
        for path in base.weights():
            (folder / path.name).symlink_to(path.resolve())
        for path in base.folder.glob("*.index.json"):
            shutil.copyfile(path, folder / path.name)
    copy_text_files(base.folder, folder)
    config = dict(base.config)
    if config.get("eos_token_id") is None:
        config["eos_token_id"] = 0  # the builder insists on one
    (folder / "config.json").write_text(json.dumps(config), "utf-8")


def _forget_end(path: Path) -> None:
    """A model that never ends by itself must not end at the token that was named for the builder."""
    driving = json.loads(path.read_text("utf-8"))
    driving["model"]["eos_token_id"] = []
    path.write_text(json.dumps(driving, indent=1) + "\n", "utf-8")


def _built(weights: Checkpoint | Adapter, scratch: Path, *, precision: str, options: tuple[str, ...] = ()) -> Path:
    base = weights.base if isinstance(weights, Adapter) else weights
    _require_fusible(base)
    source, built, log = scratch / "source", scratch / "built", scratch / "builder.log"
    for stale in (source, built):
        shutil.rmtree(stale, ignore_errors=True)
    _lay_out(weights, source)
    found = importlib.util.find_spec("onnxruntime_genai")
    assert found is not None and found.origin is not None  # the command's extra was checked
    script = Path(found.origin).parent / "models" / "builder.py"
    arguments: list[str | Path] = [sys.executable, script, "--input", source, "--output", built]
    arguments += ["--cache_dir", log.parent / "cache", "--precision", precision, "--execution_provider", "cpu"]
    arguments += ["--extra_options", "hf_token=false", *options]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    with log.open("wb") as output:
        done = subprocess.run(
            arguments,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode == 0 and (built / "model.onnx").is_file():
        return built
    told = log.read_text("utf-8", "replace").strip().splitlines()
    if any(UNSUPPORTED in line for line in told):
        raise BadRequest(
            f"'{base.label}' is of the architecture {base.config.get('architectures')}, for which there are no "
            "fused operators",
            cure="serve it as it is, or quantise a Llama- or Qwen-style model",
        )
    raise WorkFailed(f"the model builder stopped with exit code {done.returncode}: {told[-1] if told else 'silently'}")

"""From TensorFlow's files to an onnx artifact: convert, run both, compare, and keep it only if they agree.

source ─ recognise ▶ TensorFlow's process ─ model.onnx, outputs ▶ onnxruntime ─ compare ▶ onnx artifact
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aictl.artifacts.onnx import OnnxModel, write_facts
from aictl.artifacts.onnx_header import read_header
from aictl.artifacts.quantity import number_shown
from aictl.core.artifact import Source
from aictl.core.errors import BadInput, GateMissed
from aictl.core.events import Events
from aictl_tensorflow.environment import ask, find_python
from aictl_tensorflow.parity import Parity, compare
from aictl_tensorflow.recognise import recognise
from aictl_tensorflow.spec import TensorflowSpec

SAMPLE_FILES = (".npz", ".npy")


def bring(
    source: Source, samples: Source | None, spec: TensorflowSpec, folder: Path, *, scratch: Path, events: Events
) -> OnnxModel:
    """Write the ONNX form of a TensorFlow model into ``folder``.

    Raises :class:`GateMissed` if an output differs from TensorFlow's by more than ``spec.tolerance``;
    :class:`BadInput` for what is no model, or one that could run code; ``WorkFailed`` if it has operators that ONNX
    does not; ``ExtraMissing`` where there is no TensorFlow.
    """
    found = recognise(source)
    given = None if samples is None else _samples(samples)
    python = find_python(spec.python)
    events.started("convert with TensorFlow")
    request = {
        "format": found.format,
        "path": str(found.path.absolute()),
        "signature": spec.signature,
        "opset": spec.opset,
        "samples": given,
        "folder": str(folder.absolute()),
        "scratch": str(scratch.absolute()),
    }
    facts = ask(python, request)
    events.finished("convert with TensorFlow")
    events.started("compare with TensorFlow")
    parity = compare(folder / "model.onnx", scratch / "compared.npz")
    events.measured("difference from TensorFlow", parity.worst)
    events.finished("compare with TensorFlow")
    _require(parity, spec)
    if facts["random"]:
        events.noted(
            "no --samples were given, so the two were compared on random numbers, and not on what it was made for",
            "warning",
        )
    header = read_header(folder / "model.onnx")
    write_facts(
        folder,
        layout="fused" if facts["domains"] else "standard",
        precision="fp32",
        opset=header.opset,
        capability=spec.can,
        signature=header.signature,
    )
    return OnnxModel(folder, metrics=_metrics(found.format, facts, parity, spec), summary=_summary(facts, parity, spec))


def _samples(source: Source) -> str:
    if not source.path.is_file() or source.path.suffix not in SAMPLE_FILES:
        raise BadInput(f"--samples {source.uri} is no {' or '.join(SAMPLE_FILES)} file", cure="numpy.savez writes one")
    return str(source.path.absolute())


def _require(parity: Parity, spec: TensorflowSpec) -> None:
    if not parity.worst <= spec.tolerance:
        worst = max(parity.by_output, key=parity.by_output.__getitem__)
        raise GateMissed(
            f"the graph's output '{worst}' differs from TensorFlow's by up to {parity.worst:.3g}, "
            f"and --tolerance is {spec.tolerance:.3g}",
            cure="raise --tolerance if such a difference does not matter to you",
        )


def _metrics(format: str, facts: dict[str, Any], parity: Parity, spec: TensorflowSpec) -> dict[str, Any]:
    return {
        "format": format,
        "parameters": facts["parameters"],
        "parity": {
            "worst": parity.worst,
            "outputs": parity.by_output,
            **({} if parity.same_choice is None else {"same_choice": parity.same_choice}),
            "samples": facts["rows"],
            "random": facts["random"],
            "tolerance": spec.tolerance,
        },
        "converted_by": facts["versions"],
    }


def _summary(facts: dict[str, Any], parity: Parity, spec: TensorflowSpec) -> str:
    on = f"{facts['rows']} {'random inputs' if facts['random'] else 'samples'}"
    what = f"{spec.can}, " if spec.can else ""
    return f"{number_shown(facts['parameters'])} parameters, {what}within {parity.worst:.1g} of TensorFlow on {on}"

"""From an onnx artifact to one in onnxruntime's own format: optimised, written, read back, and held against it.

model.onnx ─▶ model.ort, required_operators.config ─ read back ─▶ the same on real inputs?

onnxruntime writes the format itself, from a session. As its converter does, all its optimisations are made but one,
which arranges pictures as the processors of x86-64 alone like them. What it makes of a graph is final: a phone's build
needs no optimiser, and the operators that are left are all that it needs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnxruntime

from aictl.artifacts.mobile import OPERATORS, MobileModel
from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import BadRequest, Damaged, MachineLacks, WorkFailed, WrongKind
from aictl.core.events import Events
from aictl.export.converted import Close, Parent
from aictl.export.spec import MobileSpec

_MOST_BYTES = 2**31 - 1  # of a flatbuffer, whose offsets are signed numbers of 32 bits
_FOR_ONE_MACHINE, _FOLDING = "NchwcTransformer", "ConstantFolding"
_WORTH = 0.99  # of a file: one that is larger by less keeps its constants folded
_PROVIDERS = ["CPUExecutionProvider"]
_ERRORS_ONLY = 3


def export(model: OnnxModel, spec: MobileSpec, folder: Path, *, events: Events) -> MobileModel:
    """Write the graphs of ``model`` in onnxruntime's own format into ``folder``, with what belongs to them.

    Raises :class:`WrongKind` for a model for something that is not converted, in numbers of half the width, or with
    fused operators,
    :class:`BadRequest` for one that is too large for the format, :class:`Damaged` for files that are not whole,
    :class:`GateMissed` if what comes out differs from the graph's by more than ``spec.tolerance``,
    :class:`MachineLacks` for a disk that is full.
    """
    precision = model.facts["precision"]
    if precision in ("fp16", "bf16"):
        raise WrongKind(
            f"{model.label} is in {precision}, which onnxruntime widens on a processor: the file would be as large as "
            "one in fp32, and no faster",
            cure="export it in fp32, and make that smaller with aictl optimize quantize, in whole numbers of 8 bits",
        )
    parent = Parent(model, command="export mobile")
    before = model.weights_bytes
    if before > _MOST_BYTES:
        raise BadRequest(
            f"{model.label} has {before / 2**30:.3g} GiB, and a file of this format holds 2 GiB at most",
            cure="make it smaller first: aictl optimize quantize",
        )
    task = "write onnxruntime's own format"
    events.started(task)
    written = [folder / name for graph in model.graphs for name in MobileModel.files_of(graph)]
    for source, path in zip(model.graphs.values(), written, strict=True):
        _write(source, path)
    operators = _write_operators(written, folder / OPERATORS)
    parent.describe(MobileModel, folder, precision=precision, version=onnxruntime.__version__)
    made = MobileModel(folder)
    made.check()
    graphs = {name: _opened(path) for name, path in made.graphs.items()}
    events.finished(task)
    # Weights are the same whatever their precision, and so is what reckons with them.
    metrics = parent.judge(made, graphs, Close("fp32", spec.tolerance), events)
    return MobileModel(
        folder,
        metrics={**metrics, "operators": operators},
        summary=f"{precision}, {metrics['size_bytes'] / 1e6:.3g} MB, {operators} operators, within "
        f"{metrics['parity']['worst']:.1g} of the graph of {before / 1e6:.3g} MB, "
        f"{metrics['speedup']['ratio']:.2g}x as fast on one thread",
    )


def _write(source: Path, path: Path) -> None:
    """Write a graph, with its constants worked out unless that makes it larger: a head that shares the table of the
    tokens has it turned on its side, which folded is a second table (SmolLM2-135M: 652 MB in place of 539), and
    unfolded becomes part of the multiplication (there 0.97 times as fast as the ONNX graph, 0.96 to 1.07)."""
    _save(source, path, [_FOR_ONE_MACHINE])
    other = path.with_suffix(".unfolded")
    try:
        _save(source, other, [_FOR_ONE_MACHINE, _FOLDING])
    except WorkFailed:
        other.unlink(missing_ok=True)
        return
    if other.stat().st_size < _WORTH * path.stat().st_size:
        other.replace(path)
    else:
        other.unlink()


def _save(source: Path, path: Path, left_out: list[str]) -> None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.optimized_model_filepath = str(path)
    options.add_session_config_entry("session.save_model_format", "ORT")
    try:
        onnxruntime.InferenceSession(source, options, providers=_PROVIDERS, disabled_optimizers=left_out)
        found = path.stat().st_size
    except Exception as error:  # onnxruntime's errors have no public base class of their own
        said = str(error).splitlines()[0]
        if isinstance(error, OSError) or "write" in said.lower():
            raise MachineLacks(
                f"{path} cannot be written: {said}", cure="free some space, then run the same command again"
            ) from error
        raise WorkFailed(f"onnxruntime cannot write {source.name} in its own format: {said}") from error
    if not found:
        raise WorkFailed(f"onnxruntime wrote nothing of {source.name}")


def _opened(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(path, options, providers=_PROVIDERS)
    except Exception as error:
        raise Damaged(f"{path} cannot be loaded: {str(error).splitlines()[0]}") from error


def _write_operators(graphs: Sequence[Path], path: Path) -> int:
    """Write the operators of all graphs, by domain and version, and return how many there are."""
    with _without_handlers():
        from onnxruntime.tools.ort_format_model import OrtFormatModelProcessor
    found: dict[str, dict[int, set[str]]] = {}
    for one in graphs:
        OrtFormatModelProcessor(str(one), found, None).process()
    lines = [
        f"{domain};{version};{','.join(sorted(names))}"
        for domain, versions in sorted(found.items())
        for version, names in sorted(versions.items())
    ]
    told = f"# What {', '.join(one.name for one in graphs)} needs of onnxruntime {onnxruntime.__version__}."
    path.write_text("\n".join([told, *lines]) + "\n", "utf-8")
    return len({(domain, name) for domain, versions in found.items() for names in versions.values() for name in names})


@contextmanager
def _without_handlers() -> Iterator[None]:
    """Around an import that would have every library's log shown, were there no handler yet."""
    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)

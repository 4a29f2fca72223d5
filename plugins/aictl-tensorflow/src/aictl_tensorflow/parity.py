"""Does the graph give what TensorFlow gives? Every output on every sample, all rows at once and one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime

from aictl.core.errors import WorkFailed

ALONE = 4  # rows that are run by themselves, too: a graph may have one batch's size in it by mistake


class Parity(NamedTuple):
    """``worst`` is the largest difference of a number from TensorFlow's, as a share of the output's largest value
    where that is above 1; ``by_output`` the same for each; ``same_choice`` the share of rows in which the largest of
    several numbers stands in the same place, None where there is no such output."""

    worst: float
    by_output: dict[str, float]
    same_choice: float | None


def compare(graph: Path, compared: Path) -> Parity:
    """Run ``graph`` on the samples in ``compared`` against the outputs there. Raises :class:`WorkFailed` if it does
    not run, or gives another shape."""
    with np.load(compared, allow_pickle=False) as arrays:
        samples = {name[3:]: arrays[name] for name in arrays.files if name.startswith("in:")}
        wanted = {name[4:]: arrays[name] for name in arrays.files if name.startswith("out:")}
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        # What goes into nothing is no input of the graph.
        samples = {node.name: samples[node.name] for node in session.get_inputs()}
        free = [isinstance(node.shape[0], str) if node.shape else False for node in session.get_inputs()]
        rows = len(next(iter(samples.values()))) if all(free) else 0
        runs = [(slice(None), session.run(list(wanted), samples))]
        for row in range(min(ALONE, rows)):
            one = {name: array[row : row + 1] for name, array in samples.items()}
            runs.append((slice(row, row + 1), session.run(list(wanted), one)))
    except Exception as error:  # onnxruntime's errors have no public base class of their own
        raise WorkFailed(f"onnxruntime does not run the graph: {str(error).splitlines()[0]}") from error
    differences = {name: 0.0 for name in wanted}
    agreeing: list[float] = []
    for rows_of, outputs in runs:
        for (name, expected), made in zip(wanted.items(), outputs, strict=True):
            part = expected[rows_of] if expected.ndim else expected
            differences[name] = max(differences[name], _difference(name, np.asarray(made), part))
            if part.ndim == 2 and part.shape[1] > 1 and rows_of == slice(None):
                agreeing.append(float((made.argmax(1) == part.argmax(1)).mean()))
    return Parity(max(differences.values()), differences, min(agreeing) if agreeing else None)


def _difference(name: str, made: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any]) -> float:
    if made.shape != wanted.shape:
        raise WorkFailed(f"the output '{name}' is {made.shape}, and TensorFlow's is {wanted.shape}")
    if not wanted.size:
        return 0.0
    if wanted.dtype.kind not in "fiub":
        return float(np.any(made.astype(str) != wanted.astype(str)))
    a, b = made.astype(np.float64), wanted.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(a - b))
    finite = np.abs(b[np.isfinite(b)])
    worst = float(apart.max() / max(1.0, float(finite.max()) if finite.size else 1.0))
    return worst if np.isfinite(worst) else float("inf")

"""A fused graph in full precision becomes one with rounded matrices."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, cast

import numpy as np
import onnx_ir as ir

from aictl.core.events import Events, silent
from aictl.optimize.rounding.awq import fold_scales
from aictl.optimize.rounding.calibration import Moments, Texts, moments
from aictl.optimize.rounding.gptq import gptq
from aictl.optimize.rounding.graph import Matrix, matrices, place, place_table, tables, values_of
from aictl.optimize.rounding.grid import Bits, Floats, Grid, Rounded, nearest, plain
from aictl.optimize.rounding.hqq import hqq
from aictl.optimize.rounding.sensitivity import damages, most_sensitive

Rounding = Literal["rtn", "hqq", "awq", "gptq"]

SHORTEST_BLOCK = 32  # below it scales and zero points cost more than what they save
MOMENTS_BYTES = 2**30  # second moments held at once: a model with more reads its text several times
PROBED_TEXTS, PROBED_TOKENS = 2, 128  # on which each matrix's damage is measured


@dataclass(frozen=True)
class Recipe:
    """How to round. ``block`` is the longest block: long ones are quick, at some loss. ``budget`` is
    what matrices in 8 bits may add to the size that all would have in 4 bits, as a share of it."""

    bits: Bits
    rounding: Rounding = "gptq"
    block: int = 128
    budget: float = 0.3

    @property
    def reads(self) -> bool:
        """Whether it takes calibration text."""
        return self.rounding in ("awq", "gptq")

    def grid(self, bits: Bits, columns: int) -> Grid:
        """The longest block that fits into the columns evenly: what fills up a block is computed with as
        well, and takes room."""
        block = self.block
        while block > SHORTEST_BLOCK and columns % block:
            block //= 2
        return Grid(bits, block)


@dataclass(frozen=True)
class Report:
    """The bits of each matrix, and what it alone costs in 4 bits, in nats per token, where that was measured."""

    bits: dict[str, Bits] = field(default_factory=dict)
    damage: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """Every matrix of ``source``, rounded; which ones get 8 bits although 4 are asked for is still open."""

    source: Path
    recipe: Recipe
    rounded: Mapping[str, Rounded]
    damage: Mapping[str, float]

    def write(self, folder: Path, budget: float) -> Report:
        """Write model.onnx and model.onnx.data. ``budget`` is that of :class:`Recipe`.

        Embeddings, and matrices that double as one, get 8 bits: they count twice. Of the others a
        4-bit recipe gives 8 to those whose damage per byte is largest, where there was text to
        measure it on, and otherwise to the last.
        """
        model = ir.load(self.source / "model.onnx")
        found = {matrix.name: matrix for matrix in matrices(model)}
        upgraded = _upgraded(found, self.damage, self.recipe, budget) if self.recipe.bits == 4 else ()
        bits: dict[str, Bits] = {}
        for name, matrix in found.items():
            one = self.rounded[name]
            if name in upgraded:
                one = nearest(matrix.weights, self.recipe.grid(8, matrix.shape[1]))
            bits[name] = one.grid.bits
            place(model, matrix, one)
        for lookup in tables(model):
            table = values_of(cast(ir.Value, lookup.inputs[0]))
            place_table(model, lookup, nearest(table, self.recipe.grid(8, table.shape[1])))
        ir.save(model, folder / "model.onnx", external_data="model.onnx.data")
        return Report(bits, dict(self.damage))


@dataclass(frozen=True)
class Rounder:
    """``texts`` are token ids to calibrate on: never text that the result is judged on."""

    recipe: Recipe
    texts: Texts = ()
    threads: int | None = None
    events: Events = silent

    def round(self, source: Path, folder: Path, *, scratch: Path) -> Report:
        """Write the model of ``source`` (model.onnx, its weights, genai_config.json) to ``folder``,
        rounded: model.onnx and model.onnx.data."""
        return self.prepare(source, scratch=scratch).write(folder, self.recipe.budget)

    def prepare(self, source: Path, *, scratch: Path) -> Prepared:
        """All that takes long, and is the same however many matrices get 8 bits in place of 4."""
        if self.recipe.rounding == "awq":
            source = self._equalised(source, scratch / "equalised")
        found = {matrix.name: matrix for matrix in matrices(ir.load(source / "model.onnx"))}
        bits: dict[str, Bits] = {name: 8 if matrix.lookups else self.recipe.bits for name, matrix in found.items()}
        rounded = dict(self._rounded(source, found, bits))
        damage = self._damage(source, found, rounded) if self.recipe.bits == 4 else {}
        return Prepared(source, self.recipe, rounded, damage)

    def _rounded(
        self, source: Path, found: Mapping[str, Matrix], bits: Mapping[str, Bits]
    ) -> Iterator[tuple[str, Rounded]]:
        """Every matrix by its name, in its number of bits."""
        task, done = "round the matrices", 0
        self.events.started(task, total=len(found), unit="matrices")
        for group in _groups(found.values(), MOMENTS_BYTES):
            seen = self._moments(source, group) if self.recipe.reads else {}
            for matrix in (matrix for matrix in found.values() if matrix.source in group):
                grid = self.recipe.grid(bits[matrix.name], matrix.shape[1])
                yield matrix.name, round_matrix(matrix, grid, self.recipe.rounding, seen.get(matrix.source))
                done += 1
                self.events.advanced(task, done)
        self.events.finished(task)

    def _damage(self, source: Path, found: Mapping[str, Matrix], rounded: Mapping[str, Rounded]) -> dict[str, float]:
        """Of each matrix that has 4 bits, by its name; empty without text."""
        if not self.texts:
            return {}
        named = {cast(str, found[name].parameter.name): name for name in found if rounded[name].grid.bits == 4}
        task = "measure what each matrix loses"
        self.events.started(task, total=len(named), unit="matrices")
        result: dict[str, float] = {}
        made = {parameter: partial(_as_in_graph, rounded[name]) for parameter, name in named.items()}
        texts = [ids[:PROBED_TOKENS] for ids in self.texts[:PROBED_TEXTS]]
        for parameter, damage in damages(source, made, texts, threads=self.threads):
            result[named[parameter]] = damage
            self.events.advanced(task, len(result))
        self.events.finished(task)
        return result

    def _equalised(self, source: Path, folder: Path) -> Path:
        """The same model with scaled tensors between its matrices, in ``folder``."""
        task = "scale what flows into the matrices"
        self.events.started(task)
        model = ir.load(source / "model.onnx")
        fed: dict[str, list[Matrix]] = {}
        for matrix in reversed(matrices(model)):  # from the back: what a fold changes has yet to be looked at
            fed.setdefault(matrix.source, []).append(matrix)
        for group in _groups((members[0] for members in fed.values()), MOMENTS_BYTES):
            for name, seen in self._moments(source, group).items():
                fold_scales(fed[name], seen, self.recipe.grid(self.recipe.bits, len(seen)))
        folder.mkdir(parents=True, exist_ok=True)
        ir.save(model, folder / "model.onnx", external_data="model.onnx.data")
        shutil.copyfile(source / "genai_config.json", folder / "genai_config.json")
        self.events.finished(task)
        return folder

    def _moments(self, source: Path, tensors: Iterable[str]) -> dict[str, Moments]:
        return moments(source, tensors, self.texts, threads=self.threads)


def round_matrix(matrix: Matrix, grid: Grid, rounding: Rounding, seen: Moments | None) -> Rounded:
    """Round a matrix as it stands: for awq after its scales are folded in. ``seen`` are the moments of what it is
    multiplied with, which awq and gptq need."""
    weights = matrix.weights
    if matrix.lookups:  # its rows are not only multiplied: each is kept close in itself
        return nearest(weights, grid)
    if rounding == "rtn":
        return plain(weights, grid)
    if rounding == "hqq":
        return hqq(weights, grid)
    assert seen is not None
    if rounding == "awq":
        return nearest(weights, grid, seen.diagonal().astype(np.float32))
    return gptq(weights, seen, grid)


def _as_in_graph(rounded: Rounded) -> Floats:
    return np.ascontiguousarray(rounded.weights.T)


def _upgraded(
    found: Mapping[str, Matrix], damage: Mapping[str, float], recipe: Recipe, budget: float
) -> Collection[str]:
    """The matrices to give 8 bits although 4 are asked for."""
    shapes = {name: matrix.shape for name, matrix in found.items()}
    size = {name: recipe.grid(4, shape[1]).size_bytes(*shape) for name, shape in shapes.items()}
    cost = {name: recipe.grid(8, shape[1]).size_bytes(*shape) - size[name] for name, shape in shapes.items()}
    free = {name for name, matrix in found.items() if not matrix.lookups}
    left = int(budget * sum(size.values())) - sum(cost[name] for name in found if name not in free)
    if damage:
        return most_sensitive(damage, cost, left)
    last = list(found)[-1]
    return [last] if last in free and cost[last] <= left else []


def _groups(found: Iterable[Matrix], limit_bytes: int) -> Iterator[list[str]]:
    """The tensors that feed matrices, as many at a time as have second moments that fit into memory together."""
    group: list[str] = []
    held = 0
    for matrix in found:
        size = 8 * matrix.shape[1] ** 2
        if matrix.source in group:
            continue
        if group and held + size > limit_bytes:
            yield group
            group, held = [], 0
        group.append(matrix.source)
        held += size
    if group:
        yield group

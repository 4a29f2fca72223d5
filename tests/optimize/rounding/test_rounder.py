"""A whole model is rounded: what text says is heeded, what is promised about size holds, and AWQ's
scales change nothing but the rounding."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import BadRequest
from aictl.inference.load import load
from aictl.optimize.fused import build, full_precision
from aictl.optimize.rounding.awq import fold_scales
from aictl.optimize.rounding.calibration import Prober, moments
from aictl.optimize.rounding.foresight import output_errors
from aictl.optimize.rounding.graph import matrices
from aictl.optimize.rounding.grid import Grid
from aictl.optimize.rounding.rounder import Recipe, Rounder
from aictl.optimize.rounding.sensitivity import most_sensitive

WIDTH, VOCABULARY = 64, 256


def passages(count: int, seed: int) -> list[list[int]]:
    """A made-up language: each token has three that may follow it."""
    rng = np.random.default_rng(seed)
    followers = np.random.default_rng(0).integers(0, VOCABULARY, (VOCABULARY, 3))
    texts = []
    for _ in range(count):
        ids = [int(rng.integers(VOCABULARY))]
        while len(ids) < 48:
            ids.append(int(followers[ids[-1], rng.integers(3)]))
        texts.append(ids)
    return texts


@pytest.fixture(scope="module")
def checkpoint(chat_model, tmp_path_factory) -> Checkpoint:
    """A tiny model that has learnt which token may follow which."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    shutil.copytree(chat_model.folder, folder)
    torch.manual_seed(0)
    config = LlamaConfig.from_pretrained(
        folder, hidden_size=WIDTH, head_dim=16, vocab_size=VOCABULARY, tie_word_embeddings=True
    )
    module = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2)
    for step in range(150):
        ids = torch.tensor(passages(16, seed=step + 1))
        optimizer.zero_grad()
        module(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
    module.save_pretrained(folder)
    return Checkpoint(folder, name="tiny")


@pytest.fixture(scope="module")
def graph(checkpoint, tmp_path_factory) -> Path:
    """The fused graph in full precision, as the builder leaves it."""
    return full_precision(checkpoint, tmp_path_factory.mktemp("scratch"))


def log_probabilities(folder: Path) -> np.ndarray:
    """On text that was used neither for learning nor for rounding, of shape (texts, tokens, vocabulary)."""
    prober = Prober(folder)
    logits = np.concatenate([prober.run(ids, ["logits"])[0] for ids in passages(24, seed=1000)]).astype(np.float64)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def drift(graph: Path, folder: Path) -> float:
    """How far the rounded model's next-token distribution is from the other's, in nats per token."""
    before, after = log_probabilities(graph), log_probabilities(folder)
    return float((np.exp(before) * (before - after)).sum(axis=-1).mean())


def rounded(graph: Path, folder: Path, recipe: Recipe, texts=()):
    folder.mkdir()
    report = Rounder(recipe, texts).round(graph, folder, scratch=folder.parent)
    shutil.copyfile(graph / "genai_config.json", folder / "genai_config.json")
    return report


def test_the_model_has_learnt(graph):
    told = np.exp(log_probabilities(graph))
    assert np.sort(told)[..., -3:].sum(axis=-1).mean() > 0.9  # it knows which three may follow


def test_gptq_on_text_strays_less_than_rounding_to_nearest(graph, tmp_path):
    for rounding in ("rtn", "gptq"):
        rounded(graph, tmp_path / rounding, Recipe(4, rounding, budget=0), passages(16, seed=500))
    assert drift(graph, tmp_path / "gptq") < 0.85 * drift(graph, tmp_path / "rtn")


@pytest.mark.parametrize("rounding", ["rtn", "hqq", "awq", "gptq"])
def test_eight_bits_lose_next_to_nothing(graph, tmp_path, rounding):
    report = rounded(graph, tmp_path / "made", Recipe(8, rounding), passages(4, seed=500))
    assert set(report.bits.values()) == {8}
    assert drift(graph, tmp_path / "made") < 1e-3


def test_a_larger_budget_buys_more_matrices_and_never_more_than_it_has(graph, tmp_path):
    texts = passages(2, seed=500)
    sizes, upgraded = [], []
    for budget in (0.0, 0.4, 0.6, 2.0):
        folder = tmp_path / str(budget)
        report = rounded(graph, folder, Recipe(4, "gptq", budget=budget), texts)
        free = {name: bits for name, bits in report.bits.items() if name in report.damage}
        assert min(report.damage.values()) > 0
        upgraded.append({name for name, bits in free.items() if bits == 8})
        sizes.append((folder / "model.onnx.data").stat().st_size)
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    assert not upgraded[0]
    assert upgraded[-1] == set(report.damage)
    assert len(upgraded[1]) <= len(upgraded[2])


def test_a_few_matrices_foresee_which_way_strays_least(graph, tmp_path):
    ways = ("rtn", "hqq", "awq", "gptq")
    texts = passages(8, seed=999)
    foreseen = output_errors(graph, 4, 32, ways, texts)
    before = (graph / "model.onnx").read_bytes()
    strayed = {}
    for way in ways:
        rounded(graph, tmp_path / way, Recipe(4, way, 32, budget=0), texts)
        strayed[way] = drift(graph, tmp_path / way)
    assert min(foreseen, key=foreseen.get) == min(strayed, key=strayed.get)
    assert 0 < foreseen["gptq"] < foreseen["rtn"]
    eight = output_errors(graph, 8, 32, ways, texts)
    assert all(eight[way] < foreseen[way] / 50 for way in ways)
    assert (graph / "model.onnx").read_bytes() == before


def test_blocks_are_as_long_as_fit_evenly():
    grids = {columns: Recipe(4).grid(4, columns).block for columns in (1536, 576, 96, 80)}
    assert grids == {1536: 128, 576: 64, 96: 32, 80: 32}


def test_the_most_damage_per_byte_is_bought_first():
    damage = {"small": 1.0, "large": 5.0, "calm": 0.1}
    cost = {"small": 10, "large": 100, "calm": 10}
    assert most_sensitive(damage, cost, 9) == []
    assert most_sensitive(damage, cost, 10) == ["small"]
    assert most_sensitive(damage, cost, 110) == ["small", "large"]
    assert most_sensitive(damage, cost, 20) == ["small", "calm"]  # what is too dear is passed over


def test_scales_folded_for_awq_leave_the_model_as_it_was(graph, tmp_path):
    texts = passages(4, seed=500)
    model = ir.load(graph / "model.onnx")
    found = matrices(model)
    seen = moments(graph, [matrix.source for matrix in found], texts)
    folded = []
    for source in dict.fromkeys(matrix.source for matrix in reversed(found)):
        fed = [matrix for matrix in found if matrix.source == source]
        if fold_scales(fed, seen[source], Grid(4, 32)):
            folded.append(source)
    layers = model.graph.inputs and sum(name.endswith("qkv_proj/MatMul") for name in (m.name for m in found))
    assert (
        len(folded) == 3 * layers
    )  # what feeds attention, the gate and the down projection; not the output of attention
    ir.save(model, tmp_path / "model.onnx", external_data="model.onnx.data")
    shutil.copyfile(graph / "genai_config.json", tmp_path / "genai_config.json")
    ids = texts[0]
    before, after = (Prober(folder).run(ids, ["logits"])[0] for folder in (graph, tmp_path))
    np.testing.assert_allclose(after, before, atol=1e-4)
    assert any(
        not np.allclose(ours.weights, theirs.weights)
        for ours, theirs in zip(found, matrices(ir.load(graph / "model.onnx")), strict=True)
    )


def test_moments_are_those_of_what_flows_into_a_matrix(graph):
    texts = passages(3, seed=500)
    source = matrices(ir.load(graph / "model.onnx"))[0].source
    prober = Prober(graph, observed=[source])
    rows = np.concatenate([prober.run(ids, [source])[0][0] for ids in texts])
    np.testing.assert_allclose(moments(graph, [source], texts)[source], rows.T @ rows / len(rows), rtol=1e-4, atol=1e-6)


def test_a_built_model_is_smaller_and_chooses_alike(checkpoint, graph, tmp_path):
    original = load(checkpoint, device="cpu")
    ids = passages(1, seed=7)[0]
    sizes = [(graph / "model.onnx.data").stat().st_size]
    for method in ("int8", "int4"):
        (tmp_path / method).mkdir()
        build(
            checkpoint, method, tmp_path / method, tmp_path / "scratch", rounding="gptq",
            calibration=passages(8, seed=500),
        )  # fmt: skip
        made = OnnxModel(tmp_path / method)
        made.check()
        sizes.append((made.folder / "model.onnx.data").stat().st_size)
        one = load(made, device="cpu")
        assert (one.logits(ids).argmax(axis=-1) == original.logits(ids).argmax(axis=-1)).mean() > 0.8
    assert sizes == sorted(sizes, reverse=True)


def test_an_untied_model_has_its_embedding_rounded_too(checkpoint, tmp_path):
    folder = tmp_path / "untied"
    shutil.copytree(checkpoint.folder, folder)
    torch.manual_seed(1)
    LlamaForCausalLM(LlamaConfig.from_pretrained(folder, tie_word_embeddings=False)).save_pretrained(folder)
    untied = Checkpoint(folder, name="untied")
    (tmp_path / "made").mkdir()
    build(untied, "int8", tmp_path / "made", tmp_path / "scratch", rounding="hqq")
    operators = [node.op_type for node in ir.load(tmp_path / "made" / "model.onnx").graph]
    assert "GatherBlockQuantized" in operators
    assert "MatMul" not in operators
    ids = passages(1, seed=7)[0]
    ours, theirs = (load(one, device="cpu").logits(ids) for one in (OnnxModel(tmp_path / "made"), untied))
    np.testing.assert_allclose(ours, theirs, atol=0.05 * np.abs(theirs).max())


def test_rounding_by_text_without_text_is_refused(checkpoint, tmp_path):
    for rounding in ("gptq", "awq"):
        with pytest.raises(BadRequest, match="calibrate"):
            build(checkpoint, "int4", tmp_path, tmp_path / "scratch", rounding=rounding)

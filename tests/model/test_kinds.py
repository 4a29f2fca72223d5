"""Models that are no language models: the true architecture of each with random weights, brought in and run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from aictl.artifacts.capability import ABILITIES
from aictl.core.errors import BadInput, BadRequest, WrongKind
from aictl.core.events import silent
from aictl.inference.embedding import open_embedder
from aictl.inference.load import load
from aictl.model.add import add
from aictl.model.spec import AddSpec

SIZE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
TEXT = "the capital of france is paris . what ? my cat sleeps on warm kitchen floor city"
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *TEXT.split()]
IMAGE = {"image_processor_type": "ViTImageProcessor", "do_resize": True, "size": {"height": 32, "width": 32}}
IMAGE |= {"do_rescale": True, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
STEPS = ["Transformer", "Pooling", "Normalize"]


def write_tokenizer(folder: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace()])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "eos_token": "[SEP]"}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **special}))


def write_steps(folder: Path) -> None:
    paths = ["", "1_Pooling", "2_Normalize"]
    steps = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{step}"}
        for n, (path, step) in enumerate(zip(paths, STEPS, strict=True))
    ]
    (folder / "modules.json").write_text(json.dumps(steps))
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 16}')
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text('{"word_embedding_dimension": 16, "pooling_mode_cls_token": true}')


def bert(**more):
    return transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=32, **SIZE, **more)


def network(capability):
    """The network, and what goes beside it."""
    text, image = (
        (write_tokenizer,),
        (lambda folder: (folder / "preprocessor_config.json").write_text(json.dumps(IMAGE)),),
    )
    if capability == "text-classification":
        config = transformers.DistilBertConfig(
            vocab_size=len(WORDS), dim=16, n_layers=1, n_heads=2, hidden_dim=32, id2label={0: "dull", 1: "fine"}
        )
        return transformers.DistilBertForSequenceClassification(config), text
    if capability == "reranking":
        return transformers.BertForSequenceClassification(bert(num_labels=1)), text
    if capability == "masked-language-modelling":
        return transformers.BertForMaskedLM(bert()), text
    if capability == "embedding":
        return transformers.BertModel(bert(), add_pooling_layer=False), (*text, write_steps)
    if capability == "text-to-text":
        sizes = {"vocab_size": len(WORDS), "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
        return transformers.T5ForConditionalGeneration(transformers.T5Config(**sizes, decoder_start_token_id=0)), text
    if capability == "image-classification":
        config = transformers.ViTConfig(image_size=32, patch_size=8, id2label={0: "cat", 1: "dog", 2: "disc"}, **SIZE)
        return transformers.ViTForImageClassification(config), image
    if capability == "object-detection":
        config = transformers.YolosConfig(image_size=[32, 32], patch_size=8, num_detection_tokens=4, **SIZE)
        return transformers.YolosForObjectDetection(config), image
    vision = transformers.CLIPVisionConfig(image_size=32, patch_size=8, **SIZE)
    words = transformers.CLIPTextConfig(vocab_size=len(WORDS), max_position_embeddings=32, eos_token_id=3, **SIZE)
    config = transformers.CLIPConfig(text_config=words.to_dict(), vision_config=vision.to_dict(), projection_dim=8)
    return transformers.CLIPModel(config), (*text, *image)


@pytest.fixture
def write(tmp_path):
    def write(capability: str) -> Path:
        folder = tmp_path / "given"
        torch.manual_seed(0)
        module, beside = network(capability)
        module.save_pretrained(folder)
        for one in beside:
            one(folder)
        return folder

    return write


OTHERS = [capability for capability in ABILITIES if capability != "text-generation"]


@pytest.mark.parametrize("capability", OTHERS)
def test_a_model_of_each_kind_is_taken_with_all_it_needs_and_runs(write, source, made, capability):
    given = write(capability)
    artifact = add(source(given), AddSpec(), made, events=silent)
    artifact.check()
    assert artifact.capability == artifact.metrics["capability"] == capability
    kept = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    assert kept >= {path.relative_to(given).as_posix() for path in given.rglob("*") if path.is_file()}
    assert artifact.metrics["parameters"] > 1000
    assert capability in artifact.summary
    json.dumps(artifact.metrics, allow_nan=False)
    assert (made / "model.safetensors").read_bytes() == (given / "model.safetensors").read_bytes()


def test_what_came_out_is_told_in_the_models_own_words(write, source, made):
    sample = add(source(write("image-classification")), AddSpec(), made, events=silent).metrics["sample"]
    assert sample.startswith("a drawn disc is ") and any(name in sample for name in ("cat", "dog", "disc"))


def test_embeddings_are_those_of_the_folder_that_was_given(write, source, made):
    given = write("embedding")
    add(source(given), AddSpec(), made, events=silent)
    texts = ["the capital of france", "my cat"]
    one, other = (open_embedder(folder, device="cpu") for folder in (given, made))
    assert other.pooling == "cls" and other.max_tokens == 16
    assert np.array_equal(one.encode(texts).vectors, other.encode(texts).vectors)


def test_other_models_generate_no_text(write, source, made):
    artifact = add(source(write("embedding")), AddSpec(), made, events=silent)
    with pytest.raises(WrongKind, match="is for embedding"):
        load(artifact)


def test_a_step_that_is_not_followed_here_is_refused(write, source, made):
    given = write("embedding")
    steps = json.loads((given / "modules.json").read_text())
    dense = {"idx": 3, "name": "3", "path": "3_Dense", "type": "sentence_transformers.models.Dense"}
    (given / "modules.json").write_text(json.dumps([*steps, dense]))
    (given / "3_Dense").mkdir()
    (given / "3_Dense/config.json").write_text("{}")
    shutil.copyfile(given / "model.safetensors", given / "3_Dense/model.safetensors")
    with pytest.raises(BadInput, match=r"models\.Dense is not known here"):
        add(source(given), AddSpec(), made, events=silent)


def test_a_way_of_pooling_that_is_not_known_is_refused(write, source, made):
    given = write("embedding")
    (given / "1_Pooling/config.json").write_text('{"pooling_mode_lasttoken": true}')
    with pytest.raises(BadInput, match="pooling_mode_lasttoken is not known"):
        add(source(given), AddSpec(), made, events=silent)


def test_the_network_of_an_old_layout_is_no_model_without_what_is_around_it(write, source, made, tmp_path):
    write("embedding").rename(tmp_path / "0_Transformer")
    (tmp_path / "0_Transformer/modules.json").unlink()
    steps = [{"path": "0_Transformer", "type": "sentence_transformers.models.Transformer"}]
    (tmp_path / "modules.json").write_text(json.dumps(steps))
    with pytest.raises(BadInput, match="is one step of the model in") as caught:
        add(source(tmp_path), AddSpec(), made, events=silent)
    assert "move its files" in str(caught.value.cure)


@pytest.mark.parametrize("content", ["{", "{}", '["x"]', ""])
def test_steps_that_are_none_are_refused(write, source, made, content):
    given = write("embedding")
    (given / "modules.json").write_text(content)
    with pytest.raises(BadInput, match=r"modules\.json"):
        add(source(given), AddSpec(), made, events=silent)


def test_an_image_model_that_does_not_say_how_pictures_are_prepared_is_refused(write, source, made):
    given = write("image-classification")
    (given / "preprocessor_config.json").unlink()
    with pytest.raises(BadInput, match="does not say how a picture is prepared") as caught:
        add(source(given), AddSpec(), made, events=silent)
    assert "preprocessor_config.json" in str(caught.value.cure)


def test_a_preparation_that_asks_for_code_loses_that(write, source, made):
    given = write("image-classification")
    asked = IMAGE | {"auto_map": {"AutoImageProcessor": "own.Processor"}}
    (given / "preprocessor_config.json").write_text(json.dumps(asked))
    add(source(given), AddSpec(), made, events=silent)
    assert "auto_map" not in (made / "preprocessor_config.json").read_text()


def test_a_head_that_is_missing_is_refused_and_not_made_up(write, source, made):
    given = write("text-classification")
    weights = {
        name: value for name, value in load_file(given / "model.safetensors").items() if "classifier" not in name
    }
    save_file(weights, given / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInput, match=r"lacks \d of its weights, such as"):
        add(source(given), AddSpec(), made, events=silent)


def test_numbers_that_are_not_finite_are_refused(write, source, made):
    given = write("image-classification")
    weights = load_file(given / "model.safetensors")
    weights["classifier.bias"][0] = float("inf")
    save_file(weights, given / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInput, match="not finite"):
        add(source(given), AddSpec(), made, events=silent)


def test_two_models_in_one_source_are_told_apart(write, source, made, tmp_path):
    write("embedding").rename(tmp_path / "one")
    write("image-classification").rename(tmp_path / "two")
    with pytest.raises(BadRequest, match="holds 2 models: one, two"):
        add(source(tmp_path), AddSpec(), made, events=silent)
    assert add(source(tmp_path), AddSpec(file="two"), made, events=silent).capability == "image-classification"

"""Networks that answer in one pass say as graphs what they say in PyTorch, and are used as before."""

from __future__ import annotations

import io
import json

import numpy as np
import onnx
import pytest
import torch
import transformers
from PIL import Image
from tests.model.networks import IMAGE, SIZE, WORDS, write, write_tokenizer
from transformers import AutoModel, AutoModelForObjectDetection, AutoModelForSequenceClassification

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.artifact import InputRecord, Record
from aictl.core.errors import BadInput, GateMissed, WrongKind
from aictl.core.events import silent
from aictl.export.onnx import export
from aictl.export.spec import OnnxSpec
from aictl.inference.classifying import Classifier
from aictl.inference.embedding import open_embedder
from aictl.inference.encoder_onnx import OnnxImageClassifier
from aictl.inference.image_classifying import ImageClassifier
from aictl.inference.session import open_session
from aictl.judging.subject import subject

USED = ("text-classification", "embedding", "image-classification")
KINDS = (*USED, "reranking", "object-detection")
TEXTS = ["the capital of france", "my cat sleeps on the warm kitchen floor", "what ?"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A checkpoint of each kind, and its graph."""
    made = {}
    for kind in KINDS:
        place = tmp_path_factory.mktemp(kind)
        checkpoint = Checkpoint(write(place / "checkpoint", kind), name=kind)
        (place / "onnx").mkdir()
        made[kind] = checkpoint, export(checkpoint, OnnxSpec(), place / "onnx", events=silent)
    return made


def pictures() -> list[bytes]:
    found = []
    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(0, 256, (40, 30, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "png")
        found.append(file.getvalue())
    return found


def detr(folder):
    """A small DETR on a small ResNet, whose processor keeps a picture's proportions."""
    backbone = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", out_features=["stage2"]
    )
    layers = {f"{part}_{what}": n for part in ("encoder", "decoder") for what, n in (("layers", 1), ("ffn_dim", 16))}
    heads = {f"{part}_attention_heads": 2 for part in ("encoder", "decoder")}
    config = transformers.DetrConfig(
        backbone_config=backbone, use_timm_backbone=False, use_pretrained_backbone=False, backbone=None, d_model=16,
        num_queries=4, id2label={0: "cup", 1: "hat"}, **layers, **heads,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.DetrForObjectDetection(config).save_pretrained(folder)
    size = {"shortest_edge": 48, "longest_edge": 96}
    prepared = {**IMAGE, "image_processor_type": "DetrImageProcessor", "size": size}
    (folder / "preprocessor_config.json").write_text(json.dumps(prepared))
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_agrees_with_pytorch_alone_and_in_a_batch(models, kind):
    checkpoint, made = models[kind]
    made.check()
    parity = made.metrics["parity"]
    assert 0 < parity["worst"] < 1e-5
    assert parity["worst"] == max(parity["alone"], parity["in_batch"])
    assert made.metrics["parameters"] == checkpoint.brief().parameters
    assert made.capability == kind
    assert made.facts["layout"] == "standard"


@pytest.mark.parametrize(
    ("kind", "inputs", "outputs"),
    [
        (
            "text-classification",
            {"input_ids": ["batch", "length"], "attention_mask": ["batch", "length"]},
            {"logits": ["batch", 2]},
        ),
        (
            "embedding",
            {"input_ids": ["batch", "length"], "attention_mask": ["batch", "length"]},
            {"last_hidden_state": ["batch", "length", 16]},
        ),
        (
            "reranking",
            {name: ["batch", "length"] for name in ("input_ids", "attention_mask", "token_type_ids")},
            {"logits": ["batch", 1]},
        ),
        ("image-classification", {"pixel_values": ["batch", 3, 32, 32]}, {"logits": ["batch", 3]}),
        (
            "object-detection",
            {"pixel_values": ["batch", 3, 32, 32]},
            {"logits": ["batch", 4, 3], "pred_boxes": ["batch", 4, 4]},
        ),
    ],
)
def test_a_graph_is_standard_and_says_what_it_takes(models, kind, inputs, outputs):
    _, made = models[kind]
    onnx.checker.check_model(made.model_path, full_check=True)
    graph = onnx.load(made.model_path, load_external_data=False).graph
    assert {node.domain for node in graph.node} <= {"", "ai.onnx"}

    def extents(value):
        return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]

    assert {value.name: extents(value) for value in graph.input} == inputs
    assert {value.name: extents(value) for value in graph.output} == outputs
    signature = made.signature
    assert {one.name: list(one.shape) for one in signature.inputs} == inputs
    assert {one.name: list(one.shape) for one in signature.outputs} == outputs


def test_texts_are_told_apart_as_before(models):
    checkpoint, made = models["text-classification"]
    ours, theirs = Classifier(made.folder, device="cpu"), Classifier(checkpoint.folder, device="cpu")
    assert ours.classes == theirs.classes == ("dull", "fine")
    assert ours.classify(TEXTS).probabilities == pytest.approx(theirs.classify(TEXTS).probabilities, abs=1e-5)


def test_texts_have_the_vectors_that_they_had(models):
    checkpoint, made = models["embedding"]
    ours, theirs = (open_embedder(one.folder, device="cpu") for one in (made, checkpoint))
    assert (ours.pooling, ours.max_tokens) == (theirs.pooling, theirs.max_tokens) == ("cls", 16)
    assert ours.encode(TEXTS).vectors == pytest.approx(theirs.encode(TEXTS).vectors, abs=1e-5)


def test_pictures_are_told_apart_as_before(models):
    checkpoint, made = models["image-classification"]
    ours, theirs = (ImageClassifier(one.folder, device="cpu") for one in (made, checkpoint))
    assert ours.classes == ("cat", "dog", "disc")
    assert ours.classify(pictures()) == pytest.approx(theirs.classify(pictures()), abs=1e-5)
    with pytest.raises(BadInput, match="is no image classifier"):
        OnnxImageClassifier(models["text-classification"][1].model_path, device="cpu")


def test_a_question_and_a_text_are_told_apart(models):
    """The second is of another type, and that counts."""
    checkpoint, made = models["reranking"]
    ids, types = np.array([[2, 4, 5, 3, 6, 7, 3]]), np.array([[0, 0, 0, 0, 1, 1, 1]])
    given = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    session = open_session(made.model_path, device="cpu")
    with_types, without = (session.run(["logits"], given | {"token_type_ids": one})[0] for one in (types, 0 * types))
    network = AutoModelForSequenceClassification.from_pretrained(checkpoint.folder)
    with torch.inference_mode():
        wanted = network(**{k: torch.from_numpy(v) for k, v in given.items()}, token_type_ids=torch.from_numpy(types))
    assert with_types == pytest.approx(wanted.logits.numpy(), abs=1e-6)
    assert np.abs(with_types - without).max() > 1e-6


def test_a_detector_that_keeps_proportions_takes_pictures_of_any_size(tmp_path):
    checkpoint = Checkpoint(detr(tmp_path / "detr"), name="detr")
    (tmp_path / "onnx").mkdir()
    made = export(checkpoint, OnnxSpec(), tmp_path / "onnx", events=silent)
    assert {one.name: one.shape for one in made.signature.inputs} == {
        "pixel_values": ("batch", 3, "height", "width"),
        "pixel_mask": ("batch", "height", "width"),
    }
    assert set(made.metrics["parity"]["outputs"]) == {"logits", "pred_boxes"}
    assert made.metrics["parity"]["worst"] < 1e-5
    network = AutoModelForObjectDetection.from_pretrained(checkpoint.folder)
    pixels, mask = torch.randn(1, 3, 56, 72), torch.ones(1, 56, 72, dtype=torch.long)
    mask[:, :, 64:] = 0
    with torch.inference_mode():
        wanted = network(pixel_values=pixels, pixel_mask=mask)
    logits, boxes = open_session(made.model_path, device="cpu").run(
        ["logits", "pred_boxes"], {"pixel_values": pixels.numpy(), "pixel_mask": mask.numpy()}
    )
    assert logits == pytest.approx(wanted.logits.numpy(), abs=1e-5)
    assert boxes == pytest.approx(wanted.pred_boxes.numpy(), abs=1e-5)
    assert json.loads((made.folder / "config.json").read_text())["id2label"] == {"0": "cup", "1": "hat"}


def test_the_halves_of_a_dual_encoder_are_a_graph_each(tmp_path):
    checkpoint = Checkpoint(write(tmp_path / "clip", "image-text"), name="clip")
    (tmp_path / "onnx").mkdir()
    made = export(checkpoint, OnnxSpec(), tmp_path / "onnx", events=silent)
    made.check()
    assert sorted(path.name for path in made.folder.glob("*.onnx")) == ["image.onnx", "text.onnx"]
    assert {name: [one.name for one in sides.inputs] for name, sides in made.signatures.items()} == {
        "text": ["input_ids", "attention_mask"],
        "image": ["pixel_values"],
    }
    assert [one.shape for sides in made.signatures.values() for one in sides.outputs] == [("batch", 8)] * 2
    parity = made.metrics["parity"]
    assert set(parity["outputs"]) == {"text_embeds", "image_embeds", "scores"}
    assert parity["worst"] < 1e-5
    ids, pixels = np.array([[2, 4, 5, 3], [2, 6, 3, 0]]), np.random.default_rng(0).normal(size=(3, 3, 32, 32))
    given = {"input_ids": ids, "attention_mask": (ids > 0).astype(np.int64)}, {"pixel_values": np.float32(pixels)}
    text, image = (
        open_session(path, device="cpu").run(None, one)[0]
        for path, one in zip(made.graphs.values(), given, strict=True)
    )
    scoring = made.facts["scoring"]
    network = AutoModel.from_pretrained(checkpoint.folder)
    with torch.inference_mode():
        wanted = network(**{name: torch.from_numpy(value) for half in given for name, value in half.items()})
    assert scoring["scale"] * image @ text.T + scoring["bias"] == pytest.approx(
        wanted.logits_per_image.numpy(), abs=1e-4
    )


def test_siglip_reads_texts_of_one_length(tmp_path):
    sizes = {**SIZE, "num_hidden_layers": 1}
    config = transformers.SiglipConfig(
        text_config={"vocab_size": len(WORDS), "max_position_embeddings": 12, "projection_size": 16, **sizes},
        vision_config={"image_size": 32, "patch_size": 8, **sizes},
    )
    torch.manual_seed(0)
    network = transformers.SiglipModel(config)
    torch.nn.init.constant_(network.logit_bias, -2.0)
    network.save_pretrained(tmp_path / "siglip")
    write_tokenizer(tmp_path / "siglip")
    (tmp_path / "siglip/preprocessor_config.json").write_text(json.dumps(IMAGE))
    (tmp_path / "onnx").mkdir()
    made = export(Checkpoint(tmp_path / "siglip", name="siglip"), OnnxSpec(), tmp_path / "onnx", events=silent)
    assert [(one.name, one.shape) for one in made.signatures["text"].inputs] == [("input_ids", ("batch", 12))]
    assert made.facts["scoring"]["bias"] == -2.0
    assert made.metrics["parity"]["worst"] < 1e-4


@pytest.mark.parametrize(
    ("kind", "ability"), list(zip(USED, ("text classes", "embedding", "image classes"), strict=True))
)
def test_it_is_evaluated_as_what_it_is(models, kind, ability):
    assert subject(models[kind][1]).ability == ability


def test_the_same_weights_give_the_same_bytes(models, tmp_path):
    checkpoint, made = models["text-classification"]
    again = export(checkpoint, OnnxSpec(), tmp_path, events=silent)
    for name in ("model.onnx", "model.onnx.data", "export.json"):
        assert (again.folder / name).read_bytes() == (made.folder / name).read_bytes()


def test_an_adapter_of_a_classifier_is_merged(models, tmp_path):
    from peft import LoraConfig, get_peft_model

    checkpoint, plain = models["text-classification"]
    torch.manual_seed(0)
    module = AutoModelForSequenceClassification.from_pretrained(checkpoint.folder)
    config = LoraConfig(r=2, lora_alpha=2000, target_modules=["v_lin"], init_lora_weights=False, task_type="SEQ_CLS")
    get_peft_model(module, config).save_pretrained(tmp_path / "adapter")
    row = InputRecord(role="checkpoint", id="1", kind="checkpoint", object="checkpoint/1")
    record = Record(
        kind="adapter", id="2", key="", command="", revision=1, spec={}, inputs=(row,), files={}, metrics={},
        summary="", created="", seconds=0,
    )  # fmt: skip
    adapter = Adapter(tmp_path / "adapter", record=record, name="tuned", open_input=lambda row: checkpoint)
    (tmp_path / "onnx").mkdir()
    made: OnnxModel = export(adapter, OnnxSpec(), tmp_path / "onnx", events=silent)
    ours, before = (Classifier(one.folder, device="cpu").classify(TEXTS).probabilities for one in (made, plain))
    assert np.abs(ours - before).max() > 1e-3


def test_too_large_a_difference_makes_nothing_of_it(models, tmp_path):
    with pytest.raises(GateMissed, match="differs from PyTorch's by up to"):
        export(models["embedding"][0], OnnxSpec(tolerance=1e-12), tmp_path, events=silent)


def test_a_model_for_something_else_is_refused(tmp_path):
    other = Checkpoint(write(tmp_path / "other", "masked-language-modelling"), name="other")
    with pytest.raises(WrongKind, match="'other' is for masked-language-modelling"):
        export(other, OnnxSpec(), tmp_path, events=silent)

"""Classifiers of texts and pictures are tuned too, and plain peft finds what the record says."""

from __future__ import annotations

import json

import pytest
import torch
from peft import PeftModel
from tests.training.tasks.conftest import bars, picture_dataset  # noqa: F401
from transformers import (
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    ResNetConfig,
    ResNetForImageClassification,
    ViTConfig,
    ViTForImageClassification,
)
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import LABELS
from aictl.artifacts.safetensors import read_header
from aictl.commands.finetune import lora as lora_command
from aictl.commands.finetune import merge as merge_command
from aictl.core.errors import BadInput, BadRequest, WrongKind
from aictl.core.events import silent
from aictl.finetune import full, lora, qlora
from aictl.finetune.spec import (
    ExamplesSpec,
    FullOptimizerSpec,
    FullSpec,
    LoraOptimizerSpec,
    LoraSpec,
    LowRankSpec,
    QloraSpec,
)
from aictl.testing.workspace import Bench, workspace  # noqa: F401
from aictl.tokenizing.byte_bpe import ROLES, learn
from aictl.tokenizing.folder import write as write_tokenizer
from aictl.training.spec import LoopSpec, PictureSpec, PrecisionSpec
from aictl.training.tasks.pretrained import classes_in_config

SHARED = {
    "max_steps": 30,
    "examples": ExamplesSpec(batch_size=12),
    "precision": PrecisionSpec(precision="fp32", device="cpu"),
    "loop": LoopSpec(evaluate_every=30),
    "pictures": PictureSpec(flip=False, shift_fraction=0.0),
}
LORA = LoraSpec(**SHARED, low_rank=LowRankSpec(rank=8, alpha=16), optimizer=LoraOptimizerSpec(learning_rate=0.01))
FULL = FullSpec(**SHARED, optimizer=FullOptimizerSpec(learning_rate=3e-3))
BARS = ["upright", "level", "cross"]


@pytest.fixture
def topics(write_dataset):
    def make(names=("food", "weather")):
        words = {names[0]: "bread soup cheese", names[1]: "rain wind snow"}
        rows = [
            {"text": f"{words[name].split()[n % 3]} and {words[name].split()[(n + 1) % 3]} {n}", "label": name}
            for n in range(24)
            for name in names
        ]
        dataset = write_dataset("-".join(names), "text", {"train": rows[:36], "validation": rows[36:]})
        (dataset.folder / LABELS).write_text(json.dumps({"labels": [{"name": name} for name in names]}))
        return dataset

    return make


@pytest.fixture
def reader(tmp_path) -> Checkpoint:
    """A classifier of texts that knows nothing yet."""
    folder = tmp_path / "reader"
    folder.mkdir()
    tokenizer = learn(["bread soup cheese rain wind snow and"] * 20, 300)
    write_tokenizer(tokenizer, folder, ROLES)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(), **shape, **classes_in_config(["food", "weather"]), pad_token_id=2
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return Checkpoint(folder)


def seer(folder, names=BARS, network="vit") -> Checkpoint:
    """A classifier of pictures that knows nothing yet."""
    torch.manual_seed(0)
    if network == "vit":
        shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
        made = ViTForImageClassification(ViTConfig(image_size=16, patch_size=4, **shape, **classes_in_config(names)))
    else:
        sizes = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}
        made = ResNetForImageClassification(ResNetConfig(**sizes, **classes_in_config(names)))
    made.save_pretrained(folder)
    size = {"height": 16, "width": 16}
    ViTImageProcessorPil(size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(folder)
    return Checkpoint(folder)


def test_an_adapter_of_a_classifier_of_texts_holds_its_head(reader, topics, places):
    folder, scratch = places("made")
    made = lora.finetune(reader, topics(), LORA, folder, scratch=scratch, events=silent)
    made.check()
    assert made.metrics["held_out"]["accuracy"] > 0.9
    assert made.metrics["classes"] == 2
    names = read_header(folder / "adapter_model.safetensors")
    assert any("classifier" in name for name in names) and any("lora_A" in name for name in names)
    model = PeftModel.from_pretrained(AutoModelForSequenceClassification.from_pretrained(reader.folder), folder).eval()
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(reader.folder)
    with torch.no_grad():
        found = [
            int(model(**tokenizer(text, return_tensors="pt")).logits.argmax())
            for text in ("bread and soup 3", "rain and wind 4")
        ]
    assert found == [0, 1]


def test_a_classifier_of_texts_is_tuned_in_full_and_may_get_other_classes(reader, topics, places):
    folder, scratch = places("made")
    made = full.finetune(
        reader,
        topics(
            (
                "cold",
                "warm",
            )
        ),
        FULL,
        folder,
        scratch=scratch,
        events=silent,
    )
    made.check()
    assert made.metrics["held_out"]["accuracy"] > 0.9
    assert AutoModelForSequenceClassification.from_pretrained(folder).config.id2label == {0: "cold", 1: "warm"}


@pytest.mark.parametrize("way", ["lora", "full"])
def test_a_classifier_of_pictures_is_tuned(bars, tmp_path, places, way):  # noqa: F811
    checkpoint = seer(tmp_path / "vit")
    folder, scratch = places("made")
    tune, spec = (lora.finetune, LORA) if way == "lora" else (full.finetune, FULL)
    made = tune(checkpoint, bars, spec.model_copy(update={"max_steps": 60}), folder, scratch=scratch, events=silent)
    made.check()
    assert made.metrics["held_out"]["loss_after"] < made.metrics["held_out"]["loss_before"] - 0.2
    network = AutoModelForImageClassification
    if way == "lora":
        model = PeftModel.from_pretrained(network.from_pretrained(checkpoint.folder), folder).eval()
    else:
        model = network.from_pretrained(folder).eval()
        assert (folder / "preprocessor_config.json").is_file()
    processor = ViTImageProcessorPil.from_pretrained(checkpoint.folder)
    import io

    from PIL import Image

    right = 0
    pairs = list(bars.pictures("validation"))
    for document, data in pairs:
        pixels = processor(Image.open(io.BytesIO(data)).convert("RGB"), return_tensors="pt")["pixel_values"]
        with torch.no_grad():
            right += BARS[int(model(pixel_values=pixels).logits.argmax())] == document["label"]
    assert right / len(pairs) == pytest.approx(made.metrics["held_out"]["accuracy"], abs=1e-6)


def test_what_an_adapter_cannot_hold_is_refused(reader, topics, bars, tmp_path, places, write_dataset):  # noqa: F811
    folder, scratch = places("refused")
    with pytest.raises(BadRequest, match="knows the classes food, weather"):
        lora.finetune(reader, topics(("cold", "warm")), LORA, folder, scratch=scratch, events=silent)
    resnet = seer(tmp_path / "resnet", network="resnet")
    with pytest.raises(BadRequest, match="batch normalisation"):
        lora.finetune(resnet, bars, LORA, folder, scratch=scratch, events=silent)
    with pytest.raises(BadInput, match="no labels"):
        plain = write_dataset("plain", "text", {"train": [{"text": "bread"}]})
        lora.finetune(reader, plain, LORA, folder, scratch=scratch, events=silent)
    with pytest.raises(WrongKind, match="finetune qlora"):
        qlora.finetune(reader, topics(), QloraSpec(), folder, scratch=scratch, events=silent)


def test_a_classifier_s_adapter_is_merged(workspace: Bench, bars, topics, reader, tmp_path):  # noqa: F811
    for name, checkpoint, dataset in (("texts", reader, topics()), ("pictures", seer(tmp_path / "vit"), bars)):
        base, labelled = workspace.keep(checkpoint, name), workspace.keep(dataset, f"{name}-data")
        options = {"max_steps": 2, "batch_size": 12, "precision": "fp32", "learning_rate": 0.01}
        adapter = workspace.run_command(
            lora_command.command, {"checkpoint": base, "dataset": labelled}, path="finetune.lora", **options
        ).artifact
        made = workspace.run_command(merge_command.command, {"adapter": adapter}, path="finetune.merge").artifact
        assert made.capability == base.capability
        assert made.metrics["difference"]["kept"]["worst"] < 1e-4
        assert set(read_header(made.folder / "model.safetensors")) == set(
            read_header(base.folder / "model.safetensors")
        )

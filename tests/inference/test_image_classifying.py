"""Pictures are classified as plain transformers classifies them, and what is no picture is refused."""

from __future__ import annotations

import io
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from aictl.core.errors import BadInput, Damaged
from aictl.inference import image_classifying
from aictl.inference.image_classifying import ImageClassifier, image_classes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

    folder = tmp_path_factory.mktemp("vit") / "model"
    torch.manual_seed(0)
    shape = ViTConfig(
        image_size=8, patch_size=4, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        id2label={0: "cat", 1: "dog", 2: "bird"}, initializer_range=0.5,
    )  # fmt: skip
    ViTForImageClassification(shape).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 8, "width": 8}).save_pretrained(folder)
    return folder


def pictures(count: int) -> list[bytes]:
    """Of several sizes and modes, as PNG."""
    random, found = np.random.default_rng(0), []
    for number in range(count):
        mode = ("RGB", "L", "RGBA")[number % 3]
        shape = (9 + number, 12) if mode == "L" else (9 + number, 12, len(mode))
        file = io.BytesIO()
        Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8), mode).save(file, "PNG")
        found.append(file.getvalue())
    return found


def test_probabilities_are_those_of_transformers(folder, monkeypatch):
    from transformers import ViTForImageClassification, ViTImageProcessorPil

    files = pictures(7)
    read = [Image.open(io.BytesIO(one)).convert("RGB") for one in files]
    pixels = ViTImageProcessorPil.from_pretrained(folder)(read, return_tensors="pt")
    with torch.inference_mode():
        wanted = ViTForImageClassification.from_pretrained(folder)(**pixels).logits.softmax(1).numpy()
    classifier = ImageClassifier(folder, device="cpu")
    assert classifier.classes == ("cat", "dog", "bird")
    assert classifier.classify(files) == pytest.approx(wanted, abs=1e-5)
    monkeypatch.setattr(image_classifying, "BATCH_PICTURES", 2)
    assert classifier.classify(files) == pytest.approx(wanted, abs=1e-5)


def test_what_is_no_picture_is_refused(folder, monkeypatch):
    classifier = ImageClassifier(folder, device="cpu")
    good = pictures(1)[0]
    for bad in (b"", b"no picture", good[: len(good) // 2]):
        with pytest.raises(BadInput, match="picture 1 cannot be read"):
            classifier.classify([good, bad])
    monkeypatch.setattr(image_classifying, "MOST_PIXELS", 50)
    with pytest.raises(BadInput, match="too many"):
        classifier.classify([good])


def test_what_is_no_image_classifier_is_refused(folder, tmp_path):
    with pytest.raises(BadInput, match="holds no classifier"):
        image_classes(tmp_path)
    shutil.copytree(folder, tmp_path / "bare")
    (tmp_path / "bare" / "preprocessor_config.json").unlink()
    with pytest.raises(BadInput, match="no preprocessor_config.json"):
        ImageClassifier(tmp_path / "bare", device="cpu")
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "bare" / "config.json").write_text(json.dumps(config | {"architectures": ["ViTModel"]}))
    with pytest.raises(BadInput, match="not that of an image classifier"):
        image_classes(tmp_path / "bare")
    (tmp_path / "bare" / "config.json").write_text("{")
    with pytest.raises(Damaged):
        image_classes(tmp_path / "bare")

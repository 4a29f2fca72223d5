"""Small networks of the true architectures with random weights, and what goes beside them."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

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


def write(folder: Path, capability: str) -> Path:
    """A model's folder, as transformers saves it."""
    torch.manual_seed(0)
    module, beside = network(capability)
    module.save_pretrained(folder)
    for one in beside:
        one(folder)
    return folder

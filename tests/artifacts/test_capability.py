from __future__ import annotations

import pytest

from aictl.artifacts.capability import ABILITIES, capability_of, require_capability
from aictl.core.errors import WrongKind


@pytest.mark.parametrize(
    ("architecture", "more", "capability"),
    [
        ("LlamaForCausalLM", {}, "text-generation"),
        ("GPT2LMHeadModel", {}, "text-generation"),
        ("Gemma3ForConditionalGeneration", {"vision_config": {"hidden_size": 8}}, "text-generation"),
        ("LlavaForConditionalGeneration", {"vision_config": {"hidden_size": 8}}, None),
        ("BertForSequenceClassification", {"id2label": {"0": "no", "1": "yes"}}, "text-classification"),
        ("BertForSequenceClassification", {}, "text-classification"),
        ("XLMRobertaForSequenceClassification", {"id2label": {"0": "LABEL_0"}}, "reranking"),
        ("BertForSequenceClassification", {"num_labels": 1, "problem_type": "regression"}, "text-classification"),
        ("BertForMaskedLM", {}, "masked-language-modelling"),
        ("FlaubertWithLMHeadModel", {}, "masked-language-modelling"),
        ("BertModel", {"vocab_size": 30522}, "embedding"),
        ("MistralModel", {"vocab_size": 32000}, "embedding"),
        ("T5EncoderModel", {"vocab_size": 32128, "is_encoder_decoder": True}, "embedding"),
        ("ViTModel", {"image_size": 224}, None),
        ("BartModel", {"vocab_size": 50265, "is_encoder_decoder": True}, None),
        ("T5ForConditionalGeneration", {"is_encoder_decoder": True}, "text-to-text"),
        ("MarianMTModel", {"is_encoder_decoder": True}, "text-to-text"),
        ("WhisperForConditionalGeneration", {"is_encoder_decoder": True, "num_mel_bins": 80}, None),
        ("ViTForImageClassification", {}, "image-classification"),
        ("DeiTForImageClassificationWithTeacher", {}, "image-classification"),
        ("DetrForObjectDetection", {}, "object-detection"),
        ("CLIPModel", {"text_config": {}, "vision_config": {"hidden_size": 8}}, "image-text"),
        ("BertForTokenClassification", {}, None),
    ],
)
def test_an_architecture_says_what_its_model_can_do(architecture, more, capability):
    assert capability_of({"architectures": [architecture], **more}) == capability


@pytest.mark.parametrize("architecture", ["BertModel", "MPNetForMaskedLM", "Qwen3ForCausalLM"])
def test_files_of_sentence_transformers_make_it_an_embedding_model(architecture):
    config = {"architectures": [architecture], "vocab_size": 100}
    assert capability_of(config, {"config.json", "modules.json"}) == "embedding"


@pytest.mark.parametrize("config", [{}, {"architectures": None}, {"architectures": []}, {"architectures": "Bert"}])
def test_without_an_architecture_nothing_is_guessed(config):
    assert capability_of(config) is None


def test_every_class_that_is_named_exists():
    transformers = pytest.importorskip("transformers")
    for capability, ability in ABILITIES.items():
        assert hasattr(transformers, ability.auto_class), capability


def test_the_rules_agree_with_the_lists_that_transformers_keeps():
    """An architecture of transformers' own list for a task is never taken for one of another task."""
    lists = pytest.importorskip("transformers.models.auto.modeling_auto")
    named = {
        "text-generation": lists.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        "text-classification": lists.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
        "image-classification": lists.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES,
        "object-detection": lists.MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES,
        "masked-language-modelling": lists.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        "text-to-text": lists.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    }
    # Listed for two tasks, or for one that it does beside the one it is known for.
    elsewhere = {"BartForConditionalGeneration", "MBartForConditionalGeneration", "MvpForConditionalGeneration"}
    unknown = []
    for capability, architectures in named.items():
        for names in architectures.values():
            for name in [names] if isinstance(names, str) else names:
                found = capability_of({"architectures": [name], "vocab_size": 8, "is_encoder_decoder": True})
                if found is None:
                    unknown.append(name)
                elif name not in elsewhere and not name.endswith(("ForConditionalGeneration", "WithLMHeadModel")):
                    assert found == capability, name
    assert len(unknown) < 15, unknown


def test_a_model_for_something_else_is_refused_with_the_way_to_look():
    require_capability("m", "text-generation", "text-generation", "text-to-text", command="generate")
    with pytest.raises(WrongKind, match="'m' is for embedding, and aictl generate takes models for text-gen") as caught:
        require_capability("m", "embedding", "text-generation", command="generate")
    assert "aictl model show m" in str(caught.value.cure)
    with pytest.raises(WrongKind, match="not known here"):
        require_capability("m", None, "text-generation", command="generate")

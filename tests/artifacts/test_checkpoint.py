from __future__ import annotations

import json

import pytest

from aictl.artifacts.checkpoint import Checkpoint


@pytest.mark.parametrize(
    ("config", "context"),
    [
        ({"model_type": "llama", "max_position_embeddings": 8192}, 8192),
        ({"model_type": "gpt2", "n_positions": 1024}, 1024),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "clip", "text_config": {"max_position_embeddings": 77}, "vision_config": {}}, 77),
        ({"model_type": "resnet"}, 2048),
    ],
)
def test_the_longest_text_is_what_the_part_that_reads_texts_says(tmp_path, config, context):
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert Checkpoint(tmp_path).context_length == context

"""How well a language model predicts text, from what each document cost it.

``perplexity`` is the exponential of the mean loss a token in nats. It depends on how the tokenizer cuts the text;
``bits_per_byte``, the loss in bits over the bytes of UTF-8 that were predicted, does not. ``token_accuracy`` is the
share of tokens that the model held likeliest.
"""

from __future__ import annotations

import math

import numpy as np

from aictl.measure.resampling import Measure, Sums, ratio


def measures(loss: np.ndarray, tokens: np.ndarray, size_bytes: np.ndarray, right: np.ndarray) -> dict[str, Measure]:
    """All of them, by name: sums over each document's predicted tokens, float64 or int64 (documents,); ``loss`` is
    in nats, ``right`` counts the tokens that were held likeliest."""
    return {
        "perplexity": Sums(
            np.stack([loss, tokens], axis=1), lambda sums: np.exp(sums[:, 0] / sums[:, 1]), corrected=False
        ),
        "bits_per_byte": ratio(loss / math.log(2), size_bytes, corrected=False),
        "token_accuracy": ratio(right, tokens, corrected=False),
    }

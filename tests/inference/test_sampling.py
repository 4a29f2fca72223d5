"""Sampling agrees with transformers' definitions, is reproducible, and refuses nonsense."""

from __future__ import annotations

import numpy as np
import pytest

from aictl.core.errors import BadRequest, WorkFailed
from aictl.inference.generator import Sampling
from aictl.inference.sampling import Sampler, _nucleus

LOGITS = np.random.default_rng(3).normal(size=1000).astype(np.float32) * 4


def test_temperature_zero_takes_the_likeliest():
    assert Sampler(Sampling()).choose(LOGITS) == LOGITS.argmax()


def test_a_seed_fixes_the_choices_and_another_changes_them():
    def draw(seed: int) -> list[int]:
        sampler = Sampler(Sampling(temperature=1.0, top_p=0.9, seed=seed))
        return [sampler.choose(LOGITS) for _ in range(20)]

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


@pytest.mark.parametrize("top_p", [0.05, 0.5, 0.9, 0.999])
def test_the_nucleus_is_that_of_transformers(top_p):
    import torch
    from transformers import TopPLogitsWarper

    kept = torch.isfinite(TopPLogitsWarper(top_p)(torch.zeros(1, 1), torch.tensor(LOGITS)[None]))[0]
    ids, _ = _nucleus(np.exp(LOGITS.astype(np.float64)), top_p)
    assert sorted(ids) == kept.nonzero()[:, 0].tolist()


def test_a_flat_distribution_is_wider_than_the_first_guess_at_the_nucleus():
    ids, _ = _nucleus(np.ones(1000), 0.9)
    assert len(ids) == 900


def test_frequencies_follow_the_temperature():
    sampler = Sampler(Sampling(temperature=2.0, seed=0))
    logits = np.array([0.0, 2.0, 4.0], np.float32)
    counts = np.bincount([sampler.choose(logits) for _ in range(5000)], minlength=3) / 5000
    expected = np.exp(logits / 2) / np.exp(logits / 2).sum()
    assert np.abs(counts - expected).max() < 0.03


def test_a_tiny_temperature_does_not_overflow():
    assert Sampler(Sampling(temperature=1e-8, seed=0)).choose(LOGITS) == LOGITS.argmax()


@pytest.mark.parametrize("sampling", [Sampling(temperature=-1), Sampling(top_p=0), Sampling(top_p=1.5)])
def test_settings_out_of_bounds_are_refused(sampling):
    with pytest.raises(BadRequest):
        Sampler(sampling)


def test_logits_that_are_no_numbers_are_an_error():
    with pytest.raises(WorkFailed, match="not finite"):
        Sampler(Sampling()).choose(np.array([1.0, np.nan, 2.0], np.float32))

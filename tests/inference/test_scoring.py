"""What tokens cost is the same on every runtime, alone or in a batch, whole or in parts."""

from __future__ import annotations

import numpy as np
import pytest

from aictl.core.errors import BadRequest
from aictl.inference import scoring, torch_scoring
from aictl.inference.scoring import Stretch, of_logits

TEXTS = ["The quick brown fox.", "jumps", "over the lazy dog, again and again and again", "ab"]


def wanted(generator, stretch: Stretch):
    logits = generator.logits(stretch.ids[:-1])[stretch.start - 1 :]
    return of_logits(logits, np.array(stretch.ids[stretch.start :]))


def stretches(generator) -> list[Stretch]:
    ids = [generator.encode(text) for text in TEXTS]
    return [Stretch(ids[0]), Stretch(ids[1]), Stretch(ids[2], 9), Stretch(ids[3]), Stretch(ids[2], len(ids[2]) - 1)]


def test_it_is_the_cross_entropy_of_the_logits(generator):
    asked = stretches(generator)
    for one, found in zip(asked, generator.score(asked), strict=True):
        assert found.losses == pytest.approx(wanted(generator, one).losses, rel=1e-4, abs=1e-5)
        assert list(found.likeliest) == list(wanted(generator, one).likeliest)
        assert len(found.losses) == one.predicted


def test_of_logits_is_torchs_cross_entropy():
    torch = pytest.importorskip("torch", reason="torch is of the extra train")
    logits = np.random.default_rng(0).normal(0, 9, (7, 30)).astype(np.float32)
    targets = np.arange(7)
    known = torch.nn.functional.cross_entropy(torch.tensor(logits), torch.tensor(targets), reduction="none")
    assert of_logits(logits, targets).losses == pytest.approx(known.numpy(), rel=1e-5)


def test_parts_and_batches_change_nothing(generator, monkeypatch):
    asked = stretches(generator)
    whole = generator.score(asked)
    monkeypatch.setattr(scoring, "PART_TOKENS", 3)
    monkeypatch.setattr(torch_scoring, "_PART_TOKENS", 3)
    monkeypatch.setattr(torch_scoring, "BATCH_TOKENS", 40)
    for one, other in zip(whole, generator.score(asked), strict=True):
        assert one.losses == pytest.approx(other.losses, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("stretch", [Stretch([1], 1), Stretch([1, 2], 2), Stretch([1, 2], 0), Stretch([1] * 4000)])
def test_what_cannot_be_predicted_is_refused(generator, stretch):
    with pytest.raises(BadRequest, match="tokens were given"):
        generator.score([stretch])


def test_batches_hold_every_stretch_once_and_no_more_than_there_is_room_for():
    random = np.random.default_rng(1)
    asked = [Stretch([1] * int(length), 1 + int(length) // 3) for length in random.integers(2, 900, 200)]
    batches = list(torch_scoring._batches(asked, vocabulary=30_000))
    assert sorted(row for rows in batches for row in rows) == list(range(200))
    for rows in batches:
        width = max(len(asked[row].ids) for row in rows) - 1
        kept = width - min(asked[row].start for row in rows) + 1
        assert len(rows) == 1 or len(rows) * width <= torch_scoring.BATCH_TOKENS
        assert len(rows) == 1 or len(rows) * kept * 30_000 * 4 <= torch_scoring.LOGITS_BYTES

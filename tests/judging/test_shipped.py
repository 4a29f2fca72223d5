"""The texts that come with the package are a dataset that a language model can be judged on."""

from __future__ import annotations

from aictl.judging.shipped import shipped


def test_they_are_passages_with_their_sources(tmp_path):
    made = shipped(tmp_path / "it")
    made.check()
    passages = list(made.documents("validation"))
    assert len(passages) > 10
    assert all(100 < len(one["text"]) < 2048 and one["source"][-4:].strip(",; ") for one in passages)
    assert not any(one["text"].startswith("#") for one in passages)
    assert [one["text"] for one in shipped(tmp_path / "it").documents("validation")] == [
        one["text"] for one in passages
    ]

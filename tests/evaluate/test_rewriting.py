"""What an encoder-decoder model writes is what transformers generates, and is measured as sacrebleu measures."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import BadRequest, Damaged, WrongKind

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Checkpoint:
    """A T5 of two layers that has learnt, in part, to say numbers backwards."""
    from transformers import T5Config, T5ForConditionalGeneration

    folder = tmp_path_factory.mktemp("t5") / "backwards"
    folder.mkdir()
    vocabulary = {word: number for number, word in enumerate(["<pad>", "</s>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["<pad>", "</s>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    module = T5ForConditionalGeneration(
        T5Config(
            vocab_size=len(vocabulary), d_model=48, d_kv=12, d_ff=96, num_layers=2, num_heads=4,
            decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, dropout_rate=0,
        )
    )  # fmt: skip
    optimizer = torch.optim.AdamW(module.parameters(), lr=5e-3)
    for step in range(120):
        ids = torch.randint(3, len(vocabulary), (32, 4), generator=torch.Generator().manual_seed(step))
        labels = torch.cat([ids.flip(1), torch.ones((32, 1), dtype=torch.long)], dim=1)
        optimizer.zero_grad()
        module(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
    module.save_pretrained(folder)
    return Checkpoint(folder, name="backwards")


@pytest.fixture
def pairs(write_dataset):
    chosen = torch.randint(0, 10, (30, 5), generator=torch.Generator().manual_seed(99)).tolist()
    inputs = [[WORDS[one] for one in row[: 3 + number % 3]] for number, row in enumerate(chosen)]
    documents = [{"input": " ".join(one), "output": " ".join(one[::-1]), "source": "t"} for one in inputs]
    return write_dataset("pairs", "pair", {"validation": documents})


def test_bleu_chrf_and_rouge_are_those_of_their_libraries(model, pairs, run, rows):
    import sacrebleu
    from rouge_score.rouge_scorer import RougeScorer

    made = run(model, pairs, max_tokens=8)
    found = rows(made)
    written, references = [row["output"] for row in found], [row["reference"] for row in found]
    values = made.values()
    assert 10 < values["bleu"] < 100
    assert values["bleu"] == pytest.approx(sacrebleu.corpus_bleu(written, [references]).score)
    assert values["chrf"] == pytest.approx(sacrebleu.corpus_chrf(written, [references]).score)
    scorer = RougeScorer(["rouge2", "rougeL"])
    for name in ("rouge2", "rougeL"):
        scores = [scorer.score(one, other)[name].fmeasure for one, other in zip(references, written, strict=True)]
        assert values[name] == pytest.approx(sum(scores) / len(scores))


def test_what_is_written_is_what_transformers_generates(model, pairs, run, rows):
    from transformers import T5ForConditionalGeneration

    module = T5ForConditionalGeneration.from_pretrained(model.folder).eval()
    tokenizer = Tokenizer.from_file(str(model.folder / "tokenizer.json"))
    for row in rows(run(model, pairs, max_tokens=8)):
        ids = module.generate(torch.tensor([tokenizer.encode(row["input"]).ids]), max_new_tokens=8, do_sample=False)
        assert row["output"] == tokenizer.decode(ids[0].tolist())


def test_what_does_not_apply_is_refused_with_what_does(model, pairs, write_dataset, run):
    with pytest.raises(BadRequest, match="'accuracy' does not apply") as refused:
        run(model, pairs, metrics="bleu,accuracy")
    assert refused.value.cure == "there are rouge, bleu, chrf, rouge1, rouge2, rougeL"
    with pytest.raises(BadRequest, match="'perplexity' does not apply"):
        run(model, pairs, gate=["perplexity<3"])
    texts = write_dataset("texts", "text", {"validation": [{"text": "one", "source": "t"}]})
    with pytest.raises(WrongKind, match="is of format text, and pair is needed"):
        run(model, texts)


def test_a_gate_brings_its_measure(model, pairs, run):
    made = run(model, pairs, metrics="bleu", gate=["rougeL>=0.99"], max_tokens=8)
    assert list(made.values()) == ["rougeL", "bleu"]
    with pytest.raises(BadRequest, match="'rouge' does not apply"):
        run(model, pairs, gate=["rouge>=0.5"], name="group")


def test_weights_that_are_not_there_are_not_made_up(model, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    from aictl.inference.rewriting import Rewriter

    folder = tmp_path / "torn"
    shutil.copytree(model.folder, folder)
    weights = load_file(folder / "model.safetensors")
    lost = next(name for name in weights if "decoder.block.1" in name)
    save_file({name: value for name, value in weights.items() if name != lost}, folder / "model.safetensors")
    with pytest.raises(Damaged, match="lacks 1 weights"):
        Rewriter(folder)

"""A byte-level BPE tokenizer learnt from the dataset.

Every text can be encoded, because all 256 bytes are tokens
(https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf,
section 2.2). It is written so that ``AutoTokenizer`` loads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

BEGIN = "<|begin_of_text|>"
END = "<|end_of_text|>"
PAD = "<|pad|>"
_DOCUMENTS_AT_ONCE = 256


def learn(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Learn merges until the vocabulary has ``vocab_size`` tokens, or fewer if no pair of tokens
    is left that occurs twice."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=[BEGIN, END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", pair=f"{BEGIN} $A {BEGIN} $B", special_tokens=[(BEGIN, tokenizer.token_to_id(BEGIN))]
    )
    return tokenizer


def encode(tokenizer: Tokenizer, texts: Iterable[str]) -> Iterator[list[int]]:
    """Ids of each document between the begin and the end token. Text that merely looks like a
    special token is encoded as the text that it is."""
    tokenizer.encode_special_tokens = True
    end = tokenizer.token_to_id(END)
    assert end is not None  # learn() made it
    rest = iter(texts)
    while chunk := list(islice(rest, _DOCUMENTS_AT_ONCE)):
        for encoding in tokenizer.encode_batch_fast(chunk):
            yield [*encoding.ids, end]


def save(tokenizer: Tokenizer, folder: Path, context: int) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json``."""
    tokenizer.encode_special_tokens = False
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BEGIN,
        "eos_token": END,
        "pad_token": PAD,
        "clean_up_tokenization_spaces": False,
        "model_max_length": context,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")

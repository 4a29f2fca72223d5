"""What a model is taught, as token ids: documents, conversations, and inputs with their outputs.

A document (format ``text``) is learnt whole, in parts of the longest sequence that overlap by the one token that a part
predicts from. Of a conversation (``chat``) the assistant's words are learnt, and of a pair (``pair``) its output. A
checkpoint with a chat template reads a pair as a question and its answer, any other as the input, a line break, the
output and the end token.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from transformers import PreTrainedTokenizerBase

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset, Format
from aictl.core.errors import BadInput, BadRequest
from aictl.core.events import Events
from aictl.training import conversations
from aictl.training.conversations import Conversations
from aictl.training.dialogue import Dialogue, DialogueEncoder, Unusable

FORMATS: tuple[Format, ...] = ("chat", "text", "pair")
NOUNS = {"chat": "conversations", "text": "documents", "pair": "pairs", "preference": "preferences"}
_TOLD_EVERY = 256


def longest_of(asked: int | None, checkpoint: Checkpoint, usual: int) -> int:
    """Most tokens of an example: as ``asked`` with --sequence-length, or the ``usual`` as far as the model's context
    goes. Raises :class:`BadRequest` for more than that."""
    context = checkpoint.context_length
    if asked and asked > context:
        raise BadRequest(
            f"--sequence-length {asked}: '{checkpoint.label}' has a context of {context} tokens",
            cure=f"--sequence-length {context}",
        )
    return asked or min(usual, context)


class Encode(Protocol):
    """Encodes one document of a dataset, into several examples or one. Raises :class:`Unusable`."""

    def __call__(self, document: Mapping[str, Any]) -> Iterable[Dialogue]: ...


def encoder(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, ends: Iterable[int], longest: int) -> Encode:
    """The encoder for a dataset's format, of which no example is longer than ``longest`` tokens; ``ends`` are the
    tokens at which generation ends. Raises :class:`WrongKind` for another format, and :class:`BadRequest` for
    conversations where the tokenizer has no chat template."""
    dataset.require_format(*FORMATS, cure="make one with `aictl data prep FILES --format chat`")
    if dataset.format == "text":
        return lambda document: _parts(document["text"], tokenizer, longest)
    if dataset.format == "pair" and not tokenizer.chat_template:
        return lambda document: [_pair(document, tokenizer, longest)]
    dialogues = DialogueEncoder(tokenizer, ends, longest)
    if dataset.format == "chat":
        return lambda document: [dialogues.encode(document["messages"])]
    return lambda document: [dialogues.encode(_as_messages(document))]


def encode(dataset: Dataset, split: str, encoder: Encode, scratch: Path, events: Events) -> Conversations:
    """The examples of a split, in a file of ``scratch`` that is taken if it is there. Documents that cannot be used
    are set aside and counted. Raises :class:`BadInput` if none can."""
    path = scratch / f"{split}.conversations"
    if path.exists():
        return conversations.read(path)
    noun = NOUNS[dataset.format]
    task = f"encode {split}"
    refused: Counter[str] = Counter()
    events.started(task, dataset.splits.get(split, 0), noun)

    def encoded() -> Iterator[Dialogue]:
        for done, document in enumerate(dataset.documents(split), 1):
            try:
                yield from encoder(document)
            except Unusable as reason:
                refused[str(reason)] += 1
            if done % _TOLD_EVERY == 0:
                events.advanced(task, done)

    made = conversations.write(path, encoded())
    events.finished(task)
    for reason, count in refused.most_common():
        events.noted(f"{count} {noun} of the {split} split set aside: {reason}", "warning")
    if not len(made):
        path.unlink()
        raise _nothing_usable(dataset, split, refused)
    return made


def _nothing_usable(dataset: Dataset, split: str, refused: Counter[str]) -> BadInput:
    noun, why = NOUNS[dataset.format], f": {refused.most_common(1)[0][0]}" if refused else ""
    cures = {
        "chat": "add conversations in which the assistant answers, or raise --sequence-length",
        "text": "add documents, or prepare the data with a larger share for validation",
    }
    return BadInput(
        f"dataset '{dataset.label}' has no usable {noun.removesuffix('s')} in its {split} split{why}",
        cure=cures.get(dataset.format, f"add {noun}, or raise --sequence-length"),
    )


def _parts(text: str, tokenizer: PreTrainedTokenizerBase, longest: int) -> Iterator[Dialogue]:
    ids = _closed(tokenizer(text, verbose=False)["input_ids"], tokenizer)
    if len(ids) < 2:
        raise Unusable("there is nothing to predict in it")
    for start in range(0, len(ids) - 1, longest - 1):
        part = ids[start : start + longest]
        yield Dialogue(part, [True] * len(part))


def _pair(document: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, longest: int) -> Dialogue:
    # As a prompt it is encoded before there is an output, so here it is too.
    given = list(tokenizer(document["input"] + "\n", verbose=False)["input_ids"])
    while given and given[-1] == tokenizer.eos_token_id:  # some tokenizers close every text
        given.pop()
    wanted = _closed(tokenizer(document["output"], add_special_tokens=False, verbose=False)["input_ids"], tokenizer)
    ids = (given + wanted)[:longest]
    learnt = [place >= len(given) for place in range(len(ids))]
    if not any(learnt[1:]):
        raise Unusable(f"none of the output is among its first {longest} tokens")
    return Dialogue(ids, learnt)


def _closed(ids: Iterable[int], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    found, end = list(ids), tokenizer.eos_token_id
    return found if end is None or (found and found[-1] == end) else [*found, end]


def _as_messages(document: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"role": "user", "content": document["input"]}, {"role": "assistant", "content": document["output"]}]

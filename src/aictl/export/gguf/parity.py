"""Does a GGUF file say what PyTorch says? It is read back, and both the tokens and the logits that it gives are held
against the parent's, on text that is nobody's training data here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from aictl.core.errors import GateMissed, WorkFailed
from aictl.core.events import Events
from aictl.export.samples import TEXTS
from aictl.export.spec import GgufSpec
from aictl.export.tolerance import usual_tolerance
from aictl.inference.gguf import load_gguf, load_gguf_tokenizer
from aictl.inference.quiet import quiet
from aictl.inference.tokenizer import ModelTokenizer
from aictl.judging.shipped import shipped
from aictl.measure.parity import parity

# Tokens of a text that are compared. A vocabulary of 150,000 makes 80 MB of logits of them, and there are 22 texts.
MOST_TOKENS = 128
# What splits words differently where a tokenizer does: digits, spaces, contractions, letters with and without accents.
_ODD = (
    "In 2024 it cost 1,234,567.89 and then 3 more;  two  spaces\n\n\ttabs   and lines\n",
    "They'll SAY it's WE'VE been 'quoted' -- don't!",
    "Größe, naïve café, 北京 и Москва, ελληνικά, 🙂👍🏽 and x²",
)
_PRECISIONS = {"f32": "fp32", "f16": "fp16", "bf16": "bf16", "q8_0": "q8_0"}


class References(NamedTuple):
    """What the parent gives: ``prompts`` are token ids, ``files`` its float32 logits (length, vocabulary) of each, on
    the disk, for together they may be larger than the network."""

    prompts: list[list[int]]
    files: list[Path]


def texts(scratch: Path) -> list[str]:
    """Passages that come with the package, and the samples of every export."""
    return [*TEXTS, *_ODD, *(one["text"] for one in shipped(scratch / "texts").documents("validation"))]


def references(module: Any, prompts: Sequence[Sequence[int]], scratch: Path, events: Events) -> References:
    """Run the parent over every prompt."""
    kept = [list(prompt)[:MOST_TOKENS] for prompt in prompts if prompt]
    files = [scratch / f"{number}.npy" for number in range(len(kept))]
    task = "run PyTorch"
    events.started(task, total=len(kept), unit="texts")
    for done, (prompt, file) in enumerate(zip(kept, files, strict=True), 1):
        np.save(file, _logits(module, prompt))
        events.advanced(task, done)
    events.finished(task)
    return References(kept, files)


def require_same_tokens(path: Path, tokenizer: ModelTokenizer, samples: Sequence[str], added: Sequence[str]) -> int:
    """How many tokens the samples have, and the tokens that were added to the vocabulary, each within a text. Raises
    :class:`WorkFailed` where the file's tokenizer gives others."""
    with quiet():
        other = load_gguf_tokenizer(path)
    count = 0
    for text in [*samples, *(f"one {token} two{token}{token}three" for token in added)]:
        wanted, got = tokenizer.encode(text), other(text)["input_ids"]
        if wanted != got:
            at = next((n for n, pair in enumerate(zip(wanted, got, strict=False)) if pair[0] != pair[1]), len(wanted))
            raise WorkFailed(
                f"the tokenizer that the file holds cuts {text[:60]!r} otherwise from token {at} on: "
                f"{got[at : at + 5]} where the model has {wanted[at : at + 5]}",
                cure="aictl export onnx takes the tokenizer along as it is",
            )
        count += len(wanted)
    return count


def compare(path: Path, wanted: References, spec: GgufSpec, events: Events) -> dict[str, Any]:
    """Read the weights back and hold the logits against the parent's: the ``worst`` difference, its ``tolerance``, the
    ``largest`` logit, and the share of tokens after which both go on alike (``same_choice``).

    Raises :class:`GateMissed` for a difference beyond the tolerance, :class:`WorkFailed` for what is no number.
    """
    task = "compare with PyTorch"
    events.started(task, total=len(wanted.prompts), unit="texts")
    with quiet():
        module = load_gguf(path)
    worst, largest, same, count = 0.0, 0.0, 0.0, 0
    for done, (prompt, file) in enumerate(zip(wanted.prompts, wanted.files, strict=True), 1):
        reference = np.load(file, allow_pickle=False)
        found = parity([reference], [_logits(module, prompt)])
        worst, largest = max(worst, found.worst), max(largest, float(np.abs(reference).max()))
        same, count = same + found.agreement * len(prompt), count + len(prompt)
        events.advanced(task, done)
    events.finished(task)
    allowed = spec.tolerance or usual_tolerance(_PRECISIONS[spec.type], largest)
    events.measured("difference", worst)
    events.measured("same choice", same / count)
    if worst > allowed:
        raise GateMissed(
            f"what the file gives differs from PyTorch's logits by up to {worst:.3g}, and {allowed:.3g} is accepted; "
            f"{same / count:.1%} of the next tokens are the same",
            cure="take a wider --type, or raise --tolerance if such a difference does not matter to you",
        )
    return {"worst": worst, "tolerance": allowed, "largest": largest, "same_choice": same / count, "tokens": count}


def _logits(module: Any, prompt: Sequence[int]) -> np.ndarray:
    with torch.inference_mode():
        return module(input_ids=torch.tensor([list(prompt)]), use_cache=False).logits[0].float().numpy()

"""The tokenizer of a model that is trained from the start: one that is given, or one that is learnt."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import tokenizers
import tokenizers.processors

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.tokenizer import FILE, Tokenizer
from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.tokenizing.byte_bpe import ROLES
from aictl.tokenizing.folder import TokenizerFolder, write, write_config


def given_or_learnt(
    given: Tokenizer | Checkpoint | None,
    start: Checkpoint | None,
    vocab_size: int | None,
    learn: Callable[[], tokenizers.Tokenizer],
    *,
    scratch: Path,
    events: Events,
) -> TokenizerFolder:
    """The tokenizer that was given, that of the checkpoint ``start``, or what ``learn`` learns, which is kept in
    ``scratch``. Raises :class:`BadRequest` for a vocabulary size beside a tokenizer."""
    found = given or start
    if found is not None:
        if vocab_size is not None:
            whose = "--tokenizer" if given else "--from"
            raise BadRequest(f"--vocab-size is for learning a tokenizer, and {whose} gives one", cure="leave one out")
        return TokenizerFolder(found.folder)
    folder = scratch / "tokenizer"
    if not folder.is_dir():
        partial = scratch / "tokenizer.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        events.started("tokenizer")
        write(learn(), partial, ROLES)
        partial.rename(folder)
        events.finished("tokenizer")
    return TokenizerFolder(folder)


def refuse_foreign(given: Tokenizer | Checkpoint | None, start: Checkpoint | None) -> None:
    """Raise :class:`BadRequest` for a tokenizer by which the tokens of the checkpoint ``start`` have other ids, as its
    weights would then be those of other words. More tokens than its own are no hindrance."""
    if given is None or start is None or not (start.folder / FILE).is_file():
        return
    own, other = (TokenizerFolder(one.folder).library.get_vocab(with_added_tokens=True) for one in (start, given))
    moved = [token for token, number in own.items() if other.get(token) != number]
    if moved:
        raise BadRequest(
            f"--tokenizer '{given.label}' does not match '{start.label}': {len(moved)} of its {len(own)} tokens have "
            "other ids there",
            cure="leave --tokenizer out: a checkpoint brings its own",
        )


def closing(tokenizer: TokenizerFolder, scratch: Path) -> TokenizerFolder:
    """A tokenizer like the one given, which puts its end token, and nothing else, about a text: an encoder-decoder
    knows by it where an input ends. Raises :class:`BadInput` for one that has no end token."""
    end = (tokenizer.special.get("eos_token", ""), tokenizer.end_id)
    folder = scratch / "closing"
    folder.mkdir(exist_ok=True)
    library = tokenizers.Tokenizer.from_file(str(tokenizer.folder / FILE))
    library.post_processor = tokenizers.processors.TemplateProcessing(
        single=f"$A {end[0]}", pair=f"$A {end[0]} $B {end[0]}", special_tokens=[end]
    )
    library.save(str(folder / FILE))
    write_config(tokenizer.config, folder)
    return TokenizerFolder(folder)


def save(tokenizer: TokenizerFolder, folder: Path, context: int) -> None:
    """Write a tokenizer beside a model of a ``context`` of so many tokens."""
    for name in (FILE, "chat_template.jinja"):
        if (tokenizer.folder / name).is_file():
            shutil.copyfile(tokenizer.folder / name, folder / name)
    write_config(tokenizer.config | {"model_max_length": context}, folder)

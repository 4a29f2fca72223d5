"""Text to token ids and back for a model folder, with neither torch nor transformers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers.decoders import DecodeStream

from aictl.artifacts.tokenizer import special_tokens
from aictl.core.errors import BadRequest, Damaged, NotFound
from aictl.inference.chat import ChatTemplate


class ModelTokenizer:
    """The tokenizer, chat template and end tokens of one model, from its folder's files."""

    def __init__(self, folder: Path) -> None:
        """Raises :class:`NotFound` without a ``tokenizer.json``, :class:`Damaged` if it cannot be read."""
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise NotFound(f"{folder} has no tokenizer.json", cure="make the model again, with its tokenizer")
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises plain Exception
            raise Damaged(f"{path} cannot be read: {error}", cure="aictl artifact check NAME") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._template = ChatTemplate.read(folder)
        config = _read(folder / "tokenizer_config.json")
        self._begin = special_tokens(config).get("bos_token")
        self.end_ids = self._end_ids(folder, config)
        begin = self._tokenizer.token_to_id(self._begin) if self._begin else None
        self.begin_id: int | None = min(self.end_ids, default=None) if begin is None else begin

    def _end_ids(self, folder: Path, config: dict[str, Any]) -> frozenset[int]:
        for name in ("generation_config.json", "config.json"):
            ids = _read(folder / name).get("eos_token_id")
            if ids is not None:
                return frozenset([ids] if isinstance(ids, int) else ids)
        end = special_tokens(config).get("eos_token")
        known = self._tokenizer.token_to_id(end) if end else None
        return frozenset() if known is None else frozenset([known])

    def encode(self, text: str) -> list[int]:
        """Ids of a text. A begin token is put first where the tokenizer does so, except before
        text that already has it, as a rendered conversation may."""
        rendered = bool(self._begin and text.startswith(self._begin))
        return self._tokenizer.encode(text, add_special_tokens=not rendered).ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, without special tokens."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=True)

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        if self._template is None:
            raise BadRequest(
                "this model has no chat template, so it does not know conversations",
                cure="ask for a plain completion, or fine-tune a chat model",
            )
        return self._template.render(messages)

    def stream(self) -> TokenStream:
        return TokenStream(self._tokenizer)


class TokenStream:
    """Turns tokens into text one by one. A character whose bytes are spread over several tokens
    comes out with the last of them."""

    def __init__(self, tokenizer: tokenizers.Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._stream = DecodeStream(skip_special_tokens=True)
        self._ids: list[int] = []
        self._given = 0

    def push(self, token: int) -> str:
        """The text that this token completes; often empty in the middle of a character."""
        self._ids.append(token)
        text = ""
        with suppress(Exception):  # DecodeStream gives up on some invalid byte sequences; rest() has them
            text = self._stream.step(self._tokenizer, token) or ""
        self._given += len(text)
        return text

    def rest(self) -> str:
        """What is left at the end: the replacement character for a character that was cut off."""
        return self._tokenizer.decode(self._ids, skip_special_tokens=True)[self._given :]


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Damaged(f"{path}: {error}") from error

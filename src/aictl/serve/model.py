"""The one model that a server serves: its name, its text generator, and prompts in its tokens."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from aictl.core.artifact import Artifact
from aictl.inference.generator import TextGenerator
from aictl.serve.refusal import Refusal, context_overflow
from aictl.serve.requests import Ask, ChatAsk


class ServedModel:
    """A loaded model under the name by which clients ask for it."""

    def __init__(self, artifact: Artifact, generator: TextGenerator) -> None:
        """Runs the network once, over one token: it shows that it runs, and how many tokens it knows."""
        self.id = artifact.label
        self.generator = generator
        created = datetime.fromisoformat(artifact.record.created).timestamp() if artifact.record else time.time()
        self._created = int(created)
        self._vocabulary = int(generator.logits([0]).shape[-1])

    def body(self) -> dict[str, Any]:
        """OpenAI's model object."""
        return {"id": self.id, "object": "model", "created": self._created, "owned_by": "aictl"}

    def prompt(self, ask: Ask) -> Sequence[int]:
        """The prompt's token ids. Raises :class:`Refusal` for ids that the model does not know and
        for a prompt that leaves no room for an answer, ``BadRequest`` for a conversation that its
        chat template does not take."""
        if isinstance(ask, ChatAsk):
            ids = self.generator.encode(self.generator.render_chat([one.plain() for one in ask.messages]))
            param = "messages"
        else:
            ids = self.generator.encode(ask.prompt) if isinstance(ask.prompt, str) else ask.prompt
            param = "prompt"
        if any(not 0 <= one < self._vocabulary for one in ids):
            message = f"'{param}': token ids of this model go from 0 to {self._vocabulary - 1}"
            raise Refusal(400, message, param=param, code="invalid_value")
        if not ids:
            raise Refusal(400, f"'{param}' is empty", param=param, code="invalid_value")
        if len(ids) >= self.generator.context_length:
            raise context_overflow(len(ids), self.generator.context_length, param)
        return ids

"""Load a model, ask it once, and pass its words on as they come."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing
from typing import Any

from aictl.artifacts.adapter import Adapter
from aictl.core.artifact import Artifact
from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.generate.spec import GenerateSpec
from aictl.inference.chat import ChatTemplate
from aictl.inference.generator import Sampling, TextGenerator
from aictl.inference.load import load, require_generator


def generate(
    artifact: Artifact, prompt: str, spec: GenerateSpec, events: Events
) -> Generator[str, None, dict[str, Any]]:
    """Yields the answer in pieces; returns the model, why it ended and how many tokens it took, in
    the words of OpenAI's API.

    Raises :class:`BadRequest` for an empty prompt, one that fills the model's context, and
    instructions for a model that knows no chats; and what loading the model raises.
    """
    if not prompt.strip():
        raise BadRequest("the prompt is empty", cure="give it after the model, or pipe it in")
    require_generator(artifact, "generate")
    in_chat = not spec.raw and _knows_chats(artifact)
    if spec.system is not None and not in_chat:
        why = "--raw leaves it out" if spec.raw else f"'{artifact.label}' has no chat template"
        raise BadRequest(f"--system has no place: {why}", cure="put the instructions into the prompt")
    events.started(f"load {artifact.label}")
    with closing(load(artifact, threads=spec.threads, device=spec.device)) as generator:
        events.finished(f"load {artifact.label}")
        ids = generator.encode(_chat(generator, prompt, spec.system) if in_chat else prompt)
        sampling = Sampling(spec.max_tokens, spec.temperature, spec.top_p, spec.seed, tuple(spec.stop))
        began = time.perf_counter()
        for piece in generator.generate(ids, sampling):
            if piece.text:
                yield piece.text
    seconds = time.perf_counter() - began
    events.noted(f"{piece.tokens} tokens in {seconds:.2f} s, after a prompt of {len(ids)}", "detail")
    if piece.finish_reason == "length":
        events.noted(f"cut off after {piece.tokens} tokens; --max-tokens sets how many there may be")
    usage = {"prompt_tokens": len(ids), "completion_tokens": piece.tokens, "total_tokens": len(ids) + piece.tokens}
    return {"model": artifact.label, "finish_reason": piece.finish_reason, "usage": usage}


def _knows_chats(artifact: Artifact) -> bool:
    owner = artifact.base if isinstance(artifact, Adapter) else artifact
    return ChatTemplate.read(owner.folder) is not None


def _chat(generator: TextGenerator, prompt: str, system: str | None) -> str:
    instructions = [] if system is None else [{"role": "system", "content": system}]
    return generator.render_chat([*instructions, {"role": "user", "content": prompt}])

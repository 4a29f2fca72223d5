"""One engine, which decodes tokens that it is given: python engine_runs.py ENGINE PLACE, on one thread.

Each line on stdin is JSON, ``[prompt, then]``: token ids to read at once, and those that follow one by one, as if the
model had chosen them. A line on stdout answers with the CPU seconds of the latter.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Steps = Callable[[Sequence[int], Sequence[int]], Iterator[Any]]


def torch_eager(place: str) -> Steps:
    """PyTorch as it comes, float32."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32).eval()

    def steps(prompt: Sequence[int], then: Sequence[int]) -> Iterator[Any]:
        cache = None
        for ids in (prompt, *([one] for one in then)):
            with torch.inference_mode():
                made = model(input_ids=torch.tensor([list(ids)]), past_key_values=cache, logits_to_keep=1)
            cache = made.past_key_values
            yield made.logits

    return steps


def ours(place: str) -> Steps:
    """An onnx artifact, as `generate` and `serve` run it."""
    from pathlib import Path

    from aictl.artifacts.onnx import OnnxModel
    from aictl.inference.load import load

    return load(OnnxModel(Path(place)), threads=1).replay


def genai(place: str) -> Steps:
    """A graph of onnxruntime-genai's builder in onnxruntime-genai."""
    import onnxruntime_genai as library

    model = library.Model(place)

    def steps(prompt: Sequence[int], then: Sequence[int]) -> Iterator[Any]:
        options = library.GeneratorParams(model)
        options.set_search_options(max_length=len(prompt) + len(then) + 1, do_sample=False)
        generator = library.Generator(model, options)
        for ids in (prompt, *([one] for one in then)):
            generator.append_tokens(list(ids))
            yield generator.get_logits()

    return steps


def llama_cpp(place: str) -> Steps:
    """A GGUF in llama.cpp."""
    from llama_cpp import Llama

    model = Llama(place, n_ctx=512, n_threads=1, n_threads_batch=1, verbose=False)

    def steps(prompt: Sequence[int], then: Sequence[int]) -> Iterator[Any]:
        model.reset()
        for ids in (prompt, *([one] for one in then)):
            model.eval(list(ids))
            yield model.n_tokens

    return steps


def main() -> None:
    steps = {"torch": torch_eager, "ours": ours, "genai": genai, "llama.cpp": llama_cpp}[sys.argv[1]](sys.argv[2])
    for line in sys.stdin:
        prompt, then = json.loads(line)
        going = steps(prompt, then)
        next(going)
        began = time.process_time()
        for _ in going:
            pass
        print(time.process_time() - began, flush=True)


if __name__ == "__main__":
    main()

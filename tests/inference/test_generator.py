"""Every runtime generates the same way: as transformers would, within bounds, reproducibly."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.artifacts.probe import Probe
from aictl.core.errors import BadRequest, Damaged, MachineLacks, WrongKind
from aictl.inference.decoding import PREFILL_TOKENS
from aictl.inference.generator import Sampling
from aictl.inference.load import load


def text(generator, prompt: str, **sampling) -> str:
    pieces = generator.generate(generator.encode(prompt), Sampling(**{"max_tokens": 12} | sampling))
    return "".join(piece.text for piece in pieces)


def tokens(model, prompt: list[int], count: int) -> list[int]:
    """Greedy tokens by transformers' own generate."""
    import torch
    from transformers import AutoModelForCausalLM

    module = AutoModelForCausalLM.from_pretrained(model.folder)
    given = torch.tensor([prompt])
    return module.generate(given, max_new_tokens=count, do_sample=False)[0, len(prompt) :].tolist()


def test_greedy_text_is_that_of_transformers(generator, chat_model):
    prompt = generator.encode("Hello there")
    assert text(generator, "Hello there") == generator.decode(tokens(chat_model, prompt, 12))


def test_logits_are_those_of_transformers(generator, chat_model, request):
    import torch
    from transformers import AutoModelForCausalLM

    ids = generator.encode("x = 1\n" * 60)
    assert len(ids) > PREFILL_TOKENS  # so that the cache is carried from one part to the next
    with torch.inference_mode():
        wanted = AutoModelForCausalLM.from_pretrained(chat_model.folder)(torch.tensor([ids])).logits[0].numpy()
    got = generator.logits(ids)
    assert got.dtype == np.float32
    assert got.shape == wanted.shape
    rounded = "fused" in request.node.callspec.id
    assert np.abs(got - wanted).max() < (0.05 if rounded else 1e-5)


def test_replay_is_what_decoding_does(generator):
    prompt = generator.encode("Hello")
    chosen = []
    for _ in range(5):
        chosen.append(int(generator.logits(prompt + chosen)[-1].argmax()))
    assert list(generator.replay(prompt, chosen[:-1])) == chosen


def test_a_seed_makes_sampling_reproducible(generator):
    settings = {"temperature": 1.0, "top_p": 0.95, "max_tokens": 20}
    assert text(generator, "a", seed=7, **settings) == text(generator, "a", seed=7, **settings)
    assert len({text(generator, "a", seed=seed, **settings) for seed in range(4)}) > 1


def test_the_last_piece_alone_has_a_reason_and_counts_all_tokens(generator):
    pieces = list(generator.generate(generator.encode("Hi"), Sampling(max_tokens=9)))
    assert [piece.finish_reason for piece in pieces] == [None] * (len(pieces) - 1) + ["length"]
    assert pieces[-1].tokens == 9


def test_it_stops_before_a_stop_string(generator):
    whole = text(generator, "Hello", max_tokens=16)
    stop = whole[4:7]
    pieces = list(generator.generate(generator.encode("Hello"), Sampling(max_tokens=16, stop=("never", stop))))
    assert "".join(piece.text for piece in pieces) == whole[: whole.index(stop)]
    assert pieces[-1].finish_reason == "stop"


def test_it_stops_at_the_end_token(chat_model, tmp_path):
    shutil.copytree(chat_model.folder, tmp_path, dirs_exist_ok=True)
    plain = load(Checkpoint(tmp_path), device="cpu")
    prompt = plain.encode("Hello")
    chosen = list(plain.replay(prompt, tokens(chat_model, prompt, 8)))
    (tmp_path / "generation_config.json").write_text(f'{{"eos_token_id": {chosen[3]}}}')
    ending = load(Checkpoint(tmp_path), device="cpu")
    first = chosen.index(chosen[3])
    *_, last = ending.generate(prompt, Sampling(max_tokens=8))
    assert (last.finish_reason, last.tokens) == ("stop", first + 1)


def test_cancelling_ends_it_without_a_reason(generator):
    given = []
    for piece in generator.generate(generator.encode("Hi"), Sampling(max_tokens=50), lambda: len(given) >= 3):
        given.append(piece)
    assert len(given) == 3
    assert given[-1].finish_reason is None
    assert list(generator.generate(generator.encode("Hi"), Sampling(), lambda: True)) == []


def test_the_context_bounds_prompt_and_output(generator):
    room = 5
    ids = (generator.encode("word ") * 1000)[: generator.context_length - room]
    *_, last = generator.generate(ids, Sampling(max_tokens=100))
    assert (last.tokens, last.finish_reason) == (room, "length")
    with pytest.raises(BadRequest, match="context holds"):
        generator.generate(ids + ids[:room], Sampling())


@pytest.mark.parametrize("sampling", [Sampling(max_tokens=0), Sampling(temperature=-0.1), Sampling(top_p=2)])
def test_a_bad_request_is_raised_at_once(generator, sampling):
    with pytest.raises(BadRequest):
        generator.generate(generator.encode("Hi"), sampling)
    with pytest.raises(BadRequest, match="empty"):
        generator.generate([], Sampling())


def test_threads_do_not_disturb_each_other(generator):
    prompts = ["one", "two and more", "three", "four words in here"]
    alone = [text(generator, prompt, max_tokens=15) for prompt in prompts]
    together: dict[int, str] = {}

    def run(number: int) -> None:
        together[number] = text(generator, prompts[number], max_tokens=15)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(prompts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[number] for number in range(len(prompts))] == alone


def test_an_onnx_model_runs_without_torch(chat_onnx):
    program = (
        "import sys; from pathlib import Path\n"
        "from aictl.artifacts.onnx import OnnxModel\n"
        "from aictl.inference.generator import Sampling\n"
        "from aictl.inference.load import load\n"
        f"model = load(OnnxModel(Path({str(chat_onnx.folder)!r})))\n"
        "prompt = model.encode(model.render_chat([{'role': 'user', 'content': 'hi'}]))\n"
        "assert ''.join(piece.text for piece in model.generate(prompt, Sampling(max_tokens=3)))\n"
        "print(*sorted({'torch', 'transformers', 'onnx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", ["model.onnx", "model.onnx.data"])
def test_a_damaged_graph_is_damage(chat_onnx, tmp_path, name):
    shutil.copytree(chat_onnx.folder, tmp_path, dirs_exist_ok=True)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(Damaged, match=r"model\.onnx"):
        load(OnnxModel(tmp_path))


def test_damaged_weights_are_damage(chat_model, tmp_path):
    shutil.copytree(chat_model.folder, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(Damaged, match=r"model\.safetensors"):
        load(Checkpoint(tmp_path))


def test_another_kind_and_a_device_that_is_not_there_are_refused(chat_model, chat_onnx, tmp_path):
    with pytest.raises(WrongKind, match="probe"):
        load(Probe(tmp_path))
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    for model in (chat_model, chat_onnx):
        with pytest.raises(MachineLacks):
            load(model, device="cuda")

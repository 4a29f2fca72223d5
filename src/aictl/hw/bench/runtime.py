"""What a process takes before there is a model worth speaking of: the libraries, loaded and warm."""

from __future__ import annotations

import subprocess
import sys

import torch

from aictl.hw.bench.devices import Device

_TIME_LIMIT_S = 300
# What is loaded late is loaded by the work itself: text that is encoded, one step of training in 16 bits, of a model of
# no size, and one product of two matrices (the graph "y = x · w" of 64 by 64). Each tells the peak of its own memory in
# KiB (man 5 proc; getrusage would count what started it), and waits, for a GPU's memory is looked at from outside.
_END = """
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")), flush=True)
sys.stdin.read()
"""
_TORCH = """
import json, sys
import aictl.cli.app, aictl.workspace.run, aictl.train.train
import torch
from aictl.tokenizing.byte_bpe import learn
from aictl.tokenizing.fast_encoding import FastEncoder, Refused
from transformers import LlamaConfig, LlamaForCausalLM
device = sys.stdin.readline().strip()
texts = ["The quick brown fox jumps over the lazy dog. " * 50] * 200
tokenizer = learn(texts, 400)
tokenizer.encode_batch(texts[:100])
try:
    FastEncoder(json.loads(tokenizer.to_str())).encode(texts)
except Refused:
    pass
shape = dict(vocab_size=64, hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_attention_heads=1)
model = LlamaForCausalLM(LlamaConfig(**shape)).to(device)
optimizer = torch.optim.AdamW(model.parameters(), fused=True)
ids = torch.zeros(1, 16, dtype=torch.long, device=device)
with torch.autocast(device.partition(":")[0], torch.bfloat16):
    loss = model(input_ids=ids, labels=ids).loss
loss.backward()
optimizer.step()
"""
_GRAPH = (
    "08083a550a110a01780a017712017922064d61744d756c1201675a130a0178120e0a0c080112080a0208010a0208405a130a"
    "0177120e0a0c080112080a0208400a02084062130a0179120e0a0c080112080a0208010a02084042040a001011"
)
_ONNXRUNTIME = f"""
import sys
import aictl.cli.app, aictl.workspace.run, aictl.inference.decoding, aictl.inference.onnx_engine
import numpy, onnxruntime
wanted = "CPUExecutionProvider" if sys.stdin.readline().strip() == "cpu" else "CUDAExecutionProvider"
session = onnxruntime.InferenceSession(bytes.fromhex("{_GRAPH}"), providers=[wanted])
assert session.get_providers()[0] == wanted
session.run(None, {{"x": numpy.zeros((1, 64), "float32"), "w": numpy.zeros((64, 64), "float32")}})
"""
PROGRAMS = {"torch": _TORCH, "onnxruntime": _ONNXRUNTIME}


def measure(device: Device) -> dict[str, int]:
    """Bytes of the device's memory that a fresh process holds, by the runtime that it loaded: ``torch``, with what
    trains and after it has encoded some text and trained a model of no size, and ``onnxruntime``, with what serves and
    generates. One that is not installed, or cannot use the device, is left out."""
    found = {name: _held(device, program + _END) for name, program in PROGRAMS.items()}
    return {name: size for name, size in found.items() if size is not None}


def _held(device: Device, program: str) -> int | None:
    before = 0 if device.is_cpu else torch.cuda.mem_get_info(device.name)[0]
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdin and process.stdout
            process.stdin.write(f"{device.name}\n")
            process.stdin.flush()
            peak_kib = process.stdout.readline().strip()
            after = 0 if device.is_cpu else torch.cuda.mem_get_info(device.name)[0]
            process.communicate(timeout=_TIME_LIMIT_S)
        except BrokenPipeError:  # it ended before it was asked: its libraries are not there
            process.kill()
            return None
        except BaseException:
            process.kill()
            raise
    if not peak_kib.isdigit():
        return None
    return int(peak_kib) * 1024 if device.is_cpu else max(0, before - after)

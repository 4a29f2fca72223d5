"""What a process takes before there is a model worth speaking of: the libraries, loaded and warm."""

from __future__ import annotations

import subprocess
import sys

import torch

from aictl.hw.bench.devices import Device

_TIME_LIMIT_S = 300
# One step of training, of a model of no size: what is loaded late is loaded by it. Memory is in KiB
# (man 2 getrusage). It then waits, for a GPU's memory is looked at from outside.
_PROGRAM = """
import resource, sys
import torch
from transformers import LlamaConfig, LlamaForCausalLM
device = sys.stdin.readline().strip()
shape = dict(vocab_size=64, hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_attention_heads=1)
model = LlamaForCausalLM(LlamaConfig(**shape)).to(device)
optimizer = torch.optim.AdamW(model.parameters(), fused=True)
ids = torch.zeros(1, 16, dtype=torch.long, device=device)
model(input_ids=ids, labels=ids).loss.backward()
optimizer.step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
sys.stdin.read()
"""


def runtime_bytes(device: Device) -> int | None:
    """Bytes of the device's memory that a fresh process holds which has trained a model of no size; None
    if it ended in an error."""
    before = 0 if device.is_cpu else torch.cuda.mem_get_info(device.name)[0]
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM],
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
        except BaseException:
            process.kill()
            raise
    if not peak_kib.isdigit():
        return None
    return int(peak_kib) * 1024 if device.is_cpu else max(0, before - after)

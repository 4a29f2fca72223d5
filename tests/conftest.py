"""What every test stands on: no model hub, a cache of their own kind, a fresh workspace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stores.ceph import ceph, ceph_other  # noqa: F401
from tests.stores.hdfs import hdfs  # noqa: F401
from tests.stores.s3_server import bucket, moto  # noqa: F401

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the program does; see aictl.cli.app
if "PYTEST_XDIST_WORKER" in os.environ:  # as many workers as cores leave each a core
    os.environ.setdefault("OMP_NUM_THREADS", "1")
for name in [name for name in os.environ if name.startswith("AICTL_") and name != "AICTL_CACHE"]:
    del os.environ[name]


@pytest.fixture
def project(tmp_path: Path):
    """A fresh workspace."""
    from aictl.workspace.project import create

    return create(tmp_path / "workspace")


@pytest.fixture
def aictl() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the real program: ``aictl("artifact", "ls", cwd=...)``."""

    def run(
        *words: str | Path, cwd: Path, stdin: str | None = None, env: dict[str, str] | None = None, timeout: float = 300
    ):
        return subprocess.run(
            [sys.executable, "-m", "aictl", *map(str, words)],
            cwd=cwd,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture
def places(tmp_path) -> Callable[[str], tuple[Path, Path]]:
    """The folder and the scratch that a verb is given, by a name: the same name again is the same run resumed."""

    def make(name: str) -> tuple[Path, Path]:
        folder, scratch = tmp_path / name / "made", tmp_path / name / "scratch"
        folder.mkdir(parents=True, exist_ok=True)
        scratch.mkdir(exist_ok=True)
        return folder, scratch

    return make


@pytest.fixture
def write_dataset(tmp_path):
    """Writes a dataset: ``write_dataset(name, format, {split: documents})``."""
    from aictl.artifacts.dataset import Dataset, DatasetWriter

    def write(name: str, format: str, splits: dict[str, list[dict[str, object]]]) -> Dataset:
        folder = tmp_path / name
        folder.mkdir()
        with DatasetWriter(folder, format) as writer:
            for split, documents in splits.items():
                for document in documents:
                    writer.add(split, document)
        return Dataset(folder)

    return write


@pytest.fixture(scope="session")
def write_llama():
    """Writes a model's folder: ``write_llama(folder, text, chat_template)``. A Llama of two layers with random
    weights, and a tokenizer learnt from the text. Its rotary base is not the default, so that it cannot be lost
    unnoticed, and its weights are large enough for its head to tell tokens apart."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from aictl.tokenizing.byte_bpe import ROLES, learn
    from aictl.tokenizing.folder import write as write_tokenizer

    def write(folder: Path, text: str, chat_template: str) -> None:
        folder.mkdir()
        tokenizer = learn([text] * 20, 300)
        write_tokenizer(tokenizer, folder, ROLES)
        config = json.loads((folder / "tokenizer_config.json").read_text())
        config |= {"model_max_length": 64, "chat_template": chat_template}
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
        torch.manual_seed(0)
        shape = LlamaConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=64,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=2,
            tie_word_embeddings=True,
            initializer_range=0.2,
            rope_parameters={"rope_type": "default", "rope_theta": 5000.0},
        )
        LlamaForCausalLM(shape).save_pretrained(folder)

    return write


@pytest.fixture(scope="session")
def write_embedder():
    """Writes an embedding model: ``write_embedder(folder, words, width)``. A graph whose hidden state of a
    token is its row of a table of random numbers, which is returned: [PAD] [UNK] [CLS] [SEP], then the words."""
    import numpy as np
    import onnx
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    def write(folder: Path, words: list[str], width: int = 16):
        folder.mkdir(parents=True, exist_ok=True)
        vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
        tokenizer = Tokenizer(models.WordLevel(vocabulary, "[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        tokenizer.save(str(folder / "tokenizer.json"))
        table = np.random.default_rng(0).normal(size=(len(vocabulary), width)).astype(np.float32)
        shape, tensor = ["texts", "tokens"], onnx.helper.make_tensor_value_info
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])],
            "embed",
            [tensor("input_ids", onnx.TensorProto.INT64, shape)],
            [tensor("last_hidden_state", onnx.TensorProto.FLOAT, [*shape, width])],
            [onnx.numpy_helper.from_array(table, "table")],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
        onnx.save(model, folder / "model.onnx")
        return table

    return write


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder of one's own and, while the test runs, no right to read what is closed: root has every
    right, so it becomes nobody for as long."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="aictl-test-"))
    me = os.geteuid()
    if me == 0:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    yield folder
    os.seteuid(me)
    subprocess.run(["chmod", "-R", "u+rwX", folder], check=False)
    shutil.rmtree(folder)


NOBODY = 65534
CHAT_CONTEXT = 3000
CHAT_TEMPLATE = (
    "{% for m in messages %}{% if m.role == 'assistant' and loop.first %}"
    "{{ raise_exception('a conversation begins with the user') }}{% endif %}"
    "<|{{ m.role }}|>{{ m.content }}{% endfor %}<|assistant|>"
)


@pytest.fixture(scope="session")
def chat_model(tmp_path_factory):
    """A checkpoint of the name "tiny": a Llama of two layers with random weights, byte tokens and a chat
    template. It never ends by itself, so that a test decides how long it runs."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from aictl.artifacts.checkpoint import Checkpoint

    folder = tmp_path_factory.mktemp("model") / "tiny"
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    wrapped.chat_template = CHAT_TEMPLATE
    wrapped.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(alphabet),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CHAT_CONTEXT,
        bos_token_id=None,
        eos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return Checkpoint(folder, name="tiny")


@pytest.fixture
def chat_workspace(project, chat_model) -> Path:
    """The root of a workspace that holds the tiny chat model under its name."""
    from aictl.artifacts.checkpoint import Checkpoint
    from aictl.core.command import Command, NoOptions
    from aictl.core.events import silent
    from aictl.workspace.run import Request, Runner

    def copy(work) -> Checkpoint:
        shutil.copytree(chat_model.folder, work.folder, dirs_exist_ok=True)
        return Checkpoint(work.folder)

    Runner(project, silent).run(Request("copy", Command(run=copy, makes=(Checkpoint,)), NoOptions(), name="tiny"))
    return project.root

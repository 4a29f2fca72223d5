"""A GGUF file's header says what it is, and a file that is not whole is damaged."""

from __future__ import annotations

import numpy as np
import pytest

from aictl.artifacts.gguf import FILE, Gguf
from aictl.artifacts.gguf_header import read_header
from aictl.core.errors import Damaged

gguf = pytest.importorskip("gguf", reason="writing a file to read needs the extra gguf")


@pytest.fixture
def made(tmp_path) -> Gguf:
    """A file as gguf itself writes it; its last tensor is in blocks, and is no whole number of 32 bytes."""
    writer = gguf.GGUFWriter(tmp_path / FILE, "llama")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_rope_freq_base(5000.0)
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(["a", "b", "ä"])
    writer.add_token_types([1, 1, 3])
    writer.add_add_bos_token(False)
    writer.add_chat_template("{{ messages }}")
    writer.add_tensor("token_embd.weight", np.ones((3, 32), np.float16))
    writer.add_tensor("output_norm.weight", np.ones(5, np.float32))
    blocks = gguf.quants.quantize(np.ones((3, 32), np.float32), gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("blk.0.attn_q.weight", blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return Gguf(tmp_path, name="tiny")


def test_it_says_what_gguf_itself_says(made):
    made.check()
    assert made.facts == {
        "architecture": "llama",
        "type": "q8_0",
        "context_length": 64,
        "layers": 1,
        "vocabulary": 3,
        "pre_tokenizer": "gpt-2",
        "has_chat_template": True,
    }
    assert made.brief() == ("text-generation", "llama", 96 + 5 + 96, "q8_0", 64, None)
    reader = gguf.GGUFReader(made.model_path)
    assert [(one.name, one.dtype, one.shape) for one in made.header.tensors] == [
        (one.name, one.tensor_type.name, tuple(map(int, one.shape[::-1]))) for one in reader.tensors
    ]
    assert made.header.metadata["llama.rope.freq_base"] == reader.get_field("llama.rope.freq_base").contents()
    assert made.header.metadata["tokenizer.ggml.add_bos_token"] is False


HOSTILE = {
    "nothing": (lambda content: b"", "not a whole GGUF file"),
    "another file": (lambda content: b"no model" * 99, "does not begin with GGUF"),
    "a version": (lambda content: content[:4] + b"\x63" + content[5:], "of version 99"),
    "a third": (lambda content: content[: len(content) // 3], "not a whole GGUF file"),
    "all but a byte": (lambda content: content[:-1], "and its header promises"),
    "more": (lambda content: content + b"\0" * 32, "and its header promises"),
    "no end of pairs": (lambda content: content[:16] + b"\xff" * 8 + content[24:], "not a whole GGUF file"),
    "no end of tensors": (lambda content: content[:8] + b"\xff" * 8 + content[16:], "not a whole GGUF file"),
    "a long key": (lambda content: content[:24] + b"\xff" * 7 + b"\x7f" + content[32:], "it ends before byte"),
    "no tokens": (lambda content: content.replace(b"ggml.tokens", b"ggml.tokenz"), "lacks 'tokenizer.ggml.tokens'"),
    "no layer": (lambda content: content.replace(b"blk.0.attn_q", b"blk.7.attn_q"), "lacks weights of the 1 layers"),
    "numbers": (lambda content: _retyped(content, 8, 19), "a number format that is not known: 19"),
    "blocks": (lambda content: _retyped(content, 1, 0), "does not begin where the tensor before it ends"),
}


def _retyped(content: bytes, kind: int, other: int) -> bytes:
    """The tensor of one number format said to be of another."""
    name = {8: b"blk.0.attn_q.weight", 1: b"token_embd.weight"}[kind]
    at = content.index(name) + len(name) + 4 + 2 * 8
    assert content[at] == kind
    return content[:at] + bytes([other]) + content[at + 1 :]


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_whole_file_is_damaged(made, case):
    spoil, says = HOSTILE[case]
    made.model_path.write_bytes(spoil(made.model_path.read_bytes()))
    with pytest.raises(Damaged, match=says):
        Gguf(made.folder).check()


def test_any_flipped_byte_of_the_header_is_an_error_of_the_family_or_none(made):
    """Hostile input ends in Damaged and in no other way."""
    content, end = made.model_path.read_bytes(), read_header(made.model_path).end - 3 * 34 - 64 - 192
    found = 0
    for at in range(0, end, 3):
        made.model_path.write_bytes(content[:at] + bytes([content[at] ^ 0x81]) + content[at + 1 :])
        try:
            Gguf(made.folder).check()
        except Damaged:
            found += 1
    assert found > end // 6

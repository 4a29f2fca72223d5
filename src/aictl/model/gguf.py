"""A GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), unpacked once.

Its quantised weights become float32, which holds them exactly; reading them that way takes half a
minute, so it is done here and never again. Tokenizer and chat template lie in the file's metadata.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gguf import GGUF_MAGIC, GGUFReader, LlamaFileType
from gguf.gguf_reader import READER_SUPPORTED_VERSIONS

from aictl.core.errors import AictlError, BadInput
from aictl.core.events import Events
from aictl.inference.gguf import load_gguf, load_gguf_tokenizer
from aictl.inference.quiet import quiet
from aictl.model.folder import portable_config, write_json
from aictl.model.intact import AGAIN, one_line, require_content
from aictl.training.state import disk

_STATED = ("general.name", "general.license", "general.file_type")


def bring(source: Path, folder: Path, events: Events) -> dict[str, Any]:
    """Write the model of a GGUF file into ``folder`` as safetensors with its tokenizer, and return
    what is known of it. Raises :class:`BadInput` for a file that is cut short or of an
    architecture that transformers cannot rebuild."""
    with _task(events, f"read {source.name}"):
        facts = _facts(source)
    try:
        with quiet():
            with _task(events, "rebuild the tokenizer"):
                tokenizer = load_gguf_tokenizer(source)
            with _task(events, "unpack the weights", facts["tensors"], "tensors") as task:
                model = load_gguf(source, lambda done: events.advanced(task, done))
    except AictlError:
        raise
    except Exception as error:  # the readers of the many formats raise whatever comes
        raise BadInput(
            f"{source} cannot be rebuilt: {one_line(error)}",
            cure="take the model as safetensors, or a GGUF of an architecture that transformers reads",
        ) from error
    # The weights are plain now; left as it is, transformers refuses to save them.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    with _task(events, "write safetensors"), disk(folder), quiet():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    _make_portable(folder, model.config.to_dict(), tokenizer)
    return facts


def _require_readable(source: Path) -> None:
    """Raise :class:`BadInput` unless the file begins as a GGUF of a version that can be read."""
    require_content(source)
    with source.open("rb") as file:
        head = file.read(8)
    if head[:4] != GGUF_MAGIC.to_bytes(4, "little"):
        raise BadInput(f"{source} is no GGUF file: it begins with {head[:4]!r}", cure=AGAIN)
    version = int.from_bytes(head[4:], "little")
    if version not in READER_SUPPORTED_VERSIONS and int.from_bytes(head[4:], "big") not in READER_SUPPORTED_VERSIONS:
        known = " and ".join(map(str, READER_SUPPORTED_VERSIONS))
        raise BadInput(
            f"{source} is GGUF of version {version}, and versions {known} are read",
            cure="convert the model again with a current llama.cpp, or take it as safetensors",
        )


@contextmanager
def _task(events: Events, name: str, total: float | None = None, unit: str = "") -> Iterator[str]:
    events.started(name, total, unit)
    yield name
    events.finished(name)


def _make_portable(folder: Path, config: dict[str, Any], tokenizer: Any) -> None:
    path = folder / "config.json"
    config = {name: value for name, value in config.items() if name != "_name_or_path"}
    write_json(path, portable_config(config, path))
    # What save_pretrained writes has this process's loading options in it, and a class that only
    # transformers 5 knows.
    tokens = {role: token for role, token in tokenizer.special_tokens_map.items() if isinstance(token, str)}
    length = config.get("max_position_embeddings")
    write_json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "PreTrainedTokenizerFast", **tokens, "clean_up_tokenization_spaces": False}
        | ({"model_max_length": length} if length else {}),
    )


def _facts(source: Path) -> dict[str, Any]:
    """What the file says of itself. The reader maps every tensor, so it notices a missing end."""
    _require_readable(source)
    try:
        reader = GGUFReader(source)
        stated = {name: field.contents() for name in _STATED if (field := reader.get_field(name))}
        types = Counter(tensor.tensor_type.name for tensor in reader.tensors)
    except Exception as error:  # numpy's and struct's own errors, from deep inside
        raise BadInput(
            f"{source} is not a whole GGUF file: {source.stat().st_size:,} bytes do not hold what its header promises",
            cure=AGAIN,
        ) from error
    if not types:
        raise BadInput(f"{source} holds no weights", cure=AGAIN)
    if reader.get_field("tokenizer.ggml.tokens") is None:
        raise BadInput(
            f"{source} holds no tokenizer (tokenizer.ggml.tokens)",
            cure="take a GGUF that llama.cpp's convert_hf_to_gguf.py made, or the model as safetensors",
        )
    quantization = types.most_common(1)[0][0]
    if "general.file_type" in stated and stated["general.file_type"] in LlamaFileType._value2member_map_:
        quantization = LlamaFileType(stated["general.file_type"]).name.removeprefix("MOSTLY_").removeprefix("ALL_")
    return {
        "format": "gguf",
        "dtype": "F32",
        "tensors": sum(types.values()),
        "quantization": quantization,
        "original_name": stated.get("general.name"),
        "license": stated.get("general.license"),
    }
